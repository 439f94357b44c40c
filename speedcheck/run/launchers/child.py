"""A child process that trains: started in a session of its own, followed, and ended for good."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import tempfile
import uuid
import weakref
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any

from speedcheck.errors import LaunchError
from speedcheck.run.launchers.processes import CHILD_VARIABLE, end_processes, mark_of

# The trainer ends at the next step; a process that has not gone by then will not go by itself.
STOP_SECONDS = 10.0
# Enough for the end of a traceback, and short enough to read.
TAIL_LINES = 12
TAIL_BYTES = 16_384
# How the trainer begins the line that says why it stops.
TRAINER_SAYS = "trainer: "
# And the line, with the log's name, by which it says that it has made its log.
TRAINER_WRITES = "trainer writes "


class Child:
    """A process with what it prints, and everything that it starts.

    Args:
        command: its words.
        folder: the record folder, by which a later campaign finds it.
        environment: variables beside those of this process.
        stdin: file descriptor of its standard input; it is passed on, not closed.
        cwd: the folder that it starts in; this process's unless given.
        output: the file that gets what it prints, which is closed with the child; a temporary one
            unless given.

    Raises:
        LaunchError: the process cannot be started.
    """

    def __init__(
        self,
        command: Sequence[str],
        *,
        folder: Path,
        environment: Mapping[str, str],
        stdin: int = subprocess.DEVNULL,
        cwd: Path | None = None,
        output: IO[bytes] | None = None,
    ) -> None:
        self._mark = CHILD_VARIABLE, uuid.uuid4().hex
        self._output = output or tempfile.TemporaryFile()  # noqa: SIM115 - closed with the child
        self._read_from = 0
        marks = dict((mark_of(folder), self._mark))
        try:
            # In a session of its own, so that Ctrl-C reaches it only through us.
            self._process = subprocess.Popen(
                command,
                stdin=stdin,
                stdout=self._output,
                stderr=subprocess.STDOUT,
                cwd=cwd,
                env=os.environ | environment | marks,
                start_new_session=True,
            )
        except OSError as error:
            self._output.close()
            raise LaunchError(f"cannot start the trainer ({error.strerror})") from error
        weakref.finalize(self, self._output.close)

    def poll(self) -> int | None:
        """Return the exit status, or None while the process goes on."""
        return self._process.poll()

    def wait(self, seconds: float) -> None:
        """Wait until the process has ended, or for this long."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(seconds)

    def terminate(self) -> None:
        """Ask the process to end; return at once."""
        self._signal(signal.SIGTERM)

    def stop(self) -> None:
        """Wait for the process to end, and kill what is left of it and of what it started."""
        self.wait(STOP_SECONDS)
        # The process may be gone and a rank of it still there, be it in another session.
        self._signal(signal.SIGKILL)
        self._process.wait()
        end_processes(self._mark)

    def forget_output(self) -> None:
        """Let `last_lines` begin with what is printed from now on."""
        self._read_from = self._output.seek(0, os.SEEK_END)

    def wrote(self, log: Path) -> bool:
        """Return whether the trainer has said that it made this log."""
        self._output.seek(self._read_from)
        return f"{TRAINER_WRITES}{log.name}\n".encode() in self._output.read()

    def last_lines(self) -> str:
        """Return the end of what was printed."""
        size = self._output.seek(0, os.SEEK_END)
        self._output.seek(max(self._read_from, size - TAIL_BYTES))
        return _telling_lines(self._output.read().decode(errors="replace"))

    def details(self) -> Mapping[str, Any]:
        """Return nothing: all was known when the run started."""
        return {}

    def _signal(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, number)


def _telling_lines(output: str) -> str:
    """The trainer's own last words, each once; for want of them the end of the output.

    With several ranks torchrun ends the output with a box of its own, and every rank that fails
    says the same.
    """
    lines = [line for line in output.strip().splitlines() if not line.startswith(TRAINER_WRITES)]
    said = dict.fromkeys(line for line in lines if line.startswith(TRAINER_SAYS))
    return "\n".join(said or lines[-TAIL_LINES:])
