"""Many records at once: one after another, or over the machine's cores where that pays."""

from __future__ import annotations

import gc
import multiprocessing
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import forkserver
from pathlib import Path
from typing import TYPE_CHECKING

from speedcheck.errors import SpeedcheckError
from speedcheck.launch.room import available_cpus

if TYPE_CHECKING:
    from multiprocessing.context import BaseContext

    from speedcheck.certificate import Certificate
    from speedcheck.checks.counting import Selection
    from speedcheck.rule import Overrides

# The process that the others are copies of imports scipy for half a second; reading a record with
# its program takes some hundredths.
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
    with ProcessPoolExecutor(cpus, mp_context=_context(), initializer=_collect_less) as pool:
        yield from pool.map(judge, folders, chunksize=_CHUNK)


def _context() -> BaseContext:
    """Let processes begin as copies of one that has imported what they need, where that can be."""
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["speedcheck.api"])
    # It imports at once, while this process goes on to import the same.
    forkserver.ensure_running()
    return context


def _collect_less() -> None:
    gc.set_threshold(_OBJECTS_BETWEEN_COLLECTIONS)


def _verify(
    folder: Path, *, overrides: Overrides, selection: Selection | None
) -> Certificate | SpeedcheckError:
    # Not before the first folder: it imports scipy, as the process that begins the others does.
    from speedcheck.api import verify_folder  # noqa: PLC0415

    try:
        return verify_folder(folder, overrides, selection)
    except SpeedcheckError as error:
        return error
