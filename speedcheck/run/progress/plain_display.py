"""One line for each event of a campaign: for files, pipes and CI."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from rich.console import Console
from rich.text import Text

from speedcheck.logs import Run, StepLine
from speedcheck.report.wording import number, printable
from speedcheck.run.campaign.follow import LogFollower
from speedcheck.run.progress.outlook import Curve, Pace, duration, loss_of, milliseconds, step_ms
from speedcheck.stats import one_sample_t


class Tally:
    """The losses so far, and what they come to.

    Args:
        runs: the planned number of runs.
        target: loss that the mean must be below, nats per token.
        evidence: gives the evidence so far where a sequential campaign allows a look at it.
    """

    def __init__(self, runs: int, target: float, evidence: Callable[[], str] | None = None) -> None:
        self._runs = runs
        self._target = target
        self._evidence = evidence
        self._losses: list[float] = []

    @property
    def may_stop(self) -> bool:
        """Return whether the campaign may stop before all its runs are made."""
        return self._evidence is not None

    def add(self, run: Run) -> None:
        """Take in a finished run."""
        if run.val_loss is not None:
            self._losses.append(float("nan") if run.diverged else run.val_loss)

    def line(self) -> str:
        """Return number, mean and sd of the runs that have finished.

        No p-value where their number is fixed: the test is run once, on all planned runs, and a
        look at it invites stopping.
        """
        test = one_sample_t(self._losses, self._target)
        line = (
            f"{test.n}/{self._runs} runs: mean {number(test.mean, '.4f')}, "
            f"sd {number(test.std, '.4f')} (target {self._target:g})"
        )
        return line if self._evidence is None else f"{line}; {self._evidence()}"


class PlainDisplay:
    """One line for each event; for files, pipes and CI.

    Args:
        console: where to print.
        tally: the losses so far.
        pace: the time that is left.
        logs: folder of the logs, whose finished runs the others are compared with.
    """

    def __init__(
        self, console: Console, tally: Tally, pace: Pace, logs: Path | None = None
    ) -> None:
        self._console = console
        self._tally = tally
        self._pace = pace
        self._logs = logs
        self._curve = Curve()

    def kept(self, runs: dict[int, Run]) -> None:
        """Say which runs an earlier session has finished."""
        self._pace.keep(len(runs))
        for run in runs.values():
            self._count(run)
        self._say(f"finished before: seeds {', '.join(map(str, runs))}")
        self._say(self._tally.line())

    def started(self, seed: int, log: Path) -> None:
        """Say which run starts."""
        self._pace.start(seed)
        self._say(f"seed {seed}: started, {log.name}")

    def progressed(self, seed: int, line: StepLine) -> None:
        """Say the loss at each validation, and nothing between them."""
        self._move(seed, line)
        if line.val_loss is not None:
            self._say(f"seed {seed}: step {line.step}/{line.total} val_loss {self._shown(line)}")

    def finished(self, seed: int, run: Run) -> None:
        """Say the result, and what all results come to."""
        self._take(seed, run)
        is_open = not (self._pace.is_over or self._tally.may_stop)
        left = f", about {duration(self._pace.seconds_left())} left" if is_open else ""
        self._say(self._tally.line() + left)

    def failed(self, seed: int, reason: str, last_lines: str) -> None:
        """Say why, and show what the run printed last, unless the reason says all of it."""
        self._pace.end(seed, finished=False)
        self._say(f"seed {seed}: failed, {reason}")
        lines = last_lines.splitlines()
        if len(lines) != 1 or lines[0].strip() not in reason:
            for text in lines:
                self._say(f"    {text}")

    def abandoned(self, seed: int) -> None:
        """Say that the run was stopped."""
        self._pace.end(seed, finished=False)
        self._say(f"seed {seed}: abandoned")

    def interrupted(self, seed: int, reason: str) -> None:
        """Say why the run starts again."""
        self._pace.put_back(seed)
        self._say(f"seed {seed}: interrupted, {reason}")

    def _move(self, seed: int, line: StepLine) -> None:
        run = self._pace.under_way.get(seed)
        if run is not None and line.total:
            run.fraction = min(1.0, line.step / line.total)

    def _take(self, seed: int, run: Run) -> None:
        """Take in the result and the curve of a run, and say its result."""
        self._pace.end(seed, finished=True)
        self._count(run)
        self._say(_result(seed, run))

    def _count(self, run: Run) -> None:
        self._tally.add(run)
        if self._logs is not None:
            self._curve.add(LogFollower(self._logs / run.log).new())

    def _shown(self, line: StepLine) -> str:
        """The loss, what the finished runs had at this step, and the time of a step."""
        text = number(loss_of(line), ".4f")
        if (difference := self._curve.difference(line)) is not None:
            text += f" ({difference:+.4f} against {self._curve.runs} finished)"
        if (ms := step_ms(line)) is not None:
            text += f", {milliseconds(ms)} ms a step"
        return text

    def _say(self, text: str) -> None:
        self._console.print(Text(printable(text)), soft_wrap=True)


def _result(seed: int, run: Run) -> str:
    seconds = None if run.train_time_ms is None else run.train_time_ms / 1000
    loss = "diverged" if run.diverged else f"val_loss {number(run.val_loss, '.4f')}"
    return f"seed {seed}: finished, {loss} in {number(seconds, '.1f')} s"
