"""A folder that a start fills: whole when its plan is there, and until then free to be made anew.

Until its last file, the plan, is renamed into its place, the folder holds the partial file of the
plan. So whatever ends the start, the next one knows that nothing but its copies is there. And where
there is a plan, there is a ledger: none is ever made beside logs, which it would not know.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from speedcheck.errors import RecordError
from speedcheck.records.ledger import LEDGER_NAME
from speedcheck.records.ledger_writer import take_lock
from speedcheck.records.line_ends import keep_line_ends
from speedcheck.run.folder_files import refuse_taken
from speedcheck.whole_file import partial_of


def refuse_cut_start(folder: Path, plan_name: str) -> None:
    """Refuse to continue what has not begun.

    Raises:
        RecordError: a start has ended before the plan of its folder was written.
    """
    if is_cut_start(folder, plan_name):
        what = "the start was cut before the plan was written"
        remedy = "type the command again as before, without --resume"
        raise RecordError(what, where=str(folder), remedy=remedy)


def refuse_begun(folder: Path, plan_name: str) -> None:
    """Refuse a folder in which something else is than what a cut start has left.

    Raises:
        RecordError: it is a record, a race, or anything else.
    """
    if not is_cut_start(folder, plan_name):
        refuse_taken(folder)


def is_cut_start(folder: Path, plan_name: str) -> bool:
    """Return whether a start has ended before the plan of its folder was written."""
    path = folder / plan_name
    return partial_of(path).is_file() and not path.exists()


@contextmanager
def new_folder(folder: Path, plan_name: str) -> Iterator[None]:
    """Make a folder with an empty ledger; the caller's last step is `write_whole` of the plan.

    What an earlier start has left of it is deleted first; what this one has made, if it fails.

    Args:
        folder: the folder; it may exist if it is empty.
        plan_name: the name of its plan.

    Raises:
        RecordError: something else is there, or the folder cannot be made.
    """
    marker = partial_of(folder / plan_name)
    if is_cut_start(folder, plan_name):
        _empty_unless_starting(folder, marker)
    refuse_taken(folder)
    was_there = folder.exists()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        held = marker.open("xb")
        (folder / LEDGER_NAME).touch(exist_ok=False)
    except OSError as error:
        what = f"cannot be made ({error.strerror})"
        raise RecordError(what, where=str(folder), remedy="choose another --out") from error
    with held:
        take_lock(held)
        try:
            keep_line_ends(folder)
            yield
        except BaseException:
            _empty(folder)
            if not was_there:
                folder.rmdir()
            raise


def _empty_unless_starting(folder: Path, marker: Path) -> None:
    """Delete what a start has left that has ended; one that goes on holds the lock of its marker.

    Raises:
        RecordError: a start goes on.
    """
    with marker.open("ab") as file:
        if not take_lock(file):
            what, remedy = "another process starts here", "wait, or choose another --out"
            raise RecordError(what, where=str(folder), remedy=remedy)
        _empty(folder)


def _empty(folder: Path) -> None:
    for path in folder.iterdir():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()
