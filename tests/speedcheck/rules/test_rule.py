"""Whose word counts: the caller's before the record's before the track's."""

from __future__ import annotations

import math

import pytest

from speedcheck.api import verify
from speedcheck.errors import UsageError
from speedcheck.records.record_folder import read_record
from speedcheck.rules.config import Config
from speedcheck.rules.rule import Overrides, rule_for
from speedcheck.rules.tracks import GPT2_MEDIUM, GPT2_SMALL, TINY, TRACKS


@pytest.fixture
def rule_of(build):
    """Give (track, target, alpha) for a record of the tiny recipe."""

    def rule(plan, **overrides):
        record = read_record(build.record(plan={"track": None} | plan))
        found = rule_for(record, Overrides(**overrides), Config(TRACKS))
        return found.track, found.target, found.alpha

    return rule


PLANNED = {"track": "gpt2-medium", "target": 2.5, "alpha": 0.002}


@pytest.mark.parametrize(
    ("plan", "overrides", "expected"),
    [
        ({}, {}, (TINY, TINY.target, 0.01)),
        ({"track": "gpt2-medium"}, {}, (GPT2_MEDIUM, 2.92, 0.01)),
        (PLANNED, {}, (GPT2_MEDIUM, 2.5, 0.002)),
        (PLANNED, {"target": 2.4}, (GPT2_MEDIUM, 2.4, 0.002)),
        (PLANNED, {"alpha": 0.05}, (GPT2_MEDIUM, 2.5, 0.05)),
        (PLANNED, {"track": "gpt2-small"}, (GPT2_SMALL, 3.28, 0.01)),
        (PLANNED, {"track": "gpt2-small", "alpha": 0.05}, (GPT2_SMALL, 3.28, 0.05)),
        (PLANNED, {"track": "tiny", "target": 1.2}, (TINY, 1.2, 0.01)),
    ],
)
def test_the_caller_goes_before_the_record_and_the_record_before_its_track(
    rule_of, plan, overrides, expected
):
    assert rule_of(plan, **overrides) == expected


def test_published_logs_without_a_plan_enter_gpt2_small(build):
    record = read_record(build.published())
    assert rule_for(record, Overrides(), Config(TRACKS)).track is GPT2_SMALL


@pytest.mark.parametrize("lenient", [{"target": TINY.target + 1}, {"alpha": 0.5}])
@pytest.mark.parametrize("overrides", [{}, {"target": TINY.target}, {"alpha": 0.01}])
def test_a_lenient_record_never_certifies_by_its_own_word(build, findings_of, lenient, overrides):
    # Whatever else the caller sets, it does not vouch for what the record made easier.
    overrides = {k: v for k, v in overrides.items() if k not in lenient}
    folder = build.record(plan=lenient)
    assert not verify(folder, **overrides).certified
    (finding,) = findings_of(folder, **overrides)["L007 lenient-rule"]
    assert finding.severity == "fail"


@pytest.mark.parametrize("lenient", [{"target": TINY.target + 1}, {"alpha": 0.5}])
def test_a_caller_may_be_as_lenient_as_they_like_and_it_is_said(build, findings_of, lenient):
    folder = build.record(plan=lenient)
    assert verify(folder, **lenient).certified
    (finding,) = findings_of(folder, **lenient)["L007 lenient-rule"]
    assert finding.severity == "info"


def test_a_record_may_be_stricter_than_its_track(build, losses):
    folder = build.record(plan={"target": TINY.target - 0.05, "alpha": 0.001})
    assert verify(folder).certified
    folder = build.record(plan={"target": sum(losses) / len(losses)}, name="too strict")
    assert not verify(folder).certified


@pytest.mark.parametrize(
    ("overrides", "complaint"),
    [
        ({"target": math.nan}, "--target is nan; give a finite loss"),
        ({"target": math.inf}, "--target is inf; give a finite loss"),
        ({"alpha": 0.0}, "--alpha is 0; give a number between 0 and 1"),
        ({"alpha": 2.0}, "--alpha is 2; give a number between 0 and 1"),
        ({"alpha": math.nan}, "--alpha is nan; give a number between 0 and 1"),
        ({"track": "nope"}, "no track is called 'nope'; choose one of: gpt2-small, gpt2-medium"),
    ],
)
def test_a_number_out_of_range_or_an_unknown_track_is_refused(build, overrides, complaint):
    with pytest.raises(UsageError, match=complaint):
        verify(build.record(), **overrides)
