"""Records that were planned to stop when they are certified, and looks at others."""

from __future__ import annotations

import json

import pytest

from speedcheck.api import verify
from speedcheck.checks import codes
from speedcheck.stats.sequential import sequential_t

TARGET = 1.30


def severities(certificate):
    return {finding.code: finding.severity for finding in certificate.verdicts.findings()}


def rewritten(folder, ledger_bytes, change):
    """Let `change` have the ledger's entries, and chain what it returns."""
    path = folder / "ledger.jsonl"
    path.write_bytes(ledger_bytes(change([*map(json.loads, path.read_text().splitlines())])))
    return folder


def test_verify_recomputes_the_test_from_logs_and_ledger(build, losses, cli):
    folder = build.sequential()
    certificate = verify(folder)
    expected = sequential_t(losses, TARGET)
    assert certificate.certified
    figures = certificate.loss.sequential
    assert figures.e_values == pytest.approx(expected.e_values)
    assert (figures.runs, figures.maximum) == (8, 64)
    assert figures.certified_at == expected.certified_at
    assert figures.p_anytime == certificate.loss.p_value == pytest.approx(expected.p_value)
    assert severities(certificate)[codes.SEQUENTIAL] == "info"
    out = " ".join(cli("verify", folder).out.split())
    assert f"100 reached at run {expected.certified_at}, anytime-valid p = " in out
    assert out.startswith("CERTIFIED: mean loss 1.2106 is below 1.3 (E >= 100 at run 6, 8 runs)")
    assert "t-test" not in out
    assert "100 reached at run" in cli("verify", "--markdown", folder).out


def test_seeds_that_were_never_started_are_not_missing(build):
    assert codes.RUN_MISSING not in severities(verify(build.sequential()))


def test_the_order_is_the_planned_one_and_not_that_of_the_ends(build, ledger_bytes, losses):
    def late_first(entries):
        planned = [e for e in entries if e["event"] == "planned"]
        others = [e for e in entries if e["event"] != "planned"]
        return [*planned, *sorted(others, key=lambda e: -e["seed"])]

    folder = rewritten(build.sequential(), ledger_bytes, late_first)
    expected = sequential_t(losses, TARGET).e_values
    assert verify(folder).loss.sequential.e_values == pytest.approx(expected)


def test_e_ends_where_a_planned_run_is_missing(build, losses):
    folder = build.sequential(endings={2: ("started", "failed")})
    certificate = verify(folder)
    assert certificate.loss.sequential.runs == 2
    assert certificate.loss.n == len(losses) - 1
    assert not certificate.certified
    assert severities(certificate)[codes.RUN_MISSING] == "fail"


def test_too_little_evidence_is_not_certified_however_low_the_p_of_the_fixed_test(build):
    losses = [1.2899, 1.29, 1.2901]
    assert sequential_t(losses, TARGET).e_value < 100
    certificate = verify(build.sequential(losses))
    assert not certificate.certified
    assert severities(certificate)[codes.NOT_REACHED] == "fail"
    assert codes.NOT_SIGNIFICANT not in severities(certificate)
    assert verify(build.record(losses, name="fixed")).certified


def test_a_diverged_run_after_certification_still_ends_it(build, log_text, losses):
    logs = {7: log_text(seed=7, diverges_at=150)}
    certificate = verify(build.sequential(logs=logs))
    assert certificate.loss.sequential.certified_at is None
    assert not certificate.certified
    assert severities(certificate)[codes.DIVERGED_RUN] == "fail"


def test_a_fixed_record_that_is_renamed_sequential_fails(build):
    plan = {"stopping_rule": "sequential"}
    certificate = verify(build.record(plan=plan))
    assert not certificate.certified
    assert severities(certificate)[codes.STOPPING_CHANGED] == "fail"


def test_a_sequential_record_that_is_renamed_fixed_fails(build, losses):
    folder = build.sequential(maximum=8, plan={"stopping_rule": "fixed"})
    certificate = verify(folder)
    assert not certificate.certified
    assert severities(certificate)[codes.STOPPING_CHANGED] == "fail"


def test_without_a_ledger_there_is_no_sequential_test(build):
    folder = build.sequential(plan={"seeds": None})
    (folder / "ledger.jsonl").unlink()
    certificate = verify(folder)
    assert certificate.loss.sequential is certificate.loss.p_value is None
    assert severities(certificate)[codes.NOT_SEQUENTIAL] == "fail"


def test_a_track_with_another_test_has_no_sequential_one(build, losses):
    certificate = verify(build.sequential(plan={"track": "gpt2-small-steps"}))
    assert not certificate.certified
    assert severities(certificate)[codes.NOT_SEQUENTIAL] == "fail"


def extended(entries, *, after_a_run=True):
    """Let the last two seeds be added to the plan later."""
    late = [e for e in entries if e["event"] == "planned" and e["seed"] > 5]
    late.insert(0, {"event": "extended", "seed": 6, "reason": "6 to 8 runs"})
    rest = [e for e in entries if e not in late]
    end = next(i for i, e in enumerate(rest) if e["event"] == "finished") + after_a_run
    return [*rest[:end], *late, *rest[end:]]


def test_runs_added_after_a_result_are_said(build, ledger_bytes):
    certificate = verify(rewritten(build.record(), ledger_bytes, extended))
    assert severities(certificate)[codes.EXTENDED] == "warn"
    (said,) = [f for f in certificate.verdicts.findings() if f.code == codes.EXTENDED]
    assert "6 to 8 runs" in said.message


def test_runs_added_before_any_result_are_a_plan_like_another(build, ledger_bytes):
    folder = rewritten(build.record(), ledger_bytes, lambda e: extended(e, after_a_run=False))
    assert codes.EXTENDED not in severities(verify(folder))


def test_a_sequential_record_may_be_extended(build, ledger_bytes):
    certificate = verify(rewritten(build.sequential(maximum=8), ledger_bytes, extended))
    assert certificate.certified
    assert codes.EXTENDED not in severities(certificate)
