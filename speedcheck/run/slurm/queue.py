"""Slurm's queue as squeue shows it: asked seldom, never waited for, and trusted only when fresh."""

from __future__ import annotations

import os
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import IO

from speedcheck.errors import LaunchError
from speedcheck.run.slurm.commands import ANSWER_SECONDS, complaint

INTERVAL_VARIABLE = "SPEEDCHECK_SQUEUE_SECONDS"
# The files of the record folder say first how a run goes; administrators dislike a busy squeue.
INTERVAL_SECONDS = 15.0
# A controller that restarts is away for less.
SILENCE_SECONDS = 60.0

# A state that this list does not know is taken for one of a task that goes on.
OVER = frozenset(
    {
        "BOOT_FAIL",
        "CANCELLED",
        "COMPLETED",
        "DEADLINE",
        "FAILED",
        "LAUNCH_FAILED",
        "NODE_FAIL",
        "OUT_OF_MEMORY",
        "PREEMPTED",
        "RECONFIG_FAIL",
        "REVOKED",
        "TIMEOUT",
    }
)
WAITING = frozenset(
    {"PENDING", "REQUEUED", "REQUEUE_FED", "REQUEUE_HOLD", "RESV_DEL_HOLD", "SPECIAL_EXIT"}
)

_FORMAT = "%j|%F|%K|%T|%r|%N"


@dataclass(frozen=True, slots=True)
class TaskState:
    """What squeue says of an array task: the array's id, state, why it waits, where it runs."""

    array: str
    state: str
    reason: str
    node: str


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One answer of squeue.

    Attributes:
        asked: when squeue was asked, by the monotonic clock, in seconds.
        tasks: every task that it knows, by the array's name and the number.
    """

    asked: float
    tasks: Mapping[tuple[str, int], TaskState]


class Queue:
    """Asks squeue about the arrays of a campaign.

    Args:
        say: tells the user something.

    Raises:
        LaunchError: the interval that the user asks for is not a number of seconds.
    """

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._interval = _interval()
        self._names: list[str] = []
        self._question: _Question | None = None
        self._newest: Snapshot | None = None
        self._next = 0.0
        self._silent_since: float | None = None
        self._silence_told = False

    def watch(self, name: str) -> None:
        """Ask about this array too, from now on."""
        self._names.append(name)
        self.hurry()

    def hurry(self) -> None:
        """Ask as soon as possible: something has happened."""
        self._next = 0.0

    def look(self) -> Snapshot | None:
        """Return the newest answer, None before the first; ask again where it is old."""
        now = time.monotonic()
        if self._question is None and self._names and now >= self._next:
            self._next = now + self._interval
            self._question = _Question(self._names)
        elif self._question is not None and self._question.is_answered():
            self._take(self._question)
            self.close()
        return self._newest

    def close(self) -> None:
        """Ask no more."""
        if self._question is not None:
            self._question.close()
            self._question = None

    def _take(self, question: _Question) -> None:
        tasks = question.answer()
        if tasks is None:
            self._suffer(question.trouble())
            return
        if self._silence_told:
            self._say("squeue answers again")
        self._silent_since, self._silence_told = None, False
        self._newest = Snapshot(question.asked, tasks)

    def _suffer(self, trouble: str) -> None:
        now = time.monotonic()
        self._silent_since = self._silent_since or now
        silence = now - self._silent_since
        if silence >= SILENCE_SECONDS and not self._silence_told:
            self._say(f"squeue has failed for {silence:.0f} s ({trouble}); the runs go on")
            self._silence_told = True


class _Question:
    """One call of squeue that nobody waits for."""

    def __init__(self, names: list[str]) -> None:
        self.asked = time.monotonic()
        self._output: IO[str] = tempfile.TemporaryFile("w+")  # noqa: SIM115 - closed when answered
        self._errors: IO[str] = tempfile.TemporaryFile("w+")  # noqa: SIM115 - closed when answered
        self._process: subprocess.Popen[bytes] | None = None
        self._why_not = ""
        # By name, not by id: an id that Slurm has forgotten is an error.
        command = ("squeue", "--noheader", "--array", "--states=all", f"--name={','.join(names)}")
        try:
            self._process = subprocess.Popen(
                (*command, f"--format={_FORMAT}"),
                stdin=subprocess.DEVNULL,
                stdout=self._output,
                stderr=self._errors,
                start_new_session=True,
            )
        except OSError as error:
            self._why_not = error.strerror or str(error)

    def is_answered(self) -> bool:
        if self._process is None or self._process.poll() is not None:
            return True
        if time.monotonic() - self.asked < ANSWER_SECONDS:
            return False
        self._end()
        return True

    def close(self) -> None:
        """Forget the question, answered or not."""
        self._end()
        self._output.close()
        self._errors.close()

    def _end(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def answer(self) -> dict[tuple[str, int], TaskState] | None:
        """Return the tasks; None where squeue has failed."""
        if self._process is None or self._process.returncode:
            return None
        self._output.seek(0)
        return _parse(self._output.read())

    def trouble(self) -> str:
        self._errors.seek(0)
        return self._why_not or complaint(self._errors.read()) or "it does not answer"


def _parse(printed: str) -> dict[tuple[str, int], TaskState] | None:
    """Return the tasks of the lines `NAME|12|3|RUNNING|None|node1`; None where none is one."""
    tasks = {}
    for line in printed.splitlines():
        name, array, number, state, reason, node = [*line.strip().split("|"), *[""] * 6][:6]
        if number.isdecimal():
            tasks[name, int(number)] = TaskState(array, state, reason, node)
    return tasks if tasks or not printed.strip() else None


def _interval() -> float:
    text = os.environ.get(INTERVAL_VARIABLE, "")
    try:
        seconds = float(text or INTERVAL_SECONDS)
    except ValueError:
        seconds = -1.0
    if seconds > 0:  # which NaN is not
        return seconds
    raise LaunchError(
        f"{text!r} is not a number of seconds", where=INTERVAL_VARIABLE, remedy="give one such as 5"
    )
