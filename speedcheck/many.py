"""Many records at once: one after another, or over the machine's cores where that pays."""

from __future__ import annotations

import gc
import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from functools import partial
from itertools import islice
from multiprocessing import forkserver, resource_tracker
from pathlib import Path
from typing import TYPE_CHECKING

from speedcheck.errors import SpeedcheckError
from speedcheck.machine import available_cpus

if TYPE_CHECKING:
    from multiprocessing.context import BaseContext

    from speedcheck.certificate import Certificate
    from speedcheck.rules.rule import Overrides
    from speedcheck.sample import Selection

# Processes take half a second to start, which imports scipy; reading a record with its program
# takes some hundredths.
FEWEST_FOR_PROCESSES = 16
_CHUNK = 2
# What is read from a record holds few cycles and is gone when its certificate is there. Looking
# for them after every 700 new objects, as Python does, takes a fifth of the time.
_OBJECTS_BETWEEN_COLLECTIONS = 1_000_000


def expect_records(folders: Sequence[Path]) -> None:
    """Let processes import already, where the folders may hold enough records for them.

    It takes a moment. A command calls it before its own imports and its search for records, which
    then go on beside those of the processes.

    Args:
        folders: record folders, or folders of such.
    """
    if _pays(len(folders) + sum(map(_folders_in, folders))):
        _context()


def _folders_in(folder: Path) -> int:
    try:
        with os.scandir(folder) as entries:
            inside = (entry for entry in entries if entry.is_dir(follow_symlinks=False))
            return len(list(islice(inside, FEWEST_FOR_PROCESSES)))
    except OSError:
        return 0


def _pays(records: int) -> bool:
    return records >= FEWEST_FOR_PROCESSES and available_cpus() > 1


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
    with ProcessPoolExecutor(
        available_cpus(), mp_context=_context(), initializer=_collect_less
    ) as pool:
        try:
            with _interrupts_blocked():
                results = pool.map(judge, folders, chunksize=_CHUNK)
            yield from results
        finally:
            pool.shutdown(cancel_futures=True)


def _context() -> BaseContext:
    """Let processes start as copies of one that has imported what they need, where that can be."""
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["speedcheck.api"])
    # Starting the tracker lets signals through again, so it comes first.
    resource_tracker.ensure_running()
    with _interrupts_blocked():
        forkserver.ensure_running()
    return context


@contextmanager
def _interrupts_blocked() -> Iterator[None]:
    """Start processes that Ctrl-C does not reach, and put it off here until they are started.

    It is sent to every process of a terminal. This one answers for all; the others inherit the
    mask and are stopped by a message. Threads that other libraries started take the signal in
    spite of the mask, so its handler waits as well.
    """
    is_main = threading.current_thread() is threading.main_thread()
    if not is_main or not hasattr(signal, "pthread_sigmask"):
        yield
        return
    came: list[int] = []
    handler = signal.signal(signal.SIGINT, lambda number, _: came.append(number))
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        signal.signal(signal.SIGINT, handler)
        if came:
            signal.raise_signal(signal.SIGINT)


def _collect_less() -> None:
    gc.set_threshold(_OBJECTS_BETWEEN_COLLECTIONS)


def _verify(
    folder: Path, *, overrides: Overrides, selection: Selection | None
) -> Certificate | SpeedcheckError:
    # Not before the first folder: it imports scipy, as the process that the others copy does.
    from speedcheck.api import verify_folder  # noqa: PLC0415

    try:
        return verify_folder(folder, overrides, selection)
    except SpeedcheckError as error:
        return error
