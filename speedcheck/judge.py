"""From a record folder to its certificate: read, weigh, compute, judge."""

from __future__ import annotations

import re

from speedcheck.certificate import Certificate, Verdict, Verdicts
from speedcheck.checks.comparison import Baseline, compare_losses
from speedcheck.checks.counting import Evidence, Selection, weigh
from speedcheck.checks.documents import check_documents
from speedcheck.checks.earlier_steps import check_earlier_steps
from speedcheck.checks.loss import check_loss, counted_statistics
from speedcheck.checks.provenance import check_provenance
from speedcheck.checks.rules import check_rules
from speedcheck.checks.speed import check_speed, runtime_statistics
from speedcheck.claims import DocumentClaims, Question, document_claims, published_claims
from speedcheck.claims.model import DEFAULT_MEASURE
from speedcheck.program.sources import Sources
from speedcheck.records.folder import Record
from speedcheck.rule import Rule
from speedcheck.tracks import Track


def judge(
    record: Record,
    rule: Rule,
    baseline: Baseline | None = None,
    selection: Selection | None = None,
    *,
    with_documents: bool = True,
) -> Certificate:
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
    evidence = weigh(record, selection, sources)
    counted = tuple(run for run in evidence.judged if run.counted)
    loss = counted_statistics(evidence, rule)
    runtime = runtime_statistics(counted)
    documents = _documents(evidence, rule) if with_documents else DocumentClaims()
    published = published_claims(record.plan, evidence.judged, loss, runtime)
    verdicts = Verdicts(
        loss=Verdict.of(
            (
                *check_loss(evidence, loss, rule),
                *check_earlier_steps(evidence, documents.steps, rule),
                *compare_losses(evidence, rule, baseline),
            )
        ),
        speed=Verdict.of(check_speed(evidence, runtime, rule, baseline)),
        rules=Verdict.of(check_rules(evidence, rule.track, sources, baseline)),
        provenance=Verdict.of(
            (
                *check_provenance(evidence, sources),
                *check_documents(documents, published),
            )
        ),
    )
    return Certificate(
        record=record.name,
        track=rule.track.name,
        target=rule.target,
        alpha=rule.alpha,
        certified=evidence.from_logs and _is_shown(verdicts, systems=record.is_systems),
        runs=evidence.judged,
        loss=loss,
        runtime=runtime,
        claims=(*published, *documents.claims),
        verdicts=verdicts,
        direction=rule.track.direction,
    )


def _documents(evidence: Evidence, rule: Rule) -> DocumentClaims:
    track = rule.track
    # What a caller tries out with --target never makes a README false.
    question = Question(track.target, track.sigma, track.direction, _measure(track))
    return document_claims(
        evidence.record, zip(evidence.runs, evidence.judged, strict=False), question
    )


def _measure(track: Track) -> tuple[str, ...]:
    """Return the words for a track's loss: the one before the loss in its own log format."""
    pattern = track.log_pattern.text if track.log_pattern else ""
    found = re.search(r"([A-Za-z]\w*)\W{0,4}\(\?P<val_loss>", pattern)
    if not found:
        return DEFAULT_MEASURE
    word = found[1].lower()
    return tuple(dict.fromkeys((word, word.rpartition("_")[2])))


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
