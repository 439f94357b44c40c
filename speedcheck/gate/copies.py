"""Runs of one record that are copies of another record's: counted runs with counted runs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path, PurePosixPath

from speedcheck.checks import codes
from speedcheck.gate.objection import Objection
from speedcheck.logs import LogFile, Run
from speedcheck.sample.duplicates import FEWEST_TIMES, StepTimes, near_copies
from speedcheck.sample.step_times import read_step_times


@dataclass(frozen=True, slots=True)
class CountedRun:
    """A run that counts for a record.

    Attributes:
        folder: the record's folder inside the repository.
        path: where the record's files are.
        object_id: git's name of the log's content.
        run: the run.
    """

    folder: PurePosixPath
    path: Path
    object_id: str
    run: Run


def counted_runs(
    folder: PurePosixPath,
    path: Path,
    logs: Iterable[LogFile],
    objects: Mapping[str, str],
    counted: Iterable[tuple[str | None, int]],
) -> list[CountedRun]:
    """Return the runs in `logs` that are among `counted`, given as (log, place in it)."""
    wanted = set(counted)
    return [
        CountedRun(folder, path, objects[log.name], run)
        for log in logs
        for run in log.runs
        if (run.log, run.index) in wanted
    ]


def copies_across(
    new: Sequence[CountedRun], others: Sequence[CountedRun]
) -> Iterator[tuple[PurePosixPath, Objection]]:
    """Yield the record folders of `new` whose runs also count elsewhere, with the reason.

    Args:
        new: the runs of the records that the branch adds or changes.
        others: the runs of the records that it leaves alone.
    """
    every = [*new, *others]
    evidence = _same_objects(every) | _alike(every, len(new))
    for (first, second), message in sorted(evidence.items()):
        a, b = every[first], every[second]
        if first >= len(new) or a.folder == b.folder:
            continue
        what = f"{a.run.log} is a copy of {b.folder / b.run.log}: {message}"
        yield a.folder, Objection(what, codes.NEAR_COPY)


def _same_objects(every: Sequence[CountedRun]) -> dict[tuple[int, int], str]:
    first: dict[tuple[str, int], int] = {}
    found = {}
    for index, counted in enumerate(every):
        before = first.setdefault((counted.object_id, counted.run.index), index)
        if before != index:
            found[before, index] = "the same file"
    return found


def _alike(every: Sequence[CountedRun], n_new: int) -> dict[tuple[int, int], str]:
    """Return what pairs have in common: losses among all, the rhythm of steps with the new ones."""
    runs = [counted.run for counted in every]
    pairs = near_copies(runs, range(len(runs)))
    found = {(pair.first, pair.second): pair.evidence for pair in pairs}
    times = _step_times(every)
    members = _of_like_rhythm(times, n_new)
    # The losses were compared above, among all runs: with few, chance would be underestimated.
    last_only = [replace(run, validations=run.validations[-1:]) for run in runs]
    for pair in near_copies(last_only, members, times):
        found.setdefault((pair.first, pair.second), pair.evidence)
    return found


def _of_like_rhythm(times: Mapping[int, StepTimes], n_new: int) -> list[int]:
    """Return the new runs, and those others that are worth a closer look beside one of them."""
    rhythms = {index: set(_rhythm(run)) for index, run in times.items()}
    new = [index for index in times if index < n_new]
    alike = [
        other
        for other in times
        if other >= n_new
        and any(
            len(rhythms[other] & rhythms[index]) >= max(FEWEST_TIMES, len(rhythms[other]) // 4)
            for index in new
        )
    ]
    return [*new, *alike]


def _step_times(every: Sequence[CountedRun]) -> dict[int, StepTimes]:
    """Return the times of training steps by position, record by record."""
    by_record: dict[Path, list[int]] = {}
    for index, counted in enumerate(every):
        by_record.setdefault(counted.path, []).append(index)
    found: dict[int, StepTimes] = {}
    for path, members in by_record.items():
        runs = [every[index].run for index in members]
        read = read_step_times(path, runs, range(len(runs)))
        found |= {members[place]: times for place, times in read.items()}
    return found


def _rhythm(times: StepTimes) -> Iterator[tuple[int, float]]:
    """The milliseconds between a step and the one before it, which a constant shift leaves."""
    for before, after in pairwise(sorted(times)):
        yield after, round(times[after] - times[before], 3)
