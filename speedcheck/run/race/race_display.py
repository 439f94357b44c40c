"""What a person sees while a race runs: the run under way, and what is decided so far."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.live import Live
from rich.text import Text

from speedcheck.logs import Run, StepLine
from speedcheck.races.race_plan import SideName
from speedcheck.races.race_result import RaceResult
from speedcheck.report.race_text import standing
from speedcheck.report.wording import number, printable


class RaceDisplay:
    """A line for each run and for each look; on a terminal also the step of the run under way.

    Args:
        console: where to print.
        pairs: the largest number of pairs.
    """

    def __init__(self, console: Console, pairs: int) -> None:
        self._console = console
        self._pairs = pairs
        self._who = ""
        self._step = ""

    def __rich__(self) -> Text:
        return Text(printable(f"{self._who}: {self._step}" if self._step else self._who))

    def warming_up(self, side: SideName) -> None:
        """Take note that the next run does not count."""
        self._who, self._step = f"warm-up {side.upper()}", ""

    def racing(self, side: SideName, pair: int) -> None:
        """Take note of whose run is next."""
        self._who, self._step = f"pair {pair + 1}/{self._pairs} {side.upper()}", ""

    def decided(self, result: RaceResult) -> None:
        """Say what is decided after whole blocks."""
        if result.test.looked_at:
            self._say(standing(result))

    def kept(self, runs: dict[int, Run]) -> None:
        """Nothing: the pairs of an earlier session are in what is decided."""

    def started(self, seed: int, log: Path) -> None:
        """Nothing: the end of a run says enough."""

    def progressed(self, seed: int, line: StepLine) -> None:  # noqa: ARG002 - an Observer
        """Show the step."""
        loss = line.val_loss if line.val_loss is not None else line.train_loss
        total = "" if line.total is None else f"/{line.total}"
        self._step = f"step {line.step}{total} loss {number(loss, '.4f')}"

    def finished(self, seed: int, run: Run) -> None:  # noqa: ARG002 - an Observer
        """Say the time and the loss."""
        seconds = None if run.train_time_ms is None else run.train_time_ms / 1000
        loss = "diverged" if run.diverged else f"val_loss {number(run.val_loss, '.4f')}"
        self._say(f"{self._who}: {number(seconds, '.3f')} s, {loss}")

    def failed(self, seed: int, reason: str, last_lines: str) -> None:  # noqa: ARG002 - an Observer
        """Say why, and show the last lines that the run printed."""
        self._say(f"{self._who}: failed, {reason}")
        for text in last_lines.splitlines():
            self._say(f"    {text}")

    def interrupted(self, seed: int, reason: str) -> None:  # noqa: ARG002 - an Observer
        """Say that the run starts again."""
        self._say(f"{self._who}: interrupted, {reason}")

    def abandoned(self, seed: int) -> None:  # noqa: ARG002 - an Observer
        """Say that the run was stopped."""
        self._say(f"{self._who}: abandoned")

    def _say(self, text: str) -> None:
        self._console.print(Text(printable(text)), soft_wrap=True)


@contextmanager
def open_race_display(console: Console, pairs: int) -> Iterator[RaceDisplay]:
    """Show a race on `console` for as long as the context lasts."""
    display = RaceDisplay(console, pairs)
    if not console.is_terminal:
        yield display
        return
    with Live(display, console=console, transient=True, refresh_per_second=4):
        yield display
