"""The run's log: its lines, and the file that takes them. `docs/log-format.md` is the contract."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Protocol, TextIO

from trainer.errors import TrainerError

SEPARATOR = "=" * 100


def header_line(key: str, value: Any) -> str:
    """One line of the environment part: the value as JSON, keys sorted."""
    return f"{key}: {json.dumps(value, sort_keys=True)}"


def step_line(step: int, steps: int, *, kind: str, loss: float, train_ms: float) -> str:
    """One line of the steps part.

    Args:
        step: updates done.
        steps: updates in the whole run.
        kind: "train" or "val".
        loss: nats per token.
        train_ms: timed training so far, in milliseconds.
    """
    average = train_ms / step if step else 0.0
    return (
        f"step:{step}/{steps} {kind}_loss:{loss:.6f} "
        f"train_time:{train_ms:.0f}ms step_avg:{average:.2f}ms"
    )


def memory_line(allocated_mib: float, reserved_mib: float) -> str:
    """The last line of a complete run."""
    return f"peak memory allocated: {allocated_mib:.0f} MiB reserved: {reserved_mib:.0f} MiB"


def stopped_line(step: int) -> str:
    """The last line of a run whose loss is no longer finite."""
    return header_line("stopped", f"loss is not a finite number at step {step}")


class StepLog(Protocol):
    """Where the training loop reports a loss; see `step_line`."""

    def step(self, step: int, *, kind: str, loss: float, train_ms: float) -> None:
        """Take a loss."""


class NoLog:
    """For ranks other than the first: says nothing."""

    def step(self, step: int, *, kind: str, loss: float, train_ms: float) -> None:
        """Say nothing."""

    def line(self, text: str) -> None:
        """Say nothing."""


class FileLog:
    """A new log file; every line is flushed, so that a reader can follow it.

    Every method raises TrainerError when the disk does not take the text.

    Args:
        path: of the file, for messages.
        file: open for writing.
        steps: updates in the whole run.
    """

    def __init__(self, path: Path, file: TextIO, steps: int) -> None:
        self._path = path
        self._file = file
        self._steps = steps

    @classmethod
    @contextmanager
    def create(cls, path: Path, steps: int) -> Iterator[FileLog]:
        """Create the file and its folder; close the file at the end.

        Raises:
            TrainerError: the file exists, or the folder cannot be written.
        """
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise _unwritable(path, error) from error
        try:
            file = path.open("x", encoding="utf-8", newline="\n")
        except FileExistsError as error:
            raise TrainerError(
                "this log exists already",
                where=str(path),
                remedy="name another with --log-name or --log-dir",
            ) from error
        except OSError as error:
            raise _unwritable(path, error) from error
        try:
            yield cls(path, file, steps)
        finally:
            # Every line was flushed: all that closing could add is an error reported before.
            with suppress(OSError):
                file.close()

    def header(self, program: str, environment: list[str]) -> None:
        """Write the program and the environment, each with the separator that ends it."""
        self.line("\n".join([program + SEPARATOR, *environment, SEPARATOR]))

    def step(self, step: int, *, kind: str, loss: float, train_ms: float) -> None:
        """Write a loss."""
        self.line(step_line(step, self._steps, kind=kind, loss=loss, train_ms=train_ms))

    def line(self, text: str) -> None:
        """Write a line, for good."""
        try:
            self._file.write(text + "\n")
            self._file.flush()
        except OSError as error:
            raise _unwritable(self._path, error) from error


def _unwritable(path: Path, error: OSError) -> TrainerError:
    return TrainerError(
        f"the log cannot be written ({error.strerror})",
        where=str(path),
        remedy="free space there or choose a folder that can be written with --log-dir",
    )
