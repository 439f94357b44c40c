"""One run of a foreign trainer: how it goes, and the one log that comes of it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from speedcheck.errors import LaunchError
from speedcheck.logs import read_log
from speedcheck.rules.tracks import Track
from speedcheck.run.campaign.run_result import result_of
from speedcheck.run.launchers.child import Child
from speedcheck.run.scripts.scratch import Scratch
from speedcheck.words import count

_ASKED = "EOFError"


class ScriptRun:
    """A run of a foreign trainer, whose log is fetched when it has ended.

    Args:
        child: its process.
        scratch: the folder in which it runs, which goes with it.
        log: what it prints, and then the log that it has written.
        track: says how logs are read.
    """

    def __init__(self, child: Child, scratch: Scratch, log: Path, track: Track) -> None:
        self._child = child
        self._scratch = scratch
        self._log = log
        self._track = track
        # Which file the run writes, whatever is put in the place of its name.
        self._file = _file_of(log)
        self._is_fetched = False
        self._problem: LaunchError | None = None
        self.terminate = child.terminate

    def poll(self) -> int | None:
        """Return the exit status, or None while the run goes on.

        Raises:
            LaunchError: the run has ended, and what it has written is not the log of a new run.
        """
        status = self._child.poll()
        if status is None:
            return None
        self._fetch()
        if status == 0 and self._problem is None:
            self._problem = self._not_one_run()
        if self._problem is not None:
            raise self._problem
        return status

    def stop(self) -> None:
        """End the run, and keep the log that it has written so far."""
        self._child.stop()
        self._fetch()

    def wrote(self, log: Path) -> bool:
        """Return whether the log is the file that this run began or fetched."""
        return self._file is not None and _file_of(log) == self._file

    def last_lines(self) -> str:
        """Return the end of what was printed, and say so where the program asked for input."""
        # Every run has another scratch folder, and two that fail alike are to say the same.
        lines = self._child.last_lines().replace(f"{self._scratch.folder}{os.sep}", "")
        if _ASKED not in lines:
            return lines
        return f"{lines}\nthe program asked for input, and its standard input is empty"

    def details(self) -> Mapping[str, Any]:
        """Return nothing: all was known when the run started."""
        return {}

    def _fetch(self) -> None:
        if self._is_fetched:
            return
        self._is_fetched = True
        try:
            written = self._scratch.log()
            # Another file in the place of the log is not ours to overwrite.
            if written is not None and _file_of(self._log) in (self._file, None):
                _replace(self._log, written)
                self._file = _file_of(self._log)
            if result_of(self._log, self._track) is not None:
                _refuse_copy(self._log)
        except LaunchError as error:
            self._problem = error
        finally:
            self._scratch.remove()

    def _not_one_run(self) -> LaunchError | None:
        runs = len(read_log(self._log, self._log.parent, self._track.parser()).runs)
        if runs == 1:
            return None
        if runs > 1:
            what = f"its output holds {count(runs, 'run')}"
            remedy = "let the program train once and end"
            return LaunchError(what, where=str(self._log), remedy=remedy)
        return LaunchError(
            "the program wrote no log: no file below its folder and no line of its output has a "
            "validation loss",
            where=str(self._log),
            remedy="read what it printed there; a track's log_patterns (--track) say how "
            "other logs are read",
        )


def _file_of(path: Path) -> tuple[int, int] | None:
    """Return what tells a file from others, whatever its name; None where it is gone."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _refuse_copy(log: Path) -> None:
    """Refuse the log of an earlier run: a run that writes it again has not trained.

    Raises:
        LaunchError: another log beside it has the same bytes.
    """
    ours = log.read_bytes()
    for other in sorted(log.parent.iterdir()):
        # Another attempt at this run has its seed, and may well come to the same.
        if _run_of(other) == _run_of(log) or not other.is_file():
            continue
        if other.stat().st_size == len(ours) and other.read_bytes() == ours:
            raise LaunchError(
                f"the program wrote the log of an earlier run again ({other.name})",
                where=str(log),
                remedy="let every run train, and write a log of its own",
            )


def _run_of(log: Path) -> str:
    """Return the name that all attempts at one run have in common."""
    return log.name.partition(".")[0]


def _replace(log: Path, written: Path) -> None:
    """Put the log that was written in the place of the output, whole or not at all."""
    partial = log.with_name(f".{log.name}.partial")
    try:
        shutil.copyfile(written, partial)
        os.replace(partial, log)  # noqa: PTH105 - as shutil
    except OSError as error:
        partial.unlink(missing_ok=True)
        what = f"the run's log cannot be kept ({error.strerror or error})"
        raise LaunchError(what, where=str(log), remedy="free some space") from error
