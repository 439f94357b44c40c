"""Runtime statistics against the standard library."""

from __future__ import annotations

import math
import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speedcheck.stats import Runtime, runtime_stats


@given(milliseconds=st.lists(st.integers(1, 10_000_000), min_size=2, max_size=40))
def test_runtime_statistics_are_those_of_the_standard_library(milliseconds):
    seconds = [ms / 1000 for ms in milliseconds]
    runtime = runtime_stats(seconds)
    assert runtime.n == len(seconds)
    assert runtime.mean_s == pytest.approx(statistics.mean(seconds), rel=1e-12)
    assert runtime.std_s == pytest.approx(statistics.stdev(seconds), rel=1e-9, abs=1e-9)
    assert runtime.median_s == pytest.approx(statistics.median(seconds), rel=1e-12)
    assert (runtime.min_s, runtime.max_s) == (min(seconds), max(seconds))


def test_one_run_has_a_runtime_but_no_spread():
    assert runtime_stats([179.8]) == Runtime(1, 179.8, None, 179.8, 179.8, 179.8)


@pytest.mark.parametrize("seconds", [[], [179.8, math.nan], [math.inf]])
def test_times_that_are_missing_or_not_finite_have_no_statistics(seconds):
    assert runtime_stats(seconds) is None
