"""A job array as its launcher sees it: the states of its tasks, and what is odd about them."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from speedcheck.run.launchers.launcher import Ended
from speedcheck.run.slurm.batch_files import Batch
from speedcheck.run.slurm.causes import Cause, find_cause
from speedcheck.run.slurm.commands import cancel_name, cancel_tasks, final_state
from speedcheck.run.slurm.queue import OVER, WAITING, Queue, TaskState

# A network folder may hide a new file for a minute from those who have looked for it before.
GRACE_SECONDS = 60.0
# A task begins with its sign of life: by then the folder is not the one that we see.
HERE_SECONDS = 180.0
# Why tasks wait in the normal course of things.
_ORDINARY = frozenset(
    {
        "BeginTime",
        "Cleaning",
        "Dependency",
        "JobArrayTaskLimit",
        "None",
        "Priority",
        "Reservation",
        "Resources",
    }
)


@dataclass(slots=True)
class Array:
    """A job array.

    Attributes:
        batch: its runs.
        queue: asks squeue.
        say: tells the user something.
        taken_over: whether an earlier session submitted it.
        id: its id in Slurm; "" until that is known.
        since: from when on squeue must know it, by the monotonic clock, in seconds.
    """

    batch: Batch
    queue: Queue
    say: Callable[[str], None]
    taken_over: bool
    id: str = ""
    since: float = field(default_factory=time.monotonic)
    _told: set[str] = field(default_factory=set)
    _alive: set[int] = field(default_factory=set)
    _running_since: dict[int, float] = field(default_factory=dict)
    _over_since: dict[int, float] = field(default_factory=dict)
    _killed_since: dict[int, float] = field(default_factory=dict)

    def name_of(self, task: int) -> str:
        """Return what people call a task."""
        return f"task {self.id or self.batch.name}_{task}"

    def state(self, task: int) -> TaskState | None:
        """Return the newest state of a task; None where squeue does not show it."""
        snapshot = self.queue.look()
        state = snapshot.tasks.get((self.batch.name, task)) if snapshot else None
        if state is not None:
            self.id = self.id or state.array
            self._notice(task, state)
        return state

    def is_waiting(self, task: int, since: float) -> bool:
        """Return whether squeue, asked later than `since`, says that the task waits."""
        snapshot, state = self.queue.look(), self.state(task)
        return (
            snapshot is not None
            and state is not None
            and snapshot.asked > since
            and state.state in WAITING
        )

    def is_over(self, task: int) -> bool:
        """Return whether the task has ended, as far as squeue was asked since its submission."""
        snapshot = self.queue.look()
        if snapshot is None or snapshot.asked < self.since:
            return False
        state = self.state(task)
        return state is None or state.state in OVER

    def is_surely_over(self, task: int) -> bool:
        """Return whether the task has been over for so long that its files must be here."""
        now = time.monotonic()
        if not self.is_over(task):
            self._over_since.pop(task, None)
            return False
        return now - self._over_since.setdefault(task, now) >= GRACE_SECONDS

    def is_about_to_say_why(self, task: int, seed: int) -> bool:
        """Return whether Slurm is to say in a moment why the run of `seed` was killed.

        It does so when the task ends, which is at once after the task's last run.
        """
        if seed != self.batch.tasks[task][-1].seed or self.is_over(task):
            return False
        now = time.monotonic()
        if task not in self._killed_since:
            self._killed_since[task] = now
            self.queue.hurry()
        return now - self._killed_since[task] < GRACE_SECONDS

    def cause_of(self, task: int) -> Cause | None:
        """Return why Slurm ended a task; None where that is not known."""
        return find_cause(self._final_state(task), self.batch.output(str(task)))

    def end_of(self, task: int, log: Path) -> Ended:
        """Return how the run of `log` ended, whose task is over and left no exit status of it."""
        state = self._final_state(task)
        cause = find_cause(state, self.batch.output(str(task)))
        is_from_before = self.taken_over and task not in self._alive
        if cause is None:
            return Ended(self._unexplained(task, state), again=is_from_before)
        if cause.is_memory and self.batch.ended_before(task, log):
            # Not this run's fault. Each array tries one run more, so that this comes to an end.
            why = f"Slurm ended {self.name_of(task)} before this run began: {cause.text}"
            return Ended(why, again=True)
        return Ended(f"Slurm ended {self.name_of(task)}: {cause.text}", again=is_from_before)

    def _final_state(self, task: int) -> str:
        shown = self.state(task)
        return shown.state if shown else final_state(self.batch.name, task)

    def _unexplained(self, task: int, state: str) -> str:
        known = f"Slurm says {state}" if state else "Slurm does not know it any more"
        what = f"{self.name_of(task)} left no exit status, {known}"
        if not self.batch.here(task).exists():
            return f"{what}; nothing came into {self.batch.folder}: do the nodes see it?"
        return f"{what}; see {self.batch.output(str(task))}, and whether the disk is full"

    def cancel(self, tasks: set[int]) -> None:
        """Cancel these tasks.

        Raises:
            LaunchError: scancel fails.
        """
        if self.id:
            cancel_tasks(f"{self.id}_{task}" for task in sorted(tasks))
        else:
            cancel_name(self.batch.name)
        self.queue.hurry()

    def _notice(self, task: int, state: TaskState) -> None:
        if state.state not in OVER:
            self._alive.add(task)
        if state.state in WAITING and state.reason.strip("()") not in _ORDINARY:
            self._tell(f"Slurm lets {self.name_of(task)} wait: {state.reason}", state.reason)
        if state.state != "RUNNING":
            return
        now = time.monotonic()
        running = now - self._running_since.setdefault(task, now)
        if running >= HERE_SECONDS and not self.batch.here(task).exists():
            self._tell(
                f"{self.name_of(task)} has run on {state.node} for {running:.0f} s, and nothing "
                f"came into {self.batch.folder}: does that node see the folder?",
                state.node,
            )

    def _tell(self, what: str, about: str) -> None:
        if about not in self._told:
            self._told.add(about)
            self.say(what)
