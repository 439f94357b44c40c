"""A record beside its baseline: what of the two can be compared, and how the losses differ."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from speedcheck.certificate import JudgedRun
from speedcheck.checks import codes
from speedcheck.checks.measurement import shared_gpus
from speedcheck.logs import Run
from speedcheck.rules.rule import Rule
from speedcheck.sample import Sample
from speedcheck.sample.order import started
from speedcheck.stats import (
    EQUIVALENCE_MARGIN,
    Difference,
    equivalence_p,
    paired,
    two_sided_p,
    welch,
)
from speedcheck.verdicts import Finding

CPU = "the CPU"


@dataclass(frozen=True, slots=True)
class Baseline:
    """The record to compare with.

    Attributes:
        name: its folder as the caller or record.toml names it.
        sample: its runs, each judged.
        passes: whether its losses pass by the rule of the record that is judged.
    """

    name: str
    sample: Sample
    passes: bool


def compare_losses(sample: Sample, rule: Rule, baseline: Baseline | None) -> tuple[Finding, ...]:
    """Say how the losses differ from the baseline's."""
    if baseline is None:
        return ()
    difference = welch(losses_of(sample), losses_of(baseline.sample))
    message = describe_loss(difference, rule)
    return (Finding(codes.LOSS_COMPARED, "info", message, where=baseline.name),)


def describe_loss(difference: Difference, rule: Rule) -> str:
    """Return the comparison of two sets of losses in words."""
    p_equal = equivalence_p(difference)
    if difference.mean_a is None or difference.mean_b is None or difference.difference is None:
        return "the losses cannot be compared: not both records have a mean"
    means = (
        f"mean loss {difference.mean_a:.6g} (n = {difference.n_a}) against "
        f"{difference.mean_b:.6g} (n = {difference.n_b})"
    )
    if p_equal is None:
        return f"{means}: too few different losses for a test"
    shown = "shown" if p_equal < rule.alpha else "not shown"
    p_differ = f"two-sided Welch p = {two_sided_p(difference) or 0.0:.2g}"
    return (
        f"{means}: {interval(difference, '+.5f')}, {p_differ}; "
        f"equivalent within {EQUIVALENCE_MARGIN:g}: {shown} (TOST p = {p_equal:.2g})"
    )


def interval(difference: Difference, spec: str) -> str:
    """Return a difference and its confidence interval in words."""
    low, high = difference.low or 0.0, difference.high or 0.0
    return (
        f"{difference.difference or 0.0:{spec}} "
        f"({difference.level:.0%} interval {low:{spec}} to {high:{spec}})"
    )


def compare_times(ours: Sample, theirs: Sample) -> tuple[Difference, str]:
    """Compare the times of the counted runs, in seconds, and name the test.

    Runs that were made in turn on one machine are compared in pairs.
    """
    pairs = times_in_turn(ours, theirs)
    if pairs is not None:
        return paired(*pairs), "paired"
    return welch(times_of(ours), times_of(theirs)), "Welch"


def why_not_comparable(ours: Sample, theirs: Sample) -> str:
    """Return why times of the two cannot be compared; "" where they were made on equal hardware.

    Times of different machines differ by more than a record gains, whatever their GPUs are
    called. Published logs do not name the machine: there, equal GPUs must do.
    """
    reason = different_hardware(ours, theirs) or shared_gpus(ours) or shared_gpus(theirs)
    if not reason and len(hosts_of(ours, theirs)) > 1:
        return "the runs come from different machines"
    return reason


def different_hardware(
    ours: Sample, theirs: Sample, names: tuple[str, str] = ("the record", "the baseline")
) -> str:
    """Return how the hardware of the two differs; "" where both ran on machines of one kind.

    Processors differ too much for one kind of them: runs on a CPU must name one machine.

    Args:
        ours: the runs of the one side.
        theirs: those of the other.
        names: what messages call the sides.
    """
    hardware = [{hardware_of(run) for run, _ in side.counted()} for side in (ours, theirs)]
    for name, found in zip(names, hardware, strict=True):
        if len(found) > 1:
            return f"the runs of {name} come from {len(found)} kinds of hardware"
        if not found or None in found:
            return f"{name} does not say what it ran on"
    (mine,), (other,) = hardware
    if mine != other:
        return f"{names[0]} ran on {mine}, {names[1]} on {other}"
    return _different_processors(ours, theirs) if mine == CPU else ""


def _different_processors(ours: Sample, theirs: Sample) -> str:
    if len(hosts_of(ours, theirs)) > 1:
        return "the runs come from different machines, and processors differ"
    if not all(host_of(run) for side in (ours, theirs) for run, _ in side.counted()):
        return "not all logs name the machine, and processors differ"
    return ""


def hardware_of(run: Run) -> str | None:
    """Return what a run was made on, such as "8 x NVIDIA H100"; None where its log is silent."""
    gpu, n_gpus = run.environment.gpu, run.environment.n_gpus
    if n_gpus == 0:
        return CPU
    return f"{n_gpus} x {gpu}" if gpu and n_gpus else None


def host_of(run: Run) -> str | None:
    """Return the machine that a log names: its digest and its processor; None without a name."""
    return host_name(run.header.host if run.header else None)


def host_name(host: object) -> str | None:
    """Return what a log or a ledger calls a machine; None where it names none."""
    if not isinstance(host, Mapping) or not host.get("id"):
        return None
    return f"{host['id']} {host.get('cpu')}"


def hosts_of(*samples: Sample) -> set[str]:
    """Return the machines that the logs of the counted runs name."""
    named = (host_of(run) for sample in samples for run, _ in sample.counted())
    return {host for host in named if host is not None}


def losses_of(sample: Sample) -> list[float]:
    """Return the losses of the counted runs; NaN for a run that diverged."""
    counted = [run.val_loss for run in sample.judged if run.counted]
    return [float("nan") if loss is None else loss for loss in counted]


def times_of(sample: Sample) -> list[float]:
    """Return the times in seconds of the counted runs that have one."""
    return [seconds for run in sample.judged if (seconds := _time_s(run)) is not None]


def times_in_turn(ours: Sample, theirs: Sample) -> tuple[list[float], list[float]] | None:
    """Return the times of both sides in pairs, in the order of the runs, if they were made in turn.

    Of every two successive runs one is of each side, as in A B A B and in A B B A. None where
    that is not so, and where a log does not say when its run started, or how long it took.
    """
    starts = [
        (started(run), side, _time_s(judged))
        for side, sample in enumerate((ours, theirs))
        for run, judged in sample.counted()
    ]
    known = [(s, side, t) for s, side, t in starts if s is not None and t is not None]
    if not known or len(known) < len(starts) or len({s for s, _, _ in known}) < len(known):
        return None
    known.sort()
    sides = [side for _, side, _ in known]
    if len(sides) % 2 or any(a == b for a, b in zip(sides[::2], sides[1::2], strict=True)):
        return None
    first, second = ([t for _, side, t in known if side == wanted] for wanted in (0, 1))
    return first, second


def _time_s(run: JudgedRun) -> float | None:
    return run.train_time_ms / 1000 if run.counted and run.train_time_ms is not None else None
