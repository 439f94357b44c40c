"""From a record folder to its certificate: read, take the sample, compute, judge."""

from __future__ import annotations

from dataclasses import dataclass

from speedcheck.certificate import Certificate, Exclusion, GroupSummary, SelectionSummary
from speedcheck.checks.beside_baseline import Baseline, compare_losses
from speedcheck.checks.document_claims import check_documents
from speedcheck.checks.earlier_steps import check_earlier_steps
from speedcheck.checks.loss import check_loss, loss_statistics, sample_statistics
from speedcheck.checks.provenance import check_provenance
from speedcheck.checks.published_figures import published_claims
from speedcheck.checks.rules import check_rules
from speedcheck.checks.speed import check_speed, runtime_statistics
from speedcheck.claims import DocumentClaims, document_claims
from speedcheck.program import Sources
from speedcheck.records.record_folder import Record
from speedcheck.rules.rule import Rule
from speedcheck.sample import Group, Sample, Selection, take_sample
from speedcheck.verdicts import Verdict, Verdicts


@dataclass(frozen=True, slots=True)
class Judgement:
    """A certificate with what it was made from.

    Attributes:
        certificate: the judgement.
        sample: the runs of the record.
        rule: the rule that it was judged by.
        baseline: the record that it was compared with.
    """

    certificate: Certificate
    sample: Sample
    rule: Rule
    baseline: Baseline | None


def judge(
    record: Record,
    rule: Rule,
    baseline: Baseline | None = None,
    selection: Selection | None = None,
    *,
    with_documents: bool = True,
) -> Judgement:
    """Judge `record` by `rule`, and against `baseline` if there is one.

    Args:
        record: the record as it was read.
        rule: its rule.
        baseline: the record that it is compared with.
        selection: which runs the caller wants counted.
        with_documents: whether to compare what its README and other documents claim.

    Raises:
        UsageError: the selection names a group that is not there, or leaves no log.
    """
    sources = Sources(record.path, record.logs)
    sample = take_sample(record, selection, sources, budget_ms=rule.track.budget_train_ms)
    counted = tuple(run for run in sample.judged if run.counted)
    loss = sample_statistics(sample, rule, baseline)
    runtime = runtime_statistics(counted)
    documents = _documents(sample, rule) if with_documents else DocumentClaims()
    published = published_claims(record.plan, sample.judged, loss, runtime)
    verdicts = Verdicts(
        loss=Verdict.of(
            (
                *check_loss(sample, loss, rule, baseline),
                *check_earlier_steps(sample, documents.steps, rule),
                *compare_losses(sample, rule, baseline),
            )
        ),
        speed=Verdict.of(check_speed(sample, runtime, rule, baseline)),
        rules=Verdict.of(check_rules(sample, rule.track, sources, baseline)),
        provenance=Verdict.of(
            (
                *check_provenance(sample, rule, sources, baseline),
                *check_documents(documents, published),
            )
        ),
    )
    certificate = Certificate(
        record=record.name,
        track=rule.track.name,
        target=rule.target,
        alpha=rule.alpha,
        certified=sample.from_logs and _is_shown(verdicts, systems=record.is_systems),
        runs=sample.judged,
        loss=loss,
        runtime=runtime,
        claims=(*published, *documents.claims),
        verdicts=verdicts,
        groups=tuple(_summary(group, sample, rule, baseline) for group in sample.groups),
        selection=_selection(sample),
        direction=rule.track.direction,
    )
    return Judgement(certificate, sample, rule, baseline)


def _documents(sample: Sample, rule: Rule) -> DocumentClaims:
    runs = zip(sample.runs, sample.judged, strict=False)
    return document_claims(sample.record, runs, rule.track)


def _summary(group: Group, sample: Sample, rule: Rule, baseline: Baseline | None) -> GroupSummary:
    loss = loss_statistics(
        [sample.judged[index].val_loss for index in group.usable], rule, baseline
    )
    return GroupSummary(
        name=group.name,
        label=group.label,
        role=group.role,
        judged=group in sample.chosen,
        n=loss.n,
        mean=loss.mean,
        std=loss.std,
        # The order of the seeds, which a sequential test needs, is the whole record's.
        p_value=None if sample.record.is_sequential else loss.p_value,
    )


def _selection(sample: Sample) -> SelectionSummary:
    plan = sample.record.plan
    return SelectionSummary(
        ground=sample.ground,
        groups=tuple(group.name for group in sample.chosen),
        at_step=plan.sample.at_step if plan and plan.sample else None,
        stops_at=sample.stops_at,
        started=len(sample.counted())
        + len(sample.excluded(Exclusion.INCOMPLETE))
        + len(sample.declared("crashed")),
    )


def _is_shown(verdicts: Verdicts, *, systems: bool) -> bool:
    """Return whether what the certificate says was shown, and nothing speaks against it.

    That is the loss, or the speed of a systems record. The other verdicts may be unknown: they
    are not what the certificate says, and it shows them as unknown.
    """
    others = (verdicts.speed, verdicts.rules, verdicts.provenance)
    needed = (verdicts.loss, *((verdicts.speed,) if systems else ()))
    return all(verdict.status in ("pass", "warn") for verdict in needed) and not any(
        verdict.status == "fail" for verdict in others
    )
