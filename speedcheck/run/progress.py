"""What a person sees while the runs train: live bars on a terminal, plain lines elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console, Group
from rich.live import Live
from rich.progress import (
    BarColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from speedcheck.logs import Run, StepLine
from speedcheck.report.text import number, printable
from speedcheck.stats import one_sample_t


class Tally:
    """The losses so far, and what they come to.

    Args:
        runs: the planned number of runs.
        target: loss that the mean must be below, nats per token.
    """

    def __init__(self, runs: int, target: float) -> None:
        self._runs = runs
        self._target = target
        self._losses: list[float] = []

    def add(self, run: Run) -> None:
        """Take in a finished run."""
        if run.val_loss is not None:
            self._losses.append(float("nan") if run.diverged else run.val_loss)

    def line(self) -> str:
        """Return number, mean and sd of the runs that have finished.

        No p-value: the test is run once, on all planned runs, and a look at it invites stopping.
        """
        test = one_sample_t(self._losses, self._target)
        return (
            f"{test.n}/{self._runs} runs: mean {number(test.mean, '.4f')}, "
            f"sd {number(test.std, '.4f')} (target {self._target:g})"
        )


class PlainDisplay:
    """One line for each event; for files, pipes and CI.

    Args:
        console: where to print.
        tally: the losses so far.
    """

    def __init__(self, console: Console, tally: Tally) -> None:
        self._console = console
        self._tally = tally

    def kept(self, runs: dict[int, Run]) -> None:
        """Say which runs an earlier session has finished."""
        for run in runs.values():
            self._tally.add(run)
        self._say(f"finished before: seeds {', '.join(map(str, runs))}")
        self._say(self._tally.line())

    def started(self, seed: int, log: Path) -> None:
        """Say which run starts."""
        self._say(f"seed {seed}: started, {log.name}")

    def progressed(self, seed: int, line: StepLine) -> None:
        """Say the loss at each validation, and nothing between them."""
        if line.val_loss is not None:
            self._say(f"seed {seed}: step {line.step}/{line.total} val_loss {line.val_loss:.4f}")

    def finished(self, seed: int, run: Run) -> None:
        """Say the result, and what all results come to."""
        self._tally.add(run)
        self._say(_result(seed, run))
        self._say(self._tally.line())

    def failed(self, seed: int, reason: str, last_lines: str) -> None:
        """Say why, and show the last lines that the run printed."""
        self._say(f"seed {seed}: failed, {reason}")
        for text in last_lines.splitlines():
            self._say(f"    {text}")

    def abandoned(self, seed: int) -> None:
        """Say that the run was stopped."""
        self._say(f"seed {seed}: abandoned")

    def _say(self, text: str) -> None:
        self._console.print(Text(printable(text)), soft_wrap=True)


class LiveDisplay(PlainDisplay):
    """A bar for each run under way, one for all of them, and the tally below.

    Args:
        console: a terminal.
        tally: the losses so far.
        runs: the planned number of runs.
        steps: updates of one run; None until the first run says it.
    """

    def __init__(self, console: Console, tally: Tally, *, runs: int, steps: int | None) -> None:
        super().__init__(console, tally)
        self._runs = runs
        self._steps = steps or 0
        self._ended = 0
        self._tasks: dict[int, TaskID] = {}
        self._kept = 0
        self._bars = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=None),
            TextColumn("step {task.completed:.0f}/{task.total:.0f} loss {task.fields[loss]}"),
            TimeRemainingColumn(),
            TextColumn("left"),
            console=console,
            expand=True,
        )
        self._overall = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=None),
            TextColumn("{task.fields[ended]} runs ended"),
            TimeRemainingColumn(),
            TextColumn("left"),
            console=console,
            expand=True,
        )
        self._all = self._overall.add_task("all     ", total=runs * self._steps, ended=f"0/{runs}")

    def __rich__(self) -> Group:
        return Group(self._bars, self._overall, Text(self._tally.line()))

    def kept(self, runs: dict[int, Run]) -> None:
        """Leave the runs of an earlier session out of the bar, whose speed is that of this one."""
        super().kept(runs)
        self._ended = self._kept = len(runs)
        self._overall.reset(self._all, total=(self._runs - self._kept) * self._steps)
        self._move_overall()

    def started(self, seed: int, log: Path) -> None:  # noqa: ARG002 - the bar itself says it
        """Show a bar."""
        task = self._bars.add_task(f"seed {seed:3d}", total=self._steps, loss="-")
        self._tasks[seed] = task

    def progressed(self, seed: int, line: StepLine) -> None:
        """Move the bar of the run, and the one of all runs."""
        if line.total and not self._steps:
            self._steps = line.total
            self._overall.update(self._all, total=(self._runs - self._kept) * line.total)
            for task in self._tasks.values():
                self._bars.update(task, total=line.total)
        loss = line.val_loss if line.val_loss is not None else line.train_loss
        self._bars.update(self._tasks[seed], completed=line.step, loss=number(loss, ".4f"))
        self._move_overall()

    def finished(self, seed: int, run: Run) -> None:
        """Replace the bar by the result."""
        self._tally.add(run)
        self._say(_result(seed, run))
        self._end(seed)

    def failed(self, seed: int, reason: str, last_lines: str) -> None:
        """Replace the bar by the reason and the last lines."""
        super().failed(seed, reason, last_lines)
        self._end(seed)

    def abandoned(self, seed: int) -> None:
        """Take the bar away."""
        super().abandoned(seed)
        self._end(seed)

    def _end(self, seed: int) -> None:
        task = self._tasks.pop(seed, None)
        if task is not None:
            self._bars.remove_task(task)
        self._ended += 1
        self._move_overall()

    def _move_overall(self) -> None:
        under_way = sum(task.completed for task in self._bars.tasks)
        self._overall.update(
            self._all,
            completed=(self._ended - self._kept) * self._steps + under_way,
            ended=f"{self._ended}/{self._runs}",
        )


@contextmanager
def open_display(
    console: Console, *, runs: int, steps: int | None, target: float
) -> Iterator[PlainDisplay]:
    """Show the campaign on `console` for as long as the context lasts."""
    tally = Tally(runs, target)
    if not console.is_terminal:
        yield PlainDisplay(console, tally)
        return
    display = LiveDisplay(console, tally, runs=runs, steps=steps)
    with Live(display, console=console, transient=True, refresh_per_second=8):
        yield display


def _result(seed: int, run: Run) -> str:
    seconds = None if run.train_time_ms is None else run.train_time_ms / 1000
    loss = "diverged" if run.diverged else f"val_loss {number(run.val_loss, '.4f')}"
    return f"seed {seed}: finished, {loss} in {number(seconds, '.1f')} s"
