"""Who follows how a campaign goes: the seam between the campaign and its displays."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from speedcheck.logs import Run, StepLine


class Observer(Protocol):
    """Somebody who follows how the campaign goes."""

    def kept(self, runs: dict[int, Run]) -> None:
        """These runs, by seed, were finished in an earlier session."""
        ...

    def started(self, seed: int, log: Path) -> None:
        """A run was started."""
        ...

    def progressed(self, seed: int, line: StepLine) -> None:
        """A run has come to a new step."""
        ...

    def finished(self, seed: int, run: Run) -> None:
        """A run has ended with a result, be it a loss or a divergence."""
        ...

    def failed(self, seed: int, reason: str, last_lines: str) -> None:
        """A run has ended without a result."""
        ...

    def abandoned(self, seed: int) -> None:
        """A run was stopped because the campaign was."""
        ...

    def interrupted(self, seed: int, reason: str) -> None:
        """A run was interrupted and is to start again."""
        ...
