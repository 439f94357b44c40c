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
    assert not {"R013", "R005"} & found.keys()


def test_a_lever_in_a_logged_environment_is_a_warning_that_names_it(judged):
    verdict = judged({VARIABLE: "1"})
    (finding,) = [f for f in verdict.findings if f.code.startswith("R005")]
    assert finding.severity == "warn"
    assert f"{VARIABLE}=1" in finding.message
    assert "R013" not in codes(verdict)


def test_a_track_that_allows_settings_asks_for_no_environment(judged):
    assert "R013" not in codes(judged(None, track="tiny"))
