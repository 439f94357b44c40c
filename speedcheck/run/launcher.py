"""The seam between speedcheck and the machine that trains: one Launcher per way to run."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Setup:
    """What the trainer says of a recipe on this machine (`trainer --prepare`).

    Attributes:
        recipe: the recipe's name.
        device: "cpu" or "cuda".
        ranks: processes that train one run together.
        threads: CPU threads of each.
        steps: updates of one run.
        memory_mib: memory that one run needs, MiB.
        queue: the batch system's queue that decides when runs start; "" for this machine.
    """

    recipe: str
    device: str
    ranks: int
    threads: int
    steps: int
    memory_mib: int
    queue: str = ""


@dataclass(frozen=True, slots=True)
class Job:
    """One run to train: its seed and the log that it is to create."""

    recipe: str
    seed: int
    log: Path
    ranks: int
    threads: int


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
        """Return the exit status or what ended the run, or None while it goes on."""
        ...

    def terminate(self) -> None:
        """Ask the run to end; return at once."""
        ...

    def stop(self) -> None:
        """Wait until the run is gone, with everything that it started; kill it if need be."""
        ...

    def last_lines(self) -> str:
        """Return the end of what the run printed outside its log."""
        ...


class Launcher(Protocol):
    """One way to run the trainer."""

    def prepare(self, recipe: str) -> Setup:
        """Make or check everything that the runs of `recipe` share.

        Raises:
            LaunchError: the recipe cannot be trained here.
        """
        ...

    def start(self, job: Job, *, lock: int) -> Process:
        """Start one run; the process inherits the file descriptor `lock`.

        Raises:
            LaunchError: the process cannot be started.
        """
        ...

    def take_over(self, job: Job) -> Process | None:
        """Return the process of a run that an earlier session left; None where there is none."""
        ...
