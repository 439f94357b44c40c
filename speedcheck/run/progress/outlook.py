"""How far a campaign has come: how long it still takes, and how its losses compare so far."""

from __future__ import annotations

import heapq
import math
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from speedcheck.logs import StepLine

_Moment = tuple[int, bool]


class Curve:
    """The losses of the finished runs, step by step.

    Every run reads the same tokens at a step, so that losses of one step compare, those of training
    too.
    """

    def __init__(self) -> None:
        self.runs = 0
        self._losses: dict[_Moment, list[float]] = defaultdict(list)

    def add(self, lines: Iterable[StepLine]) -> None:
        """Take in all step lines of a finished run."""
        self.runs += 1
        for line in lines:
            loss = loss_of(line)
            if loss is not None and math.isfinite(loss):
                self._losses[_moment(line)].append(loss)

    def difference(self, line: StepLine) -> float | None:
        """Return the loss minus the mean of the finished runs at this step, nats per token."""
        loss, others = loss_of(line), self._losses.get(_moment(line))
        return loss - math.fsum(others) / len(others) if loss is not None and others else None


@dataclass(slots=True)
class _UnderWay:
    since: float
    fraction: float = 0.0


class Pace:
    """How long the campaign still takes, from how long its runs have taken in this session.

    Args:
        runs: the planned number of runs.
        clock: seconds that never go backwards.
    """

    def __init__(self, runs: int, clock: Callable[[], float] = time.monotonic) -> None:
        self.under_way: dict[int, _UnderWay] = {}
        self._waiting = runs
        self._clock = clock
        self._slots = 1
        self._taken: list[float] = []

    def keep(self, runs: int) -> None:
        """Leave out the runs of an earlier session, whose times are unknown."""
        self._waiting -= runs

    def start(self, seed: int) -> None:
        """A run has started."""
        self._waiting -= 1
        self.under_way[seed] = _UnderWay(self._clock())
        self._slots = max(self._slots, len(self.under_way))

    def end(self, seed: int, *, finished: bool) -> None:
        """A run has ended; its time counts if it came to its end."""
        run = self.under_way.pop(seed, None)
        if run is not None and finished:
            self._taken.append(self._clock() - run.since)

    def put_back(self, seed: int) -> None:
        """A run is to start again."""
        if self.under_way.pop(seed, None) is not None:
            self._waiting += 1

    @property
    def is_over(self) -> bool:
        """Return whether no run is under way or waits."""
        return not self.under_way and self._waiting < 1

    def seconds_left(self) -> float | None:
        """Return how long it still takes; None while nothing tells."""
        run_seconds = self._run_seconds()
        if run_seconds is None:
            return None
        fractions = [run.fraction for run in self.under_way.values()]
        return seconds_left(run_seconds, fractions, waiting=self._waiting, slots=self._slots)

    def _run_seconds(self) -> float | None:
        if self._taken:
            return sum(self._taken) / len(self._taken)
        now = self._clock()
        going = [
            (now - run.since) / run.fraction for run in self.under_way.values() if run.fraction
        ]
        return max(going, default=None)


def loss_of(line: StepLine) -> float | None:
    """Return the loss that a line gives: of the validation, else of the training step."""
    return line.val_loss if line.val_loss is not None else line.train_loss


def step_ms(line: StepLine) -> float | None:
    """Return the timed milliseconds a step so far; None before the first."""
    return line.train_time_ms / line.step if line.train_time_ms and line.step else None


def milliseconds(ms: float) -> str:
    """Return the time of a step with 3 digits at least: "9.81", "98.1", "981", "9810"."""
    return f"{ms:.{max(0, 2 - int(math.log10(max(ms, 1))))}f}"


def seconds_left(
    run_seconds: float, fractions: Sequence[float], *, waiting: int, slots: int
) -> float:
    """Return how long a campaign still takes, in seconds.

    Args:
        run_seconds: what a run takes.
        fractions: of the runs under way, how much each has done, from 0 to 1.
        waiting: runs that have not started; each takes the first slot that is free.
        slots: runs at one time, at least one.
    """
    ends = [(1 - fraction) * run_seconds for fraction in fractions]
    ends += [0.0] * (slots - len(ends))
    heapq.heapify(ends)
    for _ in range(waiting):
        heapq.heapreplace(ends, ends[0] + run_seconds)
    return max(ends)


def duration(seconds: float | None) -> str:
    """Return a time for people: "40 s", "12 min", "3 h 05 min"; "-" where it is unknown."""
    if seconds is None:
        return "-"
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes <= 90 else f"{minutes // 60} h {minutes % 60:02} min"


def _moment(line: StepLine) -> _Moment:
    return line.step, line.val_loss is not None
