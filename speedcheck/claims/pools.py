"""The runs that a claimed list may be of: the counted ones, all complete ones, or a part."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import PurePosixPath

from speedcheck.certificate import JudgedRun
from speedcheck.logs import Run, Validation

_MOST_PARTS = 8

Place = int | str | None
"""Where a loss stands in a log: at a step, in another field of the final line, or as its loss."""

_LOSS = re.compile(r"[0-9]{1,4}\.[0-9]{1,12}")


@dataclass(frozen=True, slots=True, eq=False)
class LoggedRun:
    """A complete run and what its log gives; equal to nothing but itself.

    Attributes:
        name: the log, and the run's index where the file holds several.
        run: the run.
        loss: its final loss, nats per token.
        time_ms: its training time, milliseconds.
        counted: whether it enters the statistics of the record.
        validations: its validations by their step.
    """

    name: str
    run: Run
    loss: float | None
    time_ms: float | None
    counted: bool
    validations: dict[int, Validation]

    def loss_at(self, place: Place) -> float | None:
        """Return the loss that stands at a place of the log."""
        if place is None or place == self.run.final_step:
            return self.loss
        if isinstance(place, str):
            text = self.run.final.extra.get(place, "") if self.run.final else ""
            return float(text) if _LOSS.fullmatch(text) else None
        validation = self.validations.get(place)
        return validation.loss if validation else None

    def is_alike(self, other: LoggedRun) -> bool:
        """Return whether both ran the same program, as far as their logs say, equally long."""
        mine, theirs = self.run, other.run
        return (mine.total_steps, mine.final_step, mine.source_sha256) == (
            theirs.total_steps,
            theirs.final_step,
            theirs.source_sha256,
        )


Pool = tuple[LoggedRun, ...]


@dataclass(frozen=True, slots=True)
class Pools:
    """The runs of a record as sets that a text may speak of.

    Attributes:
        counted: the runs that enter the statistics.
        everything: all complete runs of the folder, copies left out.
        parts: `everything` by program, length and subfolder, where there is more than one part;
            the largest ones.
    """

    counted: Pool
    everything: Pool
    parts: tuple[Pool, ...]

    def all(self) -> tuple[Pool, ...]:
        """Return the pools that hold a run, the likeliest first."""
        return tuple(pool for pool in (self.counted, self.everything, *self.parts) if pool)


def pools_of(runs: Iterable[tuple[Run, JudgedRun]]) -> Pools:
    """Sort the runs of a record into pools.

    Args:
        runs: each run of the logs with what was decided of it.
    """
    everything = tuple(_logged(run, judged) for run, judged in runs if _is_complete(run, judged))
    parts: dict[object, list[LoggedRun]] = {}
    for logged in everything:
        run = logged.run
        folder = PurePosixPath(run.log).parent
        key = (folder, run.total_steps, run.final_step, run.source_sha256)
        parts.setdefault(key, []).append(logged)
    largest = sorted(parts.values(), key=len, reverse=True)[:_MOST_PARTS]
    return Pools(
        counted=tuple(logged for logged in everything if logged.counted),
        everything=everything,
        parts=tuple(map(tuple, largest)) if len(parts) > 1 else (),
    )


def _is_complete(run: Run, judged: JudgedRun) -> bool:
    if judged.val_loss is None:
        return False
    return judged.counted or (bool(run.complete) and not judged.reason.startswith("a copy of"))


def _logged(run: Run, judged: JudgedRun) -> LoggedRun:
    name = run.log if run.index == 0 else f"{run.log} run {run.index}"
    validations = {validation.step: validation for validation in run.validations}
    return LoggedRun(name, run, judged.val_loss, judged.train_time_ms, judged.counted, validations)
