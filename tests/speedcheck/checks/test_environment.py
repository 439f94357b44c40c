"""Which environment variables had the runs? What the ledger notes, and what nobody logged."""

from __future__ import annotations

import pytest

from speedcheck.api import verify

VARIABLE = "TORCHINDUCTOR_COORDINATE_DESCENT_TUNING"


@pytest.fixture
def judged(build):
    """Judge a record whose ledger notes this environment of every run; None for no note."""

    def judge(environment, track="gpt2-small"):
        details = None if environment is None else {"environment": environment}
        return verify(build.record(plan={"track": track}, details=details)).verdicts.rules

    return judge


def codes(verdict):
    return {f.code.split()[0]: f.severity for f in verdict.findings}


def test_an_environment_that_was_not_logged_is_unknown(judged):
    assert codes(judged(None))["R013"] == "unknown"


def test_a_logged_environment_without_a_lever_is_no_finding(judged):
    found = codes(judged({"CUDA_VISIBLE_DEVICES": "0", "TORCHINDUCTOR_CACHE_DIR": "x"}))
    assert not {"R013", "R014"} & found.keys()


def test_a_lever_in_a_logged_environment_is_a_warning_that_names_it(judged):
    verdict = judged({VARIABLE: "1"})
    (finding,) = [f for f in verdict.findings if f.code.startswith("R014")]
    assert finding.severity == "warn"
    assert f"{VARIABLE}=1" in finding.message
    assert "R013" not in codes(verdict)


def test_a_track_that_allows_settings_asks_for_no_environment(judged):
    assert "R013" not in codes(judged(None, track="tiny"))


def with_logs(build, log_text, environment, *, details=None):
    """Judge a record whose logs have this environment, beside what the ledger may say."""
    header = {} if environment is None else {"environment": environment}
    logs = {seed: log_text(seed=seed, val_loss=3.2 + seed / 1000, header=header) for seed in (0, 1)}
    plan = {"track": "gpt2-small"}
    return verify(build.record([3.2, 3.201], logs=logs, plan=plan, details=details)).verdicts.rules


@pytest.mark.parametrize("environment", [{}, {"CUDA_VISIBLE_DEVICES": "0"}])
def test_a_log_that_says_its_environment_is_known_without_a_ledger(build, log_text, environment):
    assert not {"R013", "R014"} & codes(with_logs(build, log_text, environment)).keys()


def test_a_lever_in_the_log_alone_is_found(build, log_text):
    verdict = with_logs(build, log_text, {VARIABLE: "1"})
    (finding,) = [f for f in verdict.findings if f.code.startswith("R014")]
    message = f"{VARIABLE}=1 in the environment of logs/seed-000.txt, logs/seed-001.txt"
    assert finding.message.startswith(message)
    assert finding.where == "logs/seed-000.txt"


def test_a_lever_that_the_log_hides_is_found_in_the_ledger_and_said_once(build, log_text):
    details = {"environment": {VARIABLE: "1"}}
    for environment in ({}, {VARIABLE: "1"}):
        verdict = with_logs(build, log_text, environment, details=details)
        assert [f.where for f in verdict.findings if f.code.startswith("R014")] == ["ledger.jsonl"]


def test_a_log_of_an_earlier_version_is_unknown_as_before(build, log_text):
    assert codes(with_logs(build, log_text, None))["R013"] == "unknown"
