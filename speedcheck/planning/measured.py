"""What the runs that are there already say about the next ones."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from speedcheck.checks.beside_baseline import losses_of, times_of
from speedcheck.comparison.sides import Side, read_side
from speedcheck.errors import InputError
from speedcheck.records.record_folder import Record
from speedcheck.rules.rule import Overrides, Rule
from speedcheck.stats.moments import Moments, moments


@dataclass(frozen=True, slots=True)
class Measured:
    """The figures of a folder.

    Attributes:
        record: the record in it.
        rule: its rule.
        losses: final losses in the order of the seeds; of the logs where not all have one.
        loss: their mean and spread.
        time_sd: standard deviation of the times in seconds; None without one.
        gpu_hours_per_run: mean training time by the number of GPUs; None where the logs do not
            say both.
    """

    record: Record
    rule: Rule
    losses: tuple[float, ...]
    loss: Moments
    time_sd: float | None
    gpu_hours_per_run: float | None


def measure(folder: Path, overrides: Overrides) -> Measured:
    """Read the counted runs of the record in `folder`.

    Raises:
        InputError: no record is there, several are, no run counts, or one has no finite loss.
    """
    side = read_side(folder, overrides)
    losses = _in_order(side)
    found = moments(losses)
    if found.mean is None:
        raise InputError(
            "a counted run diverged, so that the losses have no mean",
            where=str(folder),
            remedy="give --mean and --sd instead",
        )
    times = moments(times_of(side.sample))
    hours = _gpu_hours(side, times.mean)
    return Measured(side.sample.record, side.rule, losses, found, times.std, hours)


def _in_order(side: Side) -> tuple[float, ...]:
    losses = losses_of(side.sample)
    seeds = [judged.seed for judged in side.sample.judged if judged.counted]
    known = [seed for seed in seeds if seed is not None]
    if len(set(known)) < len(losses):
        return tuple(losses)
    return tuple(loss for _, loss in sorted(zip(known, losses, strict=True)))


def _gpu_hours(side: Side, mean_s: float | None) -> float | None:
    n_gpus = {run.environment.n_gpus for run, _ in side.sample.counted()}
    known = n_gpus.pop() if len(n_gpus) == 1 else None
    return mean_s / 3600 * known if known and mean_s else None
