"""Two records: times between machines, losses that are no worse, and what would decide."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
import scipy.optimize
import scipy.stats
from examples import examples
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from speedcheck.errors import UsageError
from speedcheck.stats import effect_size, paired, two_sided_p, welch
from speedcheck.stats.faster_record import LossRule, Side, compare_records
from speedcheck.stats.times import time_difference
from speedcheck.stats.welch import Difference, with_interval

TIMES = st.lists(st.integers(178_000, 182_000).map(lambda ms: ms / 1000), min_size=2, max_size=12)
EIGHT = np.array([-1.3, -0.8, -0.4, 0.0, 0.1, 0.5, 0.7, 1.2])
EIGHT /= EIGHT.std(ddof=1)
LOSSES = 3.279 + 0.0018 * EIGHT

pytestmark = pytest.mark.filterwarnings("ignore:Precision loss:RuntimeWarning")


def side(time, sd=0.1, losses=LOSSES):
    return Side(time + sd * (EIGHT - EIGHT.mean()), losses)


def two_and_two(difference, half_width):
    """Two and two times with this difference whose 95 % Welch interval is as wide as this.

    For the times m -+ d of one side, d^2 is its part of the squared error.
    """
    for share in np.linspace(0.001, 0.5, 20_000):
        df = 1 / (share**2 + (1 - share) ** 2)
        error = half_width / scipy.stats.t.ppf(0.975, df)
        p = scipy.stats.t.sf(difference / error, df)
        if p > 0.12:
            spread = error * math.sqrt(share), error * math.sqrt(1 - share)
            return [np.array([-s, s]) for s in spread]
    raise AssertionError


def test_a_published_retiming_of_two_and_two_runs_is_undecided():
    """164 ms in two plus two runs: one-sided p 0.12, 95 % interval -0.88 to +0.55 s."""
    ours, theirs = two_and_two(0.164, 0.715)
    a, b = 100 - 0.164 + ours, 100 + theirs
    within = welch(a, b)
    assert [round(x, 2) for x in (within.p_below(), within.low, within.high)] == [0.12, -0.88, 0.55]
    for interleaved in (False, True):
        found = compare_records(Side(a, LOSSES), Side(b, LOSSES), interleaved=interleaved)
        assert (found.outcome, found.blocked_by) == ("undecided", "time")


def test_one_machine_shows_in_pairs_what_two_machines_cannot_show():
    a, b = side(179.5), side(180.0)
    two = compare_records(a, b)
    assert (two.outcome, two.blocked_by, two.more_runs) == ("undecided", "time", None)
    assert two.times.low < -0.5 < 0 < two.times.high
    one = compare_records(a, side(180.0, sd=0.12), interleaved=True)
    assert (one.outcome, one.blocked_by, one.more_runs) == ("better", None, 0)
    assert one.machine_spread == 0


def test_more_than_machines_differ_by_is_decided_from_two_folders():
    assert compare_records(side(175.0), side(180.0)).outcome == "better"
    assert compare_records(side(180.0), side(175.0)).outcome == "worse"
    assert compare_records(side(175.0), side(180.0), machine_spread=0.02).outcome == "undecided"


def test_faster_with_worse_losses_is_not_better():
    fast = side(170.0, losses=LOSSES + 0.0015)
    found = compare_records(fast, side(180.0))
    assert (found.outcome, found.blocked_by) == ("undecided", "loss")
    assert found.more_runs > 0
    worse = compare_records(side(170.0, losses=LOSSES + 0.0025), side(180.0))
    assert (worse.blocked_by, worse.more_runs) == ("loss", None)
    assert compare_records(side(180.0), fast).outcome == "undecided"


def test_too_few_losses_take_runs_up_to_the_smallest_number():
    losses = [3.28, 3.28001]
    found = compare_records(Side([170.0, 170.1], losses), Side([180.0, 180.1], losses))
    assert (found.outcome, found.blocked_by, found.more_runs) == ("undecided", "loss", 2)


def test_slower_with_worse_losses_is_worse():
    found = compare_records(side(180.0, losses=LOSSES + 0.0025), side(170.0))
    assert found.outcome == "worse"


def test_losses_of_equal_seeds_need_no_test():
    few = Side([170.0, 170.1], [3.28, 3.28])
    many = Side([180.0, 180.1], [3.28, 3.28])
    assert compare_records(few, many, machine_spread=0.001).blocked_by == "loss"
    assert compare_records(few, many, machine_spread=0.001, same_losses=True).outcome == "better"


def test_accuracies_are_worse_when_lower():
    rule = LossRule(direction="greater")
    a, b = side(170.0, losses=LOSSES + 0.0025), side(180.0)
    assert compare_records(a, b, loss_rule=rule).outcome == "better"
    assert compare_records(a, b).outcome == "undecided"


@settings(max_examples=examples(60))
@given(a=TIMES, b=TIMES, spread=st.floats(0, 0.01))
def test_the_outcome_mirrors_with_the_sides(a, b, spread):
    first = Side(a, LOSSES), Side(b, LOSSES - 0.0001)
    there = compare_records(*first, machine_spread=spread)
    back = compare_records(*reversed(first), machine_spread=spread)
    mirror = {"better": "worse", "worse": "better", "undecided": "undecided"}
    assert back.outcome == mirror[there.outcome]
    assert (back.time_p, back.blocked_by) == (there.time_p, there.blocked_by)
    assert back.more_runs == there.more_runs


@given(a=TIMES, b=TIMES)
def test_without_a_spread_between_machines_it_is_welchs_test_and_in_pairs_students(a, b):
    assume(len(set(a)) > 1 or len(set(b)) > 1)
    ours, within = time_difference(a, b, machine_spread=0.0), welch(a, b)
    assert (ours.error, ours.df) == pytest.approx((within.error, within.df))
    test = scipy.stats.ttest_ind(a, b, equal_var=False)
    assert two_sided_p(ours) == pytest.approx(test.pvalue, rel=1e-7)
    assert time_difference(a, b, interleaved=True) == paired(a, b)


def test_a_spread_beyond_all_numbers_decides_nothing():
    assert time_difference([1.0, 1.1], [9.0, 9.1], machine_spread=1e308).error is None


def test_the_reach_of_the_spread_and_that_of_the_runs_add_as_squares():
    a, b = [170.0, 170.2, 170.4], [171.0, 171.4, 171.2]
    ours, within = time_difference(a, b), welch(a, b)
    between = 1.959964 * 0.005 * 170.7
    assert ours.high - ours.low == pytest.approx(
        2 * math.hypot((within.high - within.low) / 2, between)
    )
    assert (ours.error, ours.df, ours.known) == (within.error, within.df, pytest.approx(0.8535))


@given(a=TIMES, b=TIMES, spread=st.floats(1e-6, 0.02))
def test_a_spread_between_machines_never_narrows_an_interval(a, b, spread):
    within, between = welch(a, b), time_difference(a, b, machine_spread=spread)
    if within.error is None:
        assert between.error is None
        return
    assert between.low <= within.low
    assert between.high >= within.high
    assert two_sided_p(between) >= two_sided_p(within) * (1 - 1e-9)
    known = between.known * scipy.stats.norm.ppf(0.975)
    assert between.high - between.low >= 2 * known * (1 - 1e-9)


@given(
    difference=st.floats(0.01, 5),
    error=st.floats(0.01, 1),
    df=st.floats(1, 30),
    known=st.floats(0.01, 1),
)
def test_the_p_of_both_parts_is_the_level_at_which_the_interval_ends_at_zero(
    difference, error, df, known
):
    found = with_interval(Difference(2, 2, difference, 0, difference, 0.95), error, df, known)

    def beyond(log_p):
        t, z = scipy.stats.t.isf(math.exp(log_p), df), scipy.stats.norm.isf(math.exp(log_p))
        return math.hypot(t * error, z * known) - difference

    p = math.exp(scipy.optimize.brentq(beyond, -600, math.log(0.5), xtol=1e-12))
    assert found.p_above() == pytest.approx(p, rel=1e-6, abs=1e-250)
    assert found.p_below() == pytest.approx(1 - p)
    if 1e-5 < p < 0.4:
        assert found.lower(p) == pytest.approx(0, abs=1e-6)
        assert found.upper(1 - p) == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("n", [2, 3, 8])
@pytest.mark.parametrize("spread", [0.0002, 0.001, 0.005])
def test_few_runs_on_two_machines_are_told_apart_in_at_most_the_wanted_rate(n, spread):
    """2 and 2 runs with a known spread beside them: 5 % of intervals may miss, and no more."""
    rng = np.random.default_rng(22)
    missed = 0
    for _ in range(3_000):
        machine = rng.normal(0, spread * 180)
        a, b = 180 + machine + rng.normal(0, 0.1, n), 180 + rng.normal(0, 0.1, n)
        found = time_difference(a, b, machine_spread=spread)
        missed += not found.low <= 0 <= found.high
    assert missed / 3_000 <= 0.05 + 0.012


@pytest.mark.parametrize("spread", [pytest.param(0.0005, marks=pytest.mark.slow), 0.005])
def test_equal_programs_on_two_machines_are_told_apart_in_at_most_one_percent(spread):
    rng = np.random.default_rng(21)
    decided = 0
    for _ in range(4_000):
        machine = rng.normal(0, spread * 180)
        a, b = 180 + machine + rng.normal(0, 0.1, 4), 180 + rng.normal(0, 0.1, 4)
        decided += two_sided_p(time_difference(a, b, machine_spread=spread)) < 0.01
    assert decided / 4_000 <= 0.01 + 0.005


@settings(max_examples=examples(40))
@given(
    gain=st.floats(0.02, 0.3),
    worse=st.floats(-0.001, 0.0018),
    n=st.integers(2, 8),
    interleaved=st.booleans(),
)
def test_so_many_more_runs_with_the_same_figures_decide_and_fewer_do_not(
    gain, worse, n, interleaved
):
    def stretched(mean, sd, size):
        shape = np.linspace(-1, 1, size)
        return mean + sd * shape / shape.std(ddof=1)

    def compared(size):
        a = Side(stretched(10 - gain, 0.1, size), stretched(3.28 + worse, 0.002, size))
        # Turned round, so that the paired differences scatter.
        b = Side(stretched(10, 0.05, size)[::-1], stretched(3.28, 0.001, size))
        return compare_records(a, b, interleaved=interleaved, machine_spread=0.0005)

    more = compared(n).more_runs
    decided = [k for k in range(40) if compared(n + k).outcome == "better"]
    assert (more if more is not None and more < 40 else None) == (decided[0] if decided else None)


@given(a=TIMES, b=TIMES)
def test_effect_sizes_count_in_standard_deviations_of_one_run(a, b):
    assume(len(set(a)) > 1)
    std = math.sqrt((np.var(a, ddof=1) + np.var(b, ddof=1)) / 2)
    assert effect_size(a, b) == pytest.approx((np.mean(a) - np.mean(b)) / std, abs=1e-9)


@pytest.mark.parametrize(
    ("a", "b"),
    [([], []), ([1.0], [2.0, 3.0]), ([1.0, 1.0], [2.0, 2.0]), ([1.0, math.nan], [1.0, 2.0])],
    ids=["no times", "one run", "no spread", "no number"],
)
@pytest.mark.parametrize("interleaved", [False, True])
def test_without_a_test_of_the_times_nothing_is_decided(a, b, interleaved):
    found = compare_records(Side(a, LOSSES), Side(b, LOSSES), interleaved=interleaved)
    assert (found.outcome, found.blocked_by, found.more_runs) == ("undecided", "no_test", None)


def figures(value):
    if dataclasses.is_dataclass(value):
        return [
            x for field in dataclasses.fields(value) for x in figures(getattr(value, field.name))
        ]
    return [value] if isinstance(value, float) else []


ANY = st.lists(st.floats(), max_size=5)


@settings(max_examples=examples(150))
@given(a=ANY, b=ANY, losses=ANY, interleaved=st.booleans(), spread=st.floats(0, 1e308))
@example(a=[1e308, -1e308], b=[0.0, 1.0], losses=[1.0, 2.0], interleaved=False, spread=1e308)
@example(a=[1e-300, 2e-300], b=[0.0, 0.0], losses=[], interleaved=True, spread=0.0)
def test_no_input_gives_nan_infinity_or_a_warning(a, b, losses, interleaved, spread):
    found = compare_records(
        Side(a, losses), Side(b, LOSSES), interleaved=interleaved, machine_spread=spread
    )
    assert all(math.isfinite(x) for x in figures(found))


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"alpha": 0}, "alpha is"),
        ({"machine_spread": -0.1}, "machine spread is"),
        ({"machine_spread": math.nan}, "machine spread is"),
        ({"loss_rule": LossRule(margin=0)}, "margin is"),
    ],
    ids=str,
)
def test_figures_that_make_no_test_are_refused_by_name(wrong, said):
    with pytest.raises(UsageError, match=said):
        compare_records(side(1.0), side(2.0), **wrong)
