"""Submissions by kind: honest ones pass, dishonest ones are rejected for their own reason."""

from __future__ import annotations

import random
import re

import pytest
from examples import examples
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.speedcheck.gate.branches import (
    GOOD,
    NEW,
    OLD,
    RULES,
    below,
    honest_logs,
    outcome,
    submit,
)
from tests.speedcheck.gate.conftest import Clone
from tests.speedcheck.gate.dishonest_submissions import DISHONEST
from tests.speedcheck.gate.honest_submissions import HONEST
from tests.speedcheck.gate.submissions import (
    Options,
    make_logs,
    plan,
)


@pytest.fixture(scope="module")
def merged(tmp_path_factory) -> Clone:
    """A repository with one merged record of seven runs, slower than the new ones."""
    clone = Clone(tmp_path_factory.mktemp("gate") / "clone")
    files = make_logs(random.Random(1), 7, GOOD, Options(step_ms=135.0))
    files |= {
        "README.md": b"# A record\n\nIt is teh first.\n",
        "record.toml": plan(date="2026-01-01"),
    }
    clone.commit("merged", {"speedcheck.toml": RULES, **below(OLD, files)})
    return clone


PROPERTY = settings(
    max_examples=examples(3),
    derandomize=True,
    suppress_health_check=list(HealthCheck),
    database=None,
)


@pytest.mark.parametrize("kind", HONEST)
@PROPERTY
@given(seed=st.integers(0, 10**6))
def test_an_honest_submission_passes(merged, kind, seed):
    found = outcome(merged, HONEST[kind](random.Random(seed)))
    assert not any(found.values()), found


@pytest.mark.parametrize("kind", DISHONEST)
@PROPERTY
@given(seed=st.integers(0, 10**6))
def test_a_dishonest_submission_is_rejected_for_its_own_reason(merged, kind, seed):
    change, reason = DISHONEST[kind]
    found = outcome(merged, change(random.Random(seed)))
    assert any(re.search(reason, text) for text in found.values()), found


def test_the_generator_s_logs_ask_for_nothing_that_they_do_not_hold(merged):
    """Nothing is allowed to be unknown, and the plain submission passes."""
    found = outcome(merged, submit(honest_logs(random.Random(0))))
    assert found == {NEW: ""}
