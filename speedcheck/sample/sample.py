"""The sample: the runs of a record, each with what was decided about it."""

from __future__ import annotations

from dataclasses import dataclass

from speedcheck.certificate import Exclusion, Ground, JudgedRun
from speedcheck.logs import Run
from speedcheck.records.record_folder import Record
from speedcheck.records.record_toml import Role

ALL_GROUPS = "all"


@dataclass(frozen=True, slots=True)
class Selection:
    """Which runs the caller wants counted.

    Attributes:
        only: patterns, one of which the end of a log's path must match; none for all.
        exclude: patterns, none of which it may match.
        group: name of the group to judge, or "all"; None to leave it to the folder.
    """

    only: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    group: str | None = None

    def patterns(self) -> tuple[tuple[str, str], ...]:
        """Return the option and the pattern of each that was given."""
        only = (("--only", pattern) for pattern in self.only)
        return (*only, *(("--exclude", pattern) for pattern in self.exclude))

    def __str__(self) -> str:
        """Return the patterns as they are typed."""
        return " ".join(f"{option} {pattern!r}" for option, pattern in self.patterns())


@dataclass(frozen=True, slots=True)
class Group:
    """Runs of the same code and the same planned steps.

    Attributes:
        name: a letter, in the order of the groups' first logs.
        label: what its runs have in common, in words.
        members: positions of all its runs, those that do not count included.
        usable: positions of the members that count where this group is judged.
        role: what record.toml declares the runs to be; None for runs that may be the record.
        has_program: whether their logs hold a program that can be read.
    """

    name: str
    label: str
    members: tuple[int, ...]
    usable: tuple[int, ...]
    role: Role | None = None
    has_program: bool = True


@dataclass(frozen=True, slots=True)
class Ruling:
    """What was decided about one run: whether it counts, and why not.

    Attributes:
        exclusion: why it does not count; None where it may.
        reason: the same in words, for people.
        role: what record.toml declares it to be.
        original: position of the run that it copies.
    """

    exclusion: Exclusion | None = None
    reason: str = ""
    role: Role | None = None
    original: int | None = None


@dataclass(frozen=True, slots=True)
class Sample:
    """A record with its runs judged.

    Attributes:
        record: the record as it was read.
        runs: what the logs hold, in the order of their names; a resumed run is one run.
        judged: the same runs as the certificate lists them; for a record without logs, its
            published losses.
        rulings: what was decided about each of `runs`.
        groups: all groups of runs, those declared as something else than the record last.
        ground: on what ground the judged group was chosen.
        chosen: the judged groups; several where the caller asks for all of them.
        resumed: positions of runs that were joined from several parts of one file.
        stops_at: the step before the planned one at which all judged runs end.
        ends_differ: whether the judged runs end at different steps without a plan or a budget.
        unmatched: patterns of record.toml under [[excluded]] that match no log.
        absent: those under [sample].
    """

    record: Record
    runs: tuple[Run, ...]
    judged: tuple[JudgedRun, ...]
    rulings: tuple[Ruling, ...] = ()
    groups: tuple[Group, ...] = ()
    ground: Ground = "no_logs"
    chosen: tuple[Group, ...] = ()
    resumed: frozenset[int] = frozenset()
    stops_at: int | None = None
    ends_differ: bool = False
    unmatched: tuple[str, ...] = ()
    absent: tuple[str, ...] = ()

    @property
    def from_logs(self) -> bool:
        """Return whether the runs are in logs, and not only in a list of figures."""
        return bool(self.runs)

    def counted(self) -> tuple[tuple[Run, JudgedRun], ...]:
        """Return the counted runs that have a log."""
        pairs = zip(self.runs, self.judged, strict=False)
        return tuple((run, judged) for run, judged in pairs if judged.counted)

    def excluded(self, *exclusions: Exclusion) -> tuple[tuple[Run, JudgedRun], ...]:
        """Return the runs that do not count for one of the reasons `exclusions`."""
        pairs = zip(self.runs, self.judged, strict=False)
        return tuple((run, judged) for run, judged in pairs if judged.exclusion in exclusions)

    def declared(self, role: Role) -> tuple[int, ...]:
        """Return the positions of the runs that record.toml declares to be of `role`."""
        return tuple(i for i, ruling in enumerate(self.rulings) if ruling.role == role)


def run_name(run: Run) -> str:
    """Return what a run is called in messages: its log, and its number in a file of several."""
    return run.log if run.index == 0 else f"{run.log} run {run.index}"
