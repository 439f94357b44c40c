"""Following a growing log: its newest step line, read once each."""

from __future__ import annotations

import os
from pathlib import Path

from speedcheck.logs import StepLine, parse_step_line

_SEPARATOR = b"=" * 100
# The program and the environment are above the second separator.
_SEPARATORS_BEFORE_STEPS = 2


class LogFollower:
    """Reads what a log has gained since the last look.

    Args:
        path: the log; it need not exist yet.
        has_program: whether it begins with the program and the environment.
    """

    def __init__(self, path: Path, *, has_program: bool = True) -> None:
        self._path = path
        self._offset = 0
        self._inode: int | None = None
        self._separators = 0 if has_program else _SEPARATORS_BEFORE_STEPS

    def newest(self) -> StepLine | None:
        """Return the newest complete step line that was not there at the last look."""
        lines = self.new()
        return lines[-1] if lines else None

    def new(self) -> list[StepLine]:
        """Return the complete step lines that were not there at the last look.

        A file that has taken the place of the log is not followed: the run has ended.
        """
        try:
            with self._path.open("rb") as file:
                inode = os.fstat(file.fileno()).st_ino
                if self._inode not in (None, inode):
                    return []
                self._inode = inode
                file.seek(self._offset)
                data = file.read()
        except FileNotFoundError:
            return []
        complete = data[: data.rfind(b"\n") + 1]
        self._offset += len(complete)
        found = []
        for line in complete.splitlines():
            if line == _SEPARATOR:
                self._separators += 1
            elif self._separators >= _SEPARATORS_BEFORE_STEPS:
                found.append(parse_step_line(line.decode("utf-8", "replace")))
        return [line for line in found if line is not None]
