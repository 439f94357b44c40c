"""Many records at once: one after another, or over the machine's cores where that pays."""

from __future__ import annotations

import gc
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path

from speedcheck.api import verify_folder
from speedcheck.certificate import Certificate
from speedcheck.checks.counting import Selection
from speedcheck.errors import SpeedcheckError
from speedcheck.launch.room import available_cpus
from speedcheck.rule import Overrides

# A new process imports scipy for the better part of a second; reading a program takes a tenth.
FEWEST_FOR_PROCESSES = 16
_CHUNK = 4
# What is read of a record holds no cycles and is gone when its certificate is there. Looking for
# some after every 700 new objects, as Python does, takes a fifth of the time.
_OBJECTS_BETWEEN_COLLECTIONS = 200_000


def verify_folders(
    folders: Sequence[Path], overrides: Overrides, selection: Selection | None = None
) -> Iterator[Certificate | SpeedcheckError]:
    """Judge each record, and give its certificate or why there is none, in order.

    Args:
        folders: record folders, as `find_records` gives them.
        overrides: what the caller asks for instead of what each record says.
        selection: which runs of each the caller wants counted.
    """
    _collect_less()
    judge = partial(_verify, overrides=overrides, selection=selection)
    cpus = available_cpus()
    if len(folders) < FEWEST_FOR_PROCESSES or cpus < 2:
        yield from map(judge, folders)
        return
    context = get_context("spawn")
    with ProcessPoolExecutor(cpus, mp_context=context, initializer=_collect_less) as pool:
        yield from pool.map(judge, folders, chunksize=_CHUNK)


def _collect_less() -> None:
    gc.set_threshold(_OBJECTS_BETWEEN_COLLECTIONS)


def _verify(
    folder: Path, *, overrides: Overrides, selection: Selection | None
) -> Certificate | SpeedcheckError:
    try:
        return verify_folder(folder, overrides, selection)
    except SpeedcheckError as error:
        return error
