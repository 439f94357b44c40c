"""The two records of a comparison: how they are read, and which pairs are refused."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

from speedcheck.baseline import one_record, refuse_unread
from speedcheck.checks.beside_baseline import hardware_of, host_of, losses_of, times_of
from speedcheck.comparison.race_sides import RacedSide, raced_sides
from speedcheck.comparison.record_comparison import Compared, HostTimes
from speedcheck.errors import InputError, UsageError
from speedcheck.logs import Run
from speedcheck.records.record_folder import read_record
from speedcheck.rules.config import load_config
from speedcheck.rules.rule import Overrides, Rule, rule_for
from speedcheck.rules.tracks import track_in_words
from speedcheck.sample import Sample, Selection, take_sample
from speedcheck.stats.moments import moments
from speedcheck.words import count


@dataclass(frozen=True, slots=True)
class Side:
    """One record of a comparison.

    Attributes:
        folder: the folder as the caller names it.
        sample: its runs, each judged.
        rule: its rule.
        raced: what the ledger of a race says of it, where both sides are those of one race.
    """

    folder: Path
    sample: Sample
    rule: Rule
    raced: RacedSide | None = None


def read_sides(a: Path, b: Path, overrides: Overrides) -> tuple[Side, Side]:
    """Read two records that can be compared.

    Args:
        a: folder of the one record.
        b: folder of the other.
        overrides: the track and the configuration that the caller names.

    Raises:
        InputError: a folder holds no record, several, or none whose runs count.
        UsageError: both are one record, or of different tracks, or a run is in both.
    """
    raced = raced_sides(a, b) or (None, None)
    sides = read_side(a, overrides, raced[0]), read_side(b, overrides, raced[1])
    first, second = (side.sample.record.path.resolve() for side in sides)
    if first == second:
        raise UsageError(
            "A and B are the same record", where=str(a), remedy="name two different folders"
        )
    tracks = [side.rule.track.name for side in sides]
    if tracks[0] != tracks[1]:
        named = [track_in_words(track) for track in tracks]
        raise UsageError(
            f"A is a record of {named[0]}, B of {named[1]}",
            remedy="compare records of one track, or name it with --track",
        )
    _refuse_shared(*sides)
    return sides


def describe(side: Side) -> Compared:
    """Return what a comparison says of one side."""
    sample = side.sample
    counted = [judged for judged in sample.judged if judged.counted]
    steps = [judged.final_step for judged in counted if judged.final_step is not None]
    hardware = {hardware_of(run) for run, _ in sample.counted()} - {None}
    return Compared(
        folder=str(side.folder),
        runs=len(counted),
        excluded=len(sample.judged) - len(counted),
        hardware=tuple(sorted(name for name in hardware if name)),
        hosts=_hosts(side),
        losses=moments(losses_of(sample)),
        times=moments(times_of(sample)),
        steps=(min(steps), max(steps)) if steps and len(steps) == len(counted) else None,
    )


def read_side(folder: Path, overrides: Overrides, raced: RacedSide | None = None) -> Side:
    """Read the one record in a folder; at least one of its runs must count.

    Args:
        folder: the folder.
        overrides: the track and the configuration that the caller names.
        raced: the runs that count in the race that the folder is a side of.

    Raises:
        InputError: the folder holds no record, several, or none whose runs count.
    """
    path = one_record(folder, overrides.parser_for)
    record = refuse_unread(read_record(path, overrides.parser_for))
    rule = rule_for(record, overrides, load_config(path, overrides.config))
    selection = Selection(only=raced.logs) if raced else None
    sample = take_sample(record, selection, budget_ms=rule.track.budget_train_ms)
    if any(judged.counted for judged in sample.judged):
        return Side(folder, sample, rule, raced)
    if sample.ground == "undecided":
        what = f"nothing says which of its {len(sample.groups)} groups of runs is the record"
        raise InputError(what, where=str(path), remedy=f"declare it: speedcheck init {path}")
    what = "none of its runs counts"
    raise InputError(what, where=str(path), remedy=f"see why: speedcheck verify {path}")


def _refuse_shared(a: Side, b: Side) -> None:
    """Refuse two samples that share runs: their difference is not that of two records."""
    logs = {_lines(run): run.log for run, _ in a.sample.counted() if _is_telling(run)}
    shared = [run for run, _ in b.sample.counted() if _is_telling(run) and _lines(run) in logs]
    if shared:
        run = shared[0]
        raise UsageError(
            f"{count(len(shared), 'run')} of B are in A too: {run.log} is {logs[_lines(run)]}",
            where=str(b.folder),
            remedy="compare two samples that share no run",
        )


def _is_telling(run: Run) -> bool:
    """Whether no other run prints the same lines: two times in milliseconds never agree twice."""
    return sum(bool(v.train_time_ms) for v in run.validations) > 1


def _lines(run: Run) -> tuple[tuple[int, float, float | None], ...]:
    return tuple((v.step, v.loss, v.train_time_ms) for v in run.validations)


def _hosts(side: Side) -> tuple[HostTimes, ...]:
    by_host: dict[str | None, list[float]] = defaultdict(list)
    for run, judged in side.sample.counted():
        if judged.train_time_ms is not None:
            host = side.raced.host if side.raced else host_of(run)
            by_host[host].append(judged.train_time_ms / 1000)
    hosts = sorted(by_host.items(), key=lambda item: item[0] or "")
    return tuple(HostTimes(host, moments(times)) for host, times in hosts)
