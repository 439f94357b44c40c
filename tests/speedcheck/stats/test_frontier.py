"""Beating the frontier, against scipy's Welch test, brute force and simulation."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
import scipy.stats
from examples import examples
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from speedcheck.errors import UsageError
from speedcheck.stats.frontier import beats_frontier, mean_interval

LOSSES = st.lists(st.integers(32_700, 32_900).map(lambda n: n / 10_000), min_size=2, max_size=12)

pytestmark = pytest.mark.filterwarnings("ignore:Precision loss:RuntimeWarning")


@given(record=LOSSES, frontier=LOSSES, improvement=st.floats(0, 0.01), alpha=st.floats(0.001, 0.2))
def test_p_is_scipys_one_sided_welch_test_of_the_improvement(record, frontier, improvement, alpha):
    assume(len(set(record)) > 1 or len(set(frontier)) > 1)
    ours = beats_frontier(record, frontier, improvement=improvement, alpha=alpha)
    p = scipy.stats.ttest_ind(
        np.add(record, improvement), frontier, equal_var=False, alternative="less"
    ).pvalue
    assert ours.p_value == pytest.approx(p, rel=1e-6, abs=1e-290)
    assert ours.shown == (ours.p_value < alpha)


@given(record=LOSSES, frontier=LOSSES, improvement=st.floats(0, 0.01))
def test_accuracies_are_compared_as_losses_of_the_other_sign(record, frontier, improvement):
    losses = beats_frontier(record, frontier, improvement=improvement)
    accuracies = beats_frontier(
        np.negative(record), np.negative(frontier), improvement=improvement, direction="greater"
    )
    assert (accuracies.p_value, accuracies.shown) == (losses.p_value, losses.shown)
    assert accuracies.runs_needed == losses.runs_needed


def stretched(mean, sd, size):
    shape = np.linspace(-1, 1, size)
    return mean + sd * shape / shape.std(ddof=1)


def test_a_lower_mean_that_chance_explains_does_not_beat_the_frontier():
    ours = beats_frontier(stretched(1.1181, 0.0006, 3), stretched(1.1188, 0.0006, 3))
    assert ours.difference.difference == pytest.approx(-0.0007)
    assert 0.01 < ours.p_value < 0.2
    assert not ours.shown


@settings(max_examples=examples(25))
@given(
    n=st.integers(2, 8),
    m=st.integers(2, 8),
    sds=st.tuples(st.floats(1e-4, 4e-3), st.floats(1e-4, 4e-3)),
    better=st.floats(0.0001, 0.004),
)
def test_runs_needed_is_the_first_number_at_which_the_same_figures_show_it(n, m, sds, better):
    frontier = stretched(3.28, sds[1], m)

    def test(runs):
        record = stretched(3.28 - better, sds[0], runs)
        return beats_frontier(record, frontier, improvement=0.0005, alpha=0.05)

    found = test(n).runs_needed
    shown = [k for k in range(n, 60) if test(k).shown]
    assert (found if found is not None and found < 60 else None) == (shown[0] if shown else None)


def test_no_number_of_runs_beats_a_frontier_that_is_better():
    assert beats_frontier(stretched(3.281, 0.002, 4), stretched(3.28, 0.002, 8)).runs_needed is None


@pytest.mark.parametrize(
    ("record", "frontier"),
    [([3.27, 3.271], [3.28]), ([3.27], [3.28, 3.281]), ([3.2, 3.2], [3.3, 3.3]), ([], [])],
    ids=["a frontier of one run", "one run", "no spread", "nothing"],
)
def test_without_a_test_nothing_is_shown(record, frontier):
    ours = beats_frontier(record, frontier)
    assert (ours.p_value, ours.shown, ours.runs_needed) == (None, False, None)


@pytest.mark.parametrize("improvement", [pytest.param(0.0, marks=pytest.mark.slow), 0.5])
def test_one_percent_of_records_at_the_boundary_pass(improvement):
    rng = np.random.default_rng(14)
    passed = [
        beats_frontier(
            rng.normal(-improvement, 1, 8), rng.normal(0, 1, 16), improvement=improvement
        ).shown
        for _ in range(5_000)
    ]
    assert np.mean(passed) == pytest.approx(0.01, abs=0.005)


@given(values=LOSSES, level=st.floats(0.5, 0.999))
def test_the_frontiers_own_interval_is_students(values, level):
    assume(len(set(values)) > 1)
    interval = scipy.stats.ttest_1samp(values, 0).confidence_interval(level)
    assert mean_interval(values, level) == pytest.approx(tuple(interval), rel=1e-12)
    ours = beats_frontier([3.2, 3.3], values)
    assert (ours.frontier_low, ours.frontier_high) == mean_interval(values)


@settings(max_examples=examples(200))
@given(
    record=st.lists(st.floats(), max_size=6),
    frontier=st.lists(st.floats(), max_size=6),
    improvement=st.floats(0, 1e308),
)
@example(record=[1e308, -1e308], frontier=[0.0, 1.0], improvement=1e308)
def test_no_input_gives_nan_infinity_or_a_warning(record, frontier, improvement):
    ours = beats_frontier(record, frontier, improvement=improvement)
    figures = [*dataclasses.astuple(ours.difference), *dataclasses.astuple(ours)[1:]]
    assert all(math.isfinite(x) for x in figures if isinstance(x, float))


@pytest.mark.parametrize(
    "wrong", [{"improvement": -0.1}, {"improvement": math.nan}, {"alpha": 1}], ids=str
)
def test_figures_that_make_no_test_are_refused_by_name(wrong):
    with pytest.raises(UsageError, match=f"{next(iter(wrong))} is"):
        beats_frontier([1.0, 2.0], [1.0, 3.0], **wrong)
