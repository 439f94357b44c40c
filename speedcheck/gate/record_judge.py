"""The judgement of one record of a branch, beside what was merged before."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import PurePosixPath

from speedcheck.certificate import Certificate
from speedcheck.checks import codes
from speedcheck.gate.baselines import best_record, frontier, record_date, too_fast
from speedcheck.gate.copies import CountedRun, counted_runs
from speedcheck.gate.decision import Decision
from speedcheck.gate.declared import not_allowed, remarks
from speedcheck.gate.leftovers import hidden_in_record
from speedcheck.gate.merged_runs import (
    Evidence,
    changed_evidence,
    evidence_of,
    joined,
    merged_evidence,
)
from speedcheck.gate.objection import Objection, objections
from speedcheck.gate.workplace import Which, Workplace
from speedcheck.logs import LogFile
from speedcheck.records.ledger import LEDGER_NAME
from speedcheck.records.record_toml import Plan
from speedcheck.rules.tracks import get_track
from speedcheck.words import count, join_some


class RecordJudge:
    """Judges the records of a branch one after another, and remembers which runs count for them.

    Args:
        workplace: the files.
    """

    def __init__(self, workplace: Workplace) -> None:
        self._workplace = workplace
        self._seen: set[PurePosixPath] = set()
        self.new_runs: list[CountedRun] = []

    def judge(self, folder: PurePosixPath, merged: tuple[PurePosixPath, ...]) -> Decision:
        """Judge a record of the branch.

        Args:
            folder: its folder.
            merged: folders of the merged records that it continues: its own, where it was there
                before, and those that were moved into it.

        Raises:
            SpeedcheckError: it cannot be judged.
        """
        self._seen |= {folder, *merged}
        before = [merged_evidence(self._workplace, old) for old in merged]
        if len(before) == 1 and (same := self._unchanged(folder, before[0])) is not None:
            return same
        return self._full(folder, merged, before)

    def other_runs(self) -> list[CountedRun]:
        """Return the runs that count for the base's other records."""
        if not self.new_runs:
            return []
        workplace = self._workplace
        return [
            run
            for folder, certificate in workplace.earlier().items()
            if folder not in self._seen and certificate.counted
            for run in self._runs("base", folder, certificate, workplace.logs("base", folder))
        ]

    def _unchanged(self, folder: PurePosixPath, merged: Evidence) -> Decision | None:
        """Judge a record whose logs, record.toml and ledger are as they were merged.

        It passes where nothing is worse than in the base's own judgement by the same code; None
        where it is another record now.
        """
        workplace, old = self._workplace, merged.certificate
        if old is None:
            return None
        certificate = workplace.judge("head", folder, workplace.named_baseline("head", folder))
        now = evidence_of(folder, certificate, workplace.trees["head"])
        if not now.is_same_as(merged) or _rule(certificate) != _rule(old):
            return None
        before = Counter(map(_kind, self._objections("left", merged.folder, old)))
        worse = [
            objection
            for objection in self._objections("head", folder, certificate)
            if not before.pop(_kind(objection), 0)
        ]
        logs = workplace.logs("head", folder)
        said = ("the evidence is as it was merged", *self._remarks(folder, certificate, logs))
        return Decision(folder, certificate, tuple(worse), remarks=said)

    def _full(
        self, folder: PurePosixPath, merged: tuple[PurePosixPath, ...], before: list[Evidence]
    ) -> Decision:
        workplace = self._workplace
        plan, rules = workplace.plan("head", folder), workplace.rules_for(folder)
        track = plan.track if plan and plan.track else rules.tracks[0]
        best = frontier(workplace, track, frozenset((folder, *merged)))
        is_systems = plan is not None and plan.kind == "systems"
        named = workplace.named_baseline("head", folder)
        # The base chooses what the loss of a systems record is held against, and the frontier.
        baseline = best.last_tested if is_systems else named or best.fastest
        rule = get_track(track, workplace.config.tracks)
        if rule.test == "welch":
            itself = frozenset((folder, *merged))
            baseline = best_record(workplace, rule, itself, self._merged_date(before))
        certificate = workplace.judge("head", folder, baseline)
        found = [*self._objections("head", folder, certificate)]
        if is_systems and best.fastest not in (None, baseline):
            found += self._not_faster(folder, best.fastest)
        if (too := too_fast(certificate, best.fastest_s)) is not None:
            found.append(too)
        now = evidence_of(folder, certificate, workplace.trees["head"])
        if before:
            may_add = rules.may_add_runs or _is_sequential(plan, rules.stopping)
            found += changed_evidence(joined(before), now, may_add_runs=may_add)
        logs = workplace.logs("head", folder)
        self.new_runs += self._runs("head", folder, certificate, logs)
        said = tuple(self._remarks(folder, certificate, logs))
        return Decision(folder, certificate, tuple(found), baseline, said)

    def _merged_date(self, before: list[Evidence]) -> str:
        """Return when a merged record was made; "" for a new one, whatever date it claims.

        A folder that was merged without a run that counts becomes a record now.
        """
        made = next((evidence.folder for evidence in before if evidence.counted), None)
        return "" if made is None else record_date(self._workplace.plan("left", made), made)

    def _objections(
        self, which: Which, folder: PurePosixPath, certificate: Certificate
    ) -> Iterator[Objection]:
        workplace = self._workplace
        plan, rules = workplace.plan(which, folder), workplace.rules_for(folder)
        has_ledger = folder / LEDGER_NAME in workplace.trees[which]
        yield from objections(certificate, rules, frozenset({codes.HIDDEN_RUN}))
        if any(f.code == codes.HIDDEN_RUN for f in certificate.verdicts.findings()):
            yield from hidden_in_record(workplace, which, folder)
        yield from not_allowed(plan, certificate, rules, has_ledger=has_ledger)

    def _not_faster(
        self, folder: PurePosixPath, fastest: PurePosixPath | None
    ) -> Iterator[Objection]:
        """Hold the speed of a systems record against the fastest one too."""
        speed = self._workplace.judge("head", folder, fastest).verdicts.speed
        for finding in speed.findings:
            if finding.severity == "fail":
                yield Objection(finding.message, finding.code, finding.where)

    def _remarks(
        self, folder: PurePosixPath, certificate: Certificate, logs: Sequence[LogFile]
    ) -> Iterator[str]:
        workplace = self._workplace
        plan = workplace.plan("head", folder)
        yield from remarks(plan, certificate, workplace.path("head", folder), logs)
        if unjudged := [str(other) for other in workplace.unjudged() if other != folder]:
            which = f"{count(len(unjudged), 'record')} of the base: {join_some(unjudged)}"
            yield f"not compared with what cannot be judged, {which}"

    def _runs(
        self,
        which: Which,
        folder: PurePosixPath,
        certificate: Certificate,
        logs: Sequence[LogFile],
    ) -> list[CountedRun]:
        workplace = self._workplace
        tree = workplace.trees[which]
        counted = [(run.log, run.run) for run in certificate.counted if run.log is not None]
        objects = {log: tree[folder / log].object_id for log, _ in counted}
        return counted_runs(folder, workplace.path(which, folder), logs, objects, counted)


def _rule(certificate: Certificate) -> tuple[str, float, float]:
    return certificate.track, certificate.target, certificate.alpha


def _kind(objection: Objection) -> tuple[str, str]:
    """What an objection is about, wherever its line is now."""
    return objection.code, objection.message


def _is_sequential(plan: Plan | None, stopping: frozenset[str]) -> bool:
    rule: str = plan.stopping_rule if plan else ""
    return rule == "sequential" and rule in stopping
