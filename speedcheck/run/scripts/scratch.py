"""The scratch folder of one run: the program, links to what is beside it, and the log it writes."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from speedcheck.errors import InputError, LaunchError
from speedcheck.logs import Parser, read_log
from speedcheck.records.record_files import MAX_FILE_BYTES, kind_of
from speedcheck.words import count, join_some

OUTPUT_FOLDERS = frozenset({"log", "logs", "out", "output", "outputs", "results", "runs"})
"""Folders beside a program that are not linked but made anew: it writes its logs there."""

_NOT_LINKED = frozenset({"__pycache__"})
# Files beside a program that could be logs of earlier runs.
_LOG_ENDINGS = frozenset({"", ".log", ".out", ".txt"})


class Scratch:
    """A folder in which a program runs once, as if it were in its own.

    Args:
        program: the script, or the folder of the package; it is copied.
        beside: the folder whose files and folders the program finds beside it, as links.
        parse: what reads logs: a file beside the program that holds runs is not linked, so that
            an old log is never taken for a new one.

    Raises:
        LaunchError: the folder cannot be made.
    """

    def __init__(self, program: Path, beside: Path, parse: Parser) -> None:
        self._parse = parse
        self._program = program.name
        try:
            self.folder = Path(tempfile.mkdtemp(prefix="speedcheck-"))
            self._link(beside.resolve())
            copy = self.folder / program.name
            (shutil.copytree if program.is_dir() else shutil.copyfile)(program, copy)
        except OSError as error:
            what = f"the scratch folder of a run cannot be made ({error.strerror or error})"
            raise LaunchError(
                what, where=tempfile.gettempdir(), remedy="free some space"
            ) from error

    def log(self) -> Path | None:
        """Return the one log that the program has written; None where it has written none.

        Copies of one log are one.

        Raises:
            LaunchError: it has written several, or one with several runs.
        """
        found: dict[str | None, tuple[Path, int]] = {}
        for path in self._written():
            try:
                log = read_log(path, self.folder, self._parse)
            except InputError:
                continue
            if log.runs:
                found.setdefault(log.sha256, (path, len(log.runs)))
        if len(found) > 1:
            names = join_some(str(path.relative_to(self.folder)) for path, _ in found.values())
            raise LaunchError(
                f"the program wrote {len(found)} logs ({names}), and a run has one",
                remedy="let one rank write one log",
            )
        for path, runs in found.values():
            if runs > 1:
                what = f"its log {path.relative_to(self.folder)} holds {count(runs, 'run')}"
                raise LaunchError(what, remedy="let the program train once and end")
            return path
        return None

    def remove(self) -> None:
        """Delete the folder; what it links to stays."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _link(self, beside: Path) -> None:
        for entry in sorted(beside.iterdir()):
            if entry.name in _NOT_LINKED or entry.name == self._program:
                continue
            place = self.folder / entry.name
            if entry.name in OUTPUT_FOLDERS and entry.is_dir():
                place.mkdir()
            elif not self._is_old_log(entry):
                place.symlink_to(entry)

    def _is_old_log(self, entry: Path) -> bool:
        if entry.suffix.lower() not in _LOG_ENDINGS or not entry.is_file():
            return False
        try:
            return bool(read_log(entry, entry.parent, self._parse).runs)
        except InputError:
            return False

    def _written(self) -> Iterator[Path]:
        """Yield the files that could be logs and are not links, in order."""
        own = self.folder / self._program
        for top, folders, files in os.walk(self.folder):
            folders.sort()
            for name in sorted(files):
                path = Path(top) / name
                is_own = path == own or own in path.parents
                if is_own or path.is_symlink() or not path.is_file():
                    continue
                if kind_of(path) == "log" and path.stat().st_size <= MAX_FILE_BYTES:
                    yield path
