"""The judgement: the gravest finding decides a verdict, and unknown never becomes pass."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speedcheck.api import verify
from speedcheck.judge import _is_shown
from speedcheck.verdicts import Finding, Verdict, Verdicts

SEVERITIES = ("info", "warn", "unknown", "fail")
STATUSES = ("pass", "warn", "unknown", "fail")


@given(severities=st.lists(st.sampled_from(SEVERITIES)))
def test_the_gravest_severity_decides_the_verdict_in_any_order(severities):
    findings = tuple(Finding("X000 example", severity, "") for severity in severities)
    verdict = Verdict.of(findings)
    gravest = max(map(SEVERITIES.index, severities), default=0)
    assert verdict.status == STATUSES[gravest]
    assert verdict.findings == findings


@given(
    statuses=st.fixed_dictionaries(
        {name: st.sampled_from(STATUSES) for name in ("loss", "speed", "rules", "provenance")}
    ),
    systems=st.booleans(),
)
def test_a_certificate_needs_the_loss_shown_and_nothing_against_it(statuses, systems):
    verdicts = Verdicts(**{name: Verdict(status) for name, status in statuses.items()})
    shown = _is_shown(verdicts, systems=systems)
    if "fail" in statuses.values() or statuses["loss"] == "unknown":
        assert not shown
    elif systems:
        assert shown == (statuses["speed"] != "unknown")
    else:
        assert shown


def test_what_is_unknown_in_a_certified_record_is_still_shown_as_unknown(build):
    certificate = verify(build.published(script="import torch\n"))
    verdicts = certificate.verdicts
    assert certificate.certified
    assert [verdicts.loss.status, verdicts.speed.status, verdicts.rules.status] == [
        "pass",
        "unknown",
        "unknown",
    ]


def test_published_losses_alone_are_never_certified_however_low(build):
    folder = build.folder({"record.toml": "[published]\nlosses = [1.1, 1.2, 1.15, 1.11]"})
    certificate = verify(folder)
    assert certificate.verdicts.loss.status == "pass"
    assert not certificate.certified


def test_a_plan_without_logs_or_figures_is_a_record_without_evidence(build):
    certificate = verify(build.folder({"record.toml": ""}))
    assert not certificate.certified
    assert certificate.runs == ()
    assert certificate.verdicts.loss.status == "unknown"


@pytest.mark.parametrize("kind", ["model", "systems"])
def test_the_certificate_carries_the_rule_that_it_was_judged_by(build, kind):
    certificate = verify(build.record(plan={"kind": kind}), target=1.8, alpha=0.003)
    assert (certificate.record, certificate.track) == ("record", "tiny")
    assert (certificate.target, certificate.alpha) == (1.8, 0.003)
    assert certificate.certified == (kind == "model")


def test_judging_twice_gives_the_same_certificate(build):
    folder = build.record()
    first = verify(folder)
    assert verify(folder) == first
    assert replace(first, record="another") != first
