"""Compare two records by the evidence in their folders."""

from __future__ import annotations

from pathlib import Path

from speedcheck.checks.beside_baseline import (
    different_hardware,
    hardware_of,
    host_of,
    hosts_of,
    losses_of,
    times_in_turn,
    times_of,
)
from speedcheck.checks.measurement import shared_gpus
from speedcheck.checks.systems_loss import loss_curves
from speedcheck.comparison.outcome import basis_of, by_loss, by_steps, by_time
from speedcheck.comparison.record_comparison import RecordComparison
from speedcheck.comparison.sides import Side, describe, read_sides
from speedcheck.comparison.step_choices import by_step_rule
from speedcheck.rules.rule import Overrides
from speedcheck.sample import Sample
from speedcheck.stats import faster_record as stats
from speedcheck.stats.noninferiority import NON_INFERIORITY_MARGIN, equal_seeds
from speedcheck.stats.times import MACHINE_SPREAD


def compare(
    a: str | Path,
    b: str | Path,
    *,
    track: str | None = None,
    alpha: float | None = None,
    margin: float | None = None,
    config: str | Path | None = None,
) -> RecordComparison:
    """Tell whether record A is better than record B.

    On a track that counts time, better is: faster at alpha, with losses that are non-inferior. On
    one that counts steps: fewer of them, with non-inferior losses, or what the track's pairwise
    rule says where it names the worth of a step. On one whose runs all train
    for the same time: a better loss at alpha. Unless the logs name one machine and show that the
    runs were made in turn there, the spread between machines goes into the standard error of the
    times.

    Args:
        a: folder of the one record.
        b: folder of the other.
        track: name of the track; the records' own unless given.
        alpha: size of the two-sided test; the track's unless given.
        margin: the worsening of the mean loss that non-inferior accepts, in the measure's unit;
            0.002 unless given.
        config: the speedcheck.toml with the project's own tracks; that of each record's project
            unless given.

    Raises:
        InputError: a folder holds no record, several, or none whose runs count.
        UsageError: both are one record, or of different tracks, or a run is in both; alpha or the
            margin is out of range.
    """
    overrides = Overrides(track=track, alpha=alpha, config=None if config is None else Path(config))
    sides = read_sides(Path(a), Path(b), overrides)
    return _compared(
        *sides,
        alpha=sides[0].rule.track.alpha if alpha is None else alpha,
        margin=NON_INFERIORITY_MARGIN if margin is None else margin,
    )


def _compared(a: Side, b: Side, *, alpha: float, margin: float) -> RecordComparison:
    track = a.rule.track
    seeds = equal_seeds(loss_curves(a.sample), loss_curves(b.sample))
    pairs = _raced_pairs(a, b) or _pairs_on_one_machine(a.sample, b.sample)
    times = pairs or (times_of(a.sample), times_of(b.sample))
    losses = losses_of(a.sample), losses_of(b.sample)
    measured = stats.compare_records(
        stats.Side(times[0], losses[0]),
        stats.Side(times[1], losses[1]),
        alpha=alpha,
        interleaved=pairs is not None,
        machine_spread=MACHINE_SPREAD if track.machine_spread is None else track.machine_spread,
        loss_rule=stats.LossRule(margin=margin, direction=track.direction),
        same_losses=seeds.shown,
    )
    shown_a, shown_b = describe(a), describe(b)
    hardware = _different_hardware(a, b)
    basis, steps = basis_of(track), None
    if track.exchange_rate is not None:
        decision, steps = by_step_rule(a, b, (shown_a, shown_b), losses, alpha)
    elif basis == "time":
        decision = by_time(measured, shown_a, shown_b, hardware)
    elif basis == "steps":
        decision = by_steps(measured, shown_a, shown_b, same_losses=seeds.shown)
    else:
        decision = by_loss(*losses, alpha, track.direction)
    return RecordComparison(
        a=shown_a,
        b=shown_b,
        track=track.name,
        direction=track.direction,
        basis=basis,
        decision=decision,
        measured=measured,
        paired=pairs is not None,
        hardware=hardware,
        seeds=seeds,
        steps=steps,
        race=str(a.raced.race) if a.raced else None,
    )


def _different_hardware(a: Side, b: Side) -> str:
    """Return how the hardware differs, or which runs had only a part of it.

    The runs of a race whose logs are silent share a machine.
    """
    for name, side in (("A", a), ("B", b)):
        if shared := shared_gpus(side.sample):
            return f"of {name}, {shared}"
    silent = all(hardware_of(run) is None for side in (a, b) for run, _ in side.sample.counted())
    return "" if a.raced and silent else different_hardware(a.sample, b.sample, ("A", "B"))


def _raced_pairs(a: Side, b: Side) -> tuple[list[float], list[float]] | None:
    """Return the times of the pairs of a race; None where a log has no time."""
    if a.raced is None or b.raced is None:
        return None
    found: list[list[float]] = []
    for side, raced in ((a, a.raced), (b, b.raced)):
        times = {run.log: judged.train_time_ms for run, judged in side.sample.counted()}
        found.append([ms / 1000 for log in raced.logs if (ms := times.get(log)) is not None])
        if len(found[-1]) < len(raced.logs):
            return None
    return found[0], found[1]


def _pairs_on_one_machine(a: Sample, b: Sample) -> tuple[list[float], list[float]] | None:
    named = all(host_of(run) for sample in (a, b) for run, _ in sample.counted())
    return times_in_turn(a, b) if named and len(hosts_of(a, b)) == 1 else None
