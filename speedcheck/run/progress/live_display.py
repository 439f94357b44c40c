"""What a person sees while the runs train: live bars on a terminal, plain lines elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console, Group
from rich.live import Live
from rich.progress import BarColumn, Progress, TaskID, TextColumn
from rich.text import Text

from speedcheck.logs import Run, StepLine
from speedcheck.report.wording import number
from speedcheck.run.progress.outlook import Pace, duration, loss_of, milliseconds, step_ms
from speedcheck.run.progress.plain_display import PlainDisplay, Tally


class LiveDisplay(PlainDisplay):
    """A bar for each run under way, one for all of them, and the tally below.

    Args:
        console: a terminal.
        tally: the losses so far.
        pace: the time that is left.
        logs: folder of the logs, whose finished runs the others are compared with.
        runs: the planned number of runs.
        steps: updates of one run; None until the first run says it.
    """

    def __init__(
        self,
        console: Console,
        tally: Tally,
        pace: Pace,
        logs: Path | None = None,
        *,
        runs: int,
        steps: int | None,
    ) -> None:
        super().__init__(console, tally, pace, logs)
        self._runs = runs
        self._steps = steps or 0
        self._ended = 0
        self._tasks: dict[int, TaskID] = {}
        self._bars = _bars(console, "{task.completed:.0f}/{task.total:.0f} {task.fields[shown]}")
        self._overall = _bars(console, "{task.fields[shown]}")
        self._all = self._overall.add_task("all     ", total=runs * self._steps, shown="")
        self._move_overall()

    def __rich__(self) -> Group:
        return Group(self._bars, self._overall, Text(self._tally.line()))

    def kept(self, runs: dict[int, Run]) -> None:
        """Begin with the runs of an earlier session."""
        super().kept(runs)
        self._ended = len(runs)
        self._move_overall()

    def started(self, seed: int, log: Path) -> None:  # noqa: ARG002 - the bar itself says it
        """Show a bar."""
        self._pace.start(seed)
        self._tasks[seed] = self._bars.add_task(f"seed {seed:3d}", total=self._steps, shown="-")

    def progressed(self, seed: int, line: StepLine) -> None:
        """Move the bar of the run, and the one of all runs."""
        if line.total and not self._steps:
            self._learn_steps(line.total)
        self._move(seed, line)
        self._bars.update(self._tasks[seed], completed=line.step, shown=self._shown(line))
        self._move_overall()

    def _shown(self, line: StepLine) -> str:
        """The same in few words, since the bar needs the room."""
        text = f"loss {number(loss_of(line), '.4f')}"
        if (difference := self._curve.difference(line)) is not None:
            text += f" ({difference:+.4f})"
        if (ms := step_ms(line)) is not None:
            text += f" {milliseconds(ms)} ms/step"
        return text

    def _learn_steps(self, steps: int) -> None:
        """Give the bars their lengths, which a foreign trainer says in its first line."""
        self._steps = steps
        self._overall.update(self._all, total=self._runs * steps)
        for task in self._tasks.values():
            self._bars.update(task, total=steps)

    def finished(self, seed: int, run: Run) -> None:
        """Replace the bar by the result."""
        self._take(seed, run)
        self._end(seed)

    def failed(self, seed: int, reason: str, last_lines: str) -> None:
        """Replace the bar by the reason and the last lines."""
        super().failed(seed, reason, last_lines)
        self._end(seed)

    def abandoned(self, seed: int) -> None:
        """Take the bar away."""
        super().abandoned(seed)
        self._end(seed)

    def interrupted(self, seed: int, reason: str) -> None:
        """Take the bar away until the run starts again."""
        super().interrupted(seed, reason)
        self._remove_bar(seed)

    def _end(self, seed: int) -> None:
        self._ended += 1
        self._remove_bar(seed)

    def _remove_bar(self, seed: int) -> None:
        task = self._tasks.pop(seed, None)
        if task is not None:
            self._bars.remove_task(task)
        self._move_overall()

    def _move_overall(self) -> None:
        done = sum(run.fraction for run in self._pace.under_way.values()) + self._ended
        left = duration(self._pace.seconds_left())
        self._overall.update(
            self._all,
            completed=done * self._steps,
            shown=f"{self._ended}/{self._runs} runs ended, {left} left",
        )


@contextmanager
def open_display(
    console: Console,
    *,
    runs: int,
    steps: int | None,
    target: float,
    logs: Path | None = None,
    evidence: Callable[[], str] | None = None,
) -> Iterator[PlainDisplay]:
    """Show the campaign on `console` for as long as the context lasts.

    Args:
        console: a terminal, or anything else.
        runs: the planned number of runs.
        steps: updates of one run; None where only the run says it.
        target: loss that the mean must be below, nats per token.
        logs: folder of the logs, whose finished runs the others are compared with.
        evidence: gives the evidence so far where a sequential campaign allows a look at it.
    """
    tally, pace = Tally(runs, target, evidence), Pace(runs)
    if not console.is_terminal:
        yield PlainDisplay(console, tally, pace, logs)
        return
    display = LiveDisplay(console, tally, pace, logs, runs=runs, steps=steps)
    with Live(display, console=console, transient=True, refresh_per_second=8):
        yield display


def _bars(console: Console, text: str) -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(bar_width=None), TextColumn(text))
    return Progress(*columns, console=console, expand=True)
