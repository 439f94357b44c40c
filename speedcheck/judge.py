"""From a record folder to its certificate: read, weigh, compute, judge."""

from __future__ import annotations

from speedcheck.certificate import Certificate, Verdict, Verdicts
from speedcheck.checks.counting import weigh
from speedcheck.checks.loss import check_loss, loss_statistics
from speedcheck.checks.provenance import check_provenance
from speedcheck.checks.rules import check_rules
from speedcheck.checks.speed import check_speed, runtime_statistics
from speedcheck.claims import published_claims
from speedcheck.records.folder import Record
from speedcheck.rule import Rule


def judge(record: Record, rule: Rule) -> Certificate:
    """Judge `record` by `rule`."""
    evidence = weigh(record)
    counted = tuple(run for run in evidence.judged if run.counted)
    loss = loss_statistics([run.val_loss for run in counted], rule.target)
    runtime = runtime_statistics(counted)
    claims = published_claims(record.plan, evidence.judged, loss, runtime)
    verdicts = Verdicts(
        loss=Verdict.of(check_loss(evidence, loss, rule)),
        speed=Verdict.of(check_speed(evidence, runtime)),
        rules=Verdict.of(check_rules(evidence, rule.track)),
        provenance=Verdict.of(check_provenance(evidence, claims)),
    )
    return Certificate(
        record=record.name,
        track=rule.track.name,
        target=rule.target,
        alpha=rule.alpha,
        certified=evidence.from_logs and _is_shown(verdicts, systems=_is_systems(record)),
        runs=evidence.judged,
        loss=loss,
        runtime=runtime,
        claims=claims,
        verdicts=verdicts,
    )


def _is_systems(record: Record) -> bool:
    return record.plan is not None and record.plan.kind == "systems"


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
