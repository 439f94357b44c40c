"""One run in a job array: how it goes, by the files that its task leaves and by squeue."""

from __future__ import annotations

import signal
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from speedcheck.errors import LaunchError
from speedcheck.records.log_names import next_log
from speedcheck.run.launchers.launcher import Ended, Job
from speedcheck.run.slurm.array import Array
from speedcheck.run.slurm.batch_files import STARTED, End, marker, read_end, read_start

# Often enough for people, seldom enough for a network folder with many runs.
LOOK_SECONDS = 0.5
# Slurm gives a task KillWait (30 s unless configured) to end.
STOP_SECONDS = 60.0
# A run that has started writes its program into the log before anything else.
LOG_SECONDS = 600.0


class Owner(Protocol):
    """What a run asks of its launcher."""

    def submit(self) -> None:
        """Submit the runs that wait for it."""
        ...

    def put_back(self, process: SlurmProcess) -> None:
        """Note that the run's task is in the queue again."""
        ...

    def cancel(self) -> None:
        """Cancel the tasks of doomed runs."""
        ...


class SlurmProcess:
    """A run in an array task.

    Args:
        job: the run.
        owner: the launcher.

    Attributes:
        place: its array and the number of its task; None until it is submitted.
        is_doomed: whether it was asked to end.
    """

    def __init__(self, job: Job, owner: Owner) -> None:
        self.job = job
        self.place: tuple[Array, int] | None = None
        self.is_doomed = False
        self._owner = owner
        self._end: int | Ended | None = None
        self._last_lines = ""
        self._next_look = 0.0
        self._started_seen: float | None = None
        self._log_missed = False

    @property
    def is_open(self) -> bool:
        """Return whether the run has not ended, as far as is known."""
        return self._end is None

    def poll(self) -> int | Ended | None:
        """Return the exit status, or how Slurm ended the run; None while it waits or goes on."""
        if self._end is None and time.monotonic() >= self._next_look:
            self._owner.submit()
            self._next_look = time.monotonic() + LOOK_SECONDS
            self._end = self._look()
        return self._end

    def terminate(self) -> None:
        """Doom the run; the launcher cancels all that are doomed at once."""
        self.is_doomed = self._end is None

    def stop(self) -> None:
        """Cancel what is doomed and wait until this run is over in Slurm."""
        if not self.is_doomed or self.place is None:
            return
        array, task = self.place
        try:
            self._owner.cancel()
        except LaunchError as error:
            array.say(f"{error}; cancel {array.name_of(task)} yourself")
            return
        self._await_end(array, task)

    def wrote(self, log: Path) -> bool:
        """Return whether the log is the run's own, as far as its task could say."""
        end = read_end(log)
        return end.wrote_log if end else marker(log, STARTED).exists()

    def last_lines(self) -> str:
        """Return the last lines of the trainer; "" where Slurm ended it."""
        return self._last_lines

    def details(self) -> Mapping[str, Any]:
        """Return the job and the nodes that had the run; nothing of one that never started."""
        return read_start(self.job.log)

    def _await_end(self, array: Array, task: int) -> None:
        limit = time.monotonic() + STOP_SECONDS
        array.since = time.monotonic()
        while not array.is_over(task):
            if time.monotonic() > limit:
                array.say(f"Slurm has not ended {array.name_of(task)} yet")
                return
            array.queue.hurry()
            time.sleep(LOOK_SECONDS)

    def _look(self) -> int | Ended | None:
        if self.place is None:
            return None
        log, (array, task) = self.job.log, self.place
        end = read_end(log)
        if end is not None:
            return self._settle(end, array, task)
        self._note_start(array, task)
        if marker(next_log(log), STARTED).exists() or self._is_waiting_again(array, task):
            self._owner.put_back(self)
            return Ended(f"Slurm put {array.name_of(task)} back into the queue", again=True)
        if not array.is_surely_over(task):
            return None
        return array.end_of(task, log)

    def _settle(self, end: End, array: Array, task: int) -> int | None:
        """Return the exit status; of a killed run, when Slurm has had time to say why."""
        if end.status == -signal.SIGKILL and array.is_about_to_say_why(task, self.job.seed):
            return None
        cause = array.cause_of(task) if end.status == -signal.SIGKILL else None
        self._last_lines = cause.text if cause and cause.is_memory else end.last_lines
        return end.status

    def _is_waiting_again(self, array: Array, task: int) -> bool:
        return self._started_seen is not None and array.is_waiting(task, self._started_seen)

    def _note_start(self, array: Array, task: int) -> None:
        if self._started_seen is None:
            if marker(self.job.log, STARTED).exists():
                self._started_seen = time.monotonic()
            return
        silent = time.monotonic() - self._started_seen
        if silent >= LOG_SECONDS and not self._log_missed and not self.job.log.exists():
            self._log_missed = True
            array.say(
                f"seed {self.job.seed} started in {array.name_of(task)} {silent:.0f} s ago and "
                f"has no log yet; see {array.batch.output(str(task))}"
            )
