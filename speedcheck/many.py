"""Many records at once: one after another, or over the machine's cores where that pays."""

from __future__ import annotations

import gc
import multiprocessing
import os
import signal
import threading
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from functools import partial
from multiprocessing import forkserver, resource_tracker
from pathlib import Path
from typing import TYPE_CHECKING

from speedcheck.errors import SpeedcheckError
from speedcheck.launch.room import available_cpus

if TYPE_CHECKING:
    from multiprocessing.context import BaseContext

    from speedcheck.certificate import Certificate
    from speedcheck.rule import Overrides
    from speedcheck.sample import Selection

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
    if not _pays(len(folders)):
        yield from map(judge, folders)
        return
    context = _context()
    # The process that the others are copies of imports by now; this one imports the same beside it.
    import speedcheck.api  # noqa: F401, PLC0415

    cpus = available_cpus()
    with ProcessPoolExecutor(cpus, mp_context=context, initializer=_collect_less) as pool:
        try:
            with _uninterrupted():
                results = pool.map(judge, folders, chunksize=_CHUNK)
            yield from results
        finally:
            pool.shutdown(cancel_futures=True)


def prepare(folders: Sequence[Path]) -> None:
    """Where many records may be below `folders`, begin what takes long before it is needed."""
    if _pays(sum(map(_count_folders, folders))):
        _context()


def _count_folders(folder: Path) -> int:
    try:
        with os.scandir(folder) as entries:
            return sum(entry.is_dir() for entry in entries)
    except OSError:
        return 0


def _pays(records: int) -> bool:
    return records >= FEWEST_FOR_PROCESSES and available_cpus() > 1


def _context() -> BaseContext:
    """Let processes begin as copies of one that has imported what they need, where that can be."""
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["speedcheck.api"])
    # Starting this one would let signals through again.
    resource_tracker.ensure_running()
    with _uninterrupted():
        forkserver.ensure_running()
    return context


@contextmanager
def _uninterrupted() -> Iterator[None]:
    """Put Ctrl-C off while processes begin, which inherit that it is not for them.

    It reaches every process of a terminal, and this one answers for all; the others would write
    where they were. Other threads may take the signal in spite of the mask, so that what answers
    to it has to wait as well.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    came: list[int] = []
    handler = signal.signal(signal.SIGINT, lambda number, _: came.append(number))
    mask = _masked(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        _masked(signal.SIG_SETMASK, mask)
        signal.signal(signal.SIGINT, handler)
        if came:
            signal.raise_signal(signal.SIGINT)


def _masked(how: int, signals: Iterable[int]) -> Iterable[int]:
    """Change which signals this thread takes, and return what was; Windows has no such thing."""
    return signal.pthread_sigmask(how, signals) if hasattr(signal, "pthread_sigmask") else ()


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
