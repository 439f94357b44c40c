"""What the launchers of the bundled trainer on this machine share."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from speedcheck.records.overrides import NO_OVERRIDES, RecipeOverrides
from speedcheck.run.launchers.conditions import conditions
from speedcheck.run.launchers.launcher import Job, Process, Setup
from speedcheck.run.launchers.trainer_process import ask_trainer, data_options, environment_of


class TrainerLauncher(ABC):
    """Runs of the installed trainer, as processes that end when this one does.

    Args:
        data_dir: where the trainer keeps its data; None for the trainer's own choice.
    """

    def __init__(self, data_dir: Path | None = None) -> None:
        self._data = data_options(data_dir)

    def prepare(
        self,
        recipe: str,
        overrides: RecipeOverrides = NO_OVERRIDES,
        gpus_per_run: int | None = None,
    ) -> Setup:
        """Run `python -m trainer --prepare` and read the line that it prints."""
        return ask_trainer(recipe, overrides, self._data, gpus_per_run)

    def details(self, job: Job) -> Mapping[str, Any]:
        """Return the command and the conditions on this machine."""
        return conditions(self._command(job), environment_of(job))

    @abstractmethod
    def start(self, job: Job) -> Process:
        """Start the run as a process that ends when this one does."""

    @abstractmethod
    def close(self) -> None:
        """End what was kept for further runs."""

    def take_over(self, job: Job) -> Process | None:  # noqa: ARG002 - the seam's signature
        """Return None: what outlives its launcher is ended, not followed."""
        return None

    @abstractmethod
    def _command(self, job: Job) -> tuple[str, ...]:
        """Return the words that start the process."""
