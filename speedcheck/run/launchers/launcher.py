"""The seam between speedcheck and the machine that trains: one Launcher per way to run."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from speedcheck.records.overrides import NO_OVERRIDES, RecipeOverrides


@dataclass(frozen=True, slots=True)
class Setup:
    """What the trainer says of a recipe on this machine (`trainer --prepare`).

    Attributes:
        recipe: the recipe's name.
        device: "cpu" or "cuda".
        ranks: processes that train one run together.
        threads: CPU threads of each.
        steps: updates of one run; None for a foreign trainer, which says it when it runs.
        memory_mib: memory that one run needs, MiB.
        gpus: GPUs of the machine.
        timeout_s: a run that takes longer has hung, in seconds.
        overrides: what is changed in the recipe.
        gpus_per_run: GPUs of each run, where several share the machine; None for one run on all
            that it can use.
        queue: the batch system's queue that decides when runs start; "" for this machine.
    """

    recipe: str
    device: str
    ranks: int
    threads: int
    steps: int | None
    memory_mib: int
    gpus: int = 0
    timeout_s: float = math.inf
    overrides: RecipeOverrides = NO_OVERRIDES
    gpus_per_run: int | None = None
    queue: str = ""


@dataclass(frozen=True, slots=True)
class Job:
    """One run to train.

    Attributes:
        recipe: the recipe's name.
        seed: of the run.
        log: the file that the run is to create, in the folder `logs` of the record.
        ranks: processes that train it together.
        threads: CPU threads of each.
        overrides: what is changed in the recipe.
        slot: place among the runs that train side by side, from 0.
        gpus: numbers of the GPUs to use; empty for all that the ranks ask for.
        side_by_side: how many runs share the machine's GPUs.
    """

    recipe: str
    seed: int
    log: Path
    ranks: int
    threads: int
    overrides: RecipeOverrides = NO_OVERRIDES
    slot: int = 0
    gpus: tuple[int, ...] = ()
    side_by_side: int = 1

    @property
    def folder(self) -> Path:
        """Return the record folder."""
        return self.log.parent.parent


@dataclass(frozen=True, slots=True)
class Ended:
    """How a run ended that has no exit status.

    Attributes:
        reason: what ended it.
        again: whether the run was only interrupted and is to start again.
    """

    reason: str
    again: bool = False


class Process(Protocol):
    """A run that has been started."""

    def poll(self) -> int | Ended | None:
        """Return the exit status or what ended the run, or None while it goes on.

        Raises:
            LaunchError: the run has ended, and no run of this trainer can have a result.
        """
        ...

    def terminate(self) -> None:
        """Ask the run to end; return at once."""
        ...

    def stop(self) -> None:
        """Wait until the run is gone, with everything that it started; kill it if need be."""
        ...

    def wrote(self, log: Path) -> bool:
        """Return whether the run has made its log itself: a file may have come from elsewhere."""
        ...

    def last_lines(self) -> str:
        """Return the end of what the run printed outside its log."""
        ...

    def details(self) -> Mapping[str, Any]:
        """Return what the ledger notes of the run when it has ended, as JSON values."""
        ...


class Launcher(Protocol):
    """One way to run the trainer."""

    def prepare(
        self,
        recipe: str,
        overrides: RecipeOverrides = NO_OVERRIDES,
        gpus_per_run: int | None = None,
    ) -> Setup:
        """Make or check everything that the runs of `recipe` share.

        Args:
            recipe: its name.
            overrides: what is changed in it.
            gpus_per_run: for runs side by side; None for one run on as many GPUs as it can use.

        Raises:
            LaunchError: the recipe cannot be trained here.
        """
        ...

    def details(self, job: Job) -> Mapping[str, Any]:
        """Return what the ledger notes of a run before it starts, as JSON values."""
        ...

    def start(self, job: Job) -> Process:
        """Start one run.

        Raises:
            LaunchError: the process cannot be started.
        """
        ...

    def close(self) -> None:
        """End what was kept for further runs."""
        ...

    def take_over(self, job: Job) -> Process | None:
        """Return the process of a run that an earlier session left; None where there is none."""
        ...
