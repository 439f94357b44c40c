"""From a record to its sample: each run counts unless an enumerated reason excludes it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase

from speedcheck.certificate import Exclusion, JudgedRun
from speedcheck.errors import NothingSelectedError
from speedcheck.logs import Run
from speedcheck.program import Sources
from speedcheck.records.ledger import Ledger
from speedcheck.records.record_files import LOGS_NAME
from speedcheck.records.record_folder import Record
from speedcheck.records.record_toml import Role
from speedcheck.sample.completeness import Ends, cut_at, find_ends
from speedcheck.sample.duplicates import describe as describe_copy
from speedcheck.sample.duplicates import exact_copies, near_copies
from speedcheck.sample.groups import choose, describe, divide, letter
from speedcheck.sample.ledger_notes import RunNote, notes_by_log
from speedcheck.sample.resumed import join_resumed
from speedcheck.sample.sample import Group, Ruling, Sample, Selection, run_name
from speedcheck.sample.select import HOW_PATTERNS_MATCH, declared, named, not_selected
from speedcheck.sample.step_times import read_step_times

NOT_IN_LEDGER = Ruling(
    Exclusion.NOT_IN_LEDGER, "the ledger does not list this log as a finished run"
)
UNDECIDED = Ruling(Exclusion.UNDECIDED, "nothing says which group of runs is the record")


def take_sample(
    record: Record,
    selection: Selection | None = None,
    sources: Sources | None = None,
    *,
    budget_ms: float | None = None,
) -> Sample:
    """Decide for every run of `record` whether it counts.

    Args:
        record: the record as it was read.
        selection: what the caller wants counted.
        sources: the programs of its runs; read when they are needed, unless given.
        budget_ms: training time after which the track ends a run, in milliseconds.

    Raises:
        UsageError: the selection names a group that is not there, or leaves no log.
    """
    selection = selection or Selection()
    runs, resumed = join_resumed([run for log in record.logs for run in log.runs])
    if not runs:
        return Sample(record, runs, _published(record))
    taker = _Taker(record, runs, selection, sources or Sources(record.path, record.logs), budget_ms)
    return replace(taker.sample(), resumed=resumed)


class _Taker:
    """Gathers the rulings on the runs of one record, one reason after another."""

    def __init__(
        self,
        record: Record,
        runs: tuple[Run, ...],
        selection: Selection,
        sources: Sources,
        budget_ms: float | None,
    ) -> None:
        plan = record.plan
        self._record = record
        self._declared = plan.sample if plan else None
        self._excluded = plan.excluded if plan else ()
        self._at_step = self._declared.at_step if self._declared else None
        self._runs = runs
        self._selection = selection
        self._sources = sources
        self._budget_ms = budget_ms
        self._rulings = [Ruling() for _ in runs]
        self._ends: dict[str, Ends] = {}
        self._notes = notes_by_log(record.ledger)

    def sample(self) -> Sample:
        """Rule on each run, and return the sample."""
        self._by_word()
        self._by_ledger()
        self._by_copies()
        groups = self._groups()
        patterns = self._declared.logs if self._declared else None
        chosen, ground = choose(groups, self._runs, self._selection.group, patterns)
        self._by_group(groups, chosen, undecided=ground == "undecided")
        ends = [self._ends[group.name] for group in chosen]
        group_of = {index: group.name for group in groups for index in group.members}
        return Sample(
            record=self._record,
            runs=self._runs,
            judged=tuple(
                self._judged(index, group_of.get(self._original(index)))
                for index in range(len(self._runs))
            ),
            rulings=tuple(self._rulings),
            groups=groups,
            ground=ground,
            chosen=chosen,
            stops_at=next((end.stops_at for end in ends if end.stops_at is not None), None),
            ends_differ=any(end.differ for end in ends),
            unmatched=self._unmatched(p for entry in self._excluded for p in entry.logs),
            absent=self._unmatched(patterns or ()),
        )

    def _by_word(self) -> None:
        """Exclude what the caller and record.toml name."""
        root = self._record.path
        for index, run in enumerate(self._runs):
            ruling = not_selected(root, run, self._selection) or declared(run, self._excluded)
            self._rulings[index] = ruling or self._rulings[index]
        if all(ruling.exclusion is Exclusion.NOT_SELECTED for ruling in self._rulings):
            what = f"no log is left by {self._selection}"
            raise NothingSelectedError(what, where=str(root), remedy=HOW_PATTERNS_MATCH)

    def _by_ledger(self) -> None:
        """Exclude runs that the ledger does not list as finished."""
        ledger = self._record.ledger
        if ledger is None:
            return
        listed, failed = _logs_in(ledger)
        for index in self._open():
            name = self._runs[index].log
            if name in failed:
                why = f"crashed: the ledger says {failed[name]}"
                self._rulings[index] = Ruling(Exclusion.DECLARED, why, role="crashed")
            elif name not in listed:
                self._rulings[index] = NOT_IN_LEDGER

    def _by_copies(self) -> None:
        """Exclude copies and near-copies of other runs."""
        for index, original in exact_copies(self._runs, self._open()).items():
            why = f"a copy of {run_name(self._runs[original])}"
            self._rulings[index] = Ruling(Exclusion.EXACT_COPY, why, original=original)
        left = self._open()
        times = read_step_times(self._record.path, self._runs, left) if len(left) > 1 else {}
        for copy in near_copies(self._runs, left, times):
            if self._rulings[copy.first].exclusion is None:
                why = describe_copy(self._runs, copy)
                self._rulings[copy.second] = Ruling(Exclusion.NEAR_COPY, why, original=copy.first)

    def _groups(self) -> tuple[Group, ...]:
        """Divide the runs that are left, and those that record.toml declares to be others."""
        by_role: dict[Role | None, list[int]] = {None: self._open()}
        for index, ruling in enumerate(self._rulings):
            if ruling.role is not None and ruling.role != "crashed":
                by_role.setdefault(ruling.role, []).append(index)
        groups: list[Group] = []
        for role, members in by_role.items():
            for part, has_program in divide(self._runs, members, self._sources):
                group = self._group(letter(len(groups)), part, role)
                groups.append(replace(group, has_program=has_program))
        return tuple(groups)

    def _group(self, name: str, members: Sequence[int], role: Role | None) -> Group:
        ends = find_ends(
            [self._runs[index] for index in members],
            at_step=self._at_step if role is None else None,
            budget_ms=self._budget_ms,
        )
        self._ends[name] = ends
        usable = [i for i, why in zip(members, ends.reasons, strict=True) if not why]
        for index, why in zip(members, ends.reasons, strict=True):
            if why and role is None:
                self._rulings[index] = Ruling(Exclusion.INCOMPLETE, why)
        label = describe(self._runs, members, role)
        return Group(name, label, tuple(members), tuple(usable), role)

    def _by_group(
        self, groups: Sequence[Group], chosen: Sequence[Group], *, undecided: bool
    ) -> None:
        """Exclude the runs of groups that are not judged; a declared one can be asked for."""
        asked = [group for group in chosen if group.role is not None]
        for group in asked:
            for index in group.usable:
                self._rulings[index] = Ruling()
        for group in groups:
            if group in chosen or group.role is not None:
                continue
            why = f"of another group: {group.name}"
            other = UNDECIDED if undecided else Ruling(Exclusion.OTHER_GROUP, why)
            for index in group.usable:
                self._rulings[index] = other

    def _open(self) -> list[int]:
        """Return the positions of the runs that nothing excludes so far."""
        return [index for index, ruling in enumerate(self._rulings) if ruling.exclusion is None]

    def _original(self, index: int) -> int:
        """Return the position of the run that a copy copies; of another run its own."""
        original = self._rulings[index].original
        return index if original is None else original

    def _unmatched(self, patterns: Iterable[str]) -> tuple[str, ...]:
        curves = [curve.file for curve in self._record.curves]
        return tuple(
            pattern
            for pattern in patterns
            if not any(named(run, pattern) for run in self._runs)
            and not any(fnmatchcase(file, pattern) for file in curves)
        )

    def _judged(self, index: int, group: str | None) -> JudgedRun:
        run, ruling = self._runs[index], self._rulings[index]
        note = self._notes.get(run.log, RunNote())
        at = run if self._at_step is None or ruling.role else cut_at(run, self._at_step)
        return JudgedRun(
            log=run.log,
            run=run.index,
            seed=note.seed if run.seed is None else run.seed,
            # The last validation before a divergence is not the run's loss.
            val_loss=None if run.diverged else _finite(at.val_loss),
            train_time_ms=None if run.diverged else _finite(at.train_time_ms),
            final_step=at.final_step,
            total_steps=run.total_steps,
            complete=at.complete,
            counted=ruling.exclusion is None,
            reason=ruling.reason or _diverged(run),
            gpu=run.environment.gpu,
            n_gpus=run.environment.n_gpus,
            torch=run.environment.torch,
            source_sha256=run.source_sha256,
            exclusion=ruling.exclusion,
            group=group,
            outside_clock_s=note.outside_clock_s,
        )


def _logs_in(ledger: Ledger) -> tuple[set[str], Mapping[str, str]]:
    """Return the names of the logs of finished runs, and of failed attempts with their events."""
    latest = ledger.latest().values()
    finished = {f"{LOGS_NAME}/{e.log}" for e in latest if e.event == "finished"}
    failed = {
        f"{LOGS_NAME}/{entry.log}": f"{entry.event} ({entry.reason or 'no reason given'})"
        for entry in ledger.entries
        if entry.event in ("failed", "abandoned")
    }
    failed = {log: how for log, how in failed.items() if log not in finished}
    return finished, failed


def _diverged(run: Run) -> str:
    return f"diverged: {run.stopped or 'the loss is not finite'}" if run.diverged else ""


def _published(record: Record) -> tuple[JudgedRun, ...]:
    """Return the losses that a record without logs publishes."""
    published = record.plan.published if record.plan else None
    return tuple(
        JudgedRun(
            log=None,
            run=index,
            seed=None,
            val_loss=loss,
            train_time_ms=None,
            final_step=None,
            total_steps=None,
            complete=None,
            counted=True,
            reason="published without its log",
            gpu=None,
            n_gpus=None,
            torch=None,
            source_sha256=None,
        )
        for index, loss in enumerate(published.losses if published else ())
    )


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None
