"""Plans against statsmodels, simulation and the specification's figures."""

from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.stats
from examples import examples
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.stats.power import TTestIndPower, TTestPower

from speedcheck.errors import UsageError
from speedcheck.stats import non_inferiority, power, runs_for_power
from speedcheck.stats.sample_size import plan_non_inferiority, plan_race, plan_runs, standardise
from speedcheck.stats.sequential import sequential_t
from speedcheck.stats.welch_power import welch_power


def test_the_sub_3_record_needs_27_runs_fixed_and_23_on_average_when_it_may_stop():
    plan = plan_runs(0.742)
    assert plan.runs == 27
    assert plan.sequential.chance > 0.988
    assert plan.sequential.mean == pytest.approx(23.3, abs=0.4)
    assert dict(plan.powers)[32] == pytest.approx(0.954, abs=5e-4)
    assert plan_runs(0.742, maximum=48).sequential.chance == pytest.approx(0.955, abs=0.006)


@settings(max_examples=examples(20))
@given(effect=st.floats(0.3, 3), alpha=st.sampled_from([0.001, 0.01, 0.05]))
def test_the_fixed_number_of_runs_is_the_first_with_the_power_by_statsmodels(effect, alpha):
    def by_statsmodels(n):
        return TTestPower().power(effect, n, alpha, df=n - 1, alternative="larger")

    plan = plan_runs(effect, alpha, maximum=40)
    assert by_statsmodels(plan.runs) > 0.9 - 1e-4
    assert plan.runs == 2 or by_statsmodels(plan.runs - 1) < 0.9 + 1e-4
    for n, found in plan.powers:
        assert found == pytest.approx(by_statsmodels(n), abs=1e-4)


def test_the_sequential_plan_is_what_campaigns_of_losses_use():
    rng = np.random.default_rng(31)
    campaigns = rng.normal(3.28 - 0.0018, 0.0018, (500, 40))
    used = [sequential_t(losses, 3.28).certified_at or 40 for losses in campaigns]
    plan = plan_runs(standardise(3.28 - 0.0018, 0.0018, 3.28), maximum=40).sequential
    assert plan.mean == pytest.approx(np.mean(used), abs=0.9)
    assert plan.median == pytest.approx(np.median(used), abs=1)


@pytest.mark.parametrize("effect", [-0.5, 0.0, 1e-5], ids=["wrong side", "target", "too near"])
def test_a_mean_that_is_not_below_the_target_has_no_number_of_runs_that_will_do(effect):
    plan = plan_runs(effect)
    assert (plan.runs, plan.sequential) == (None, None)
    assert all(found < 0.02 for _, found in plan.powers)


def test_without_a_standard_deviation_there_is_no_plan():
    for sd in (0.0, -1.0, math.nan, math.inf):
        assert standardise(3.27, sd, 3.28) is None
    plan = plan_runs(standardise(3.27, 0.0, 3.28))
    assert (plan.effect, plan.powers, plan.runs, plan.sequential) == (None, (), None, None)


def test_the_right_side_of_the_target_is_the_tracks():
    assert standardise(3.27, 0.005, 3.28) == pytest.approx(2.0)
    assert standardise(0.94, 0.005, 0.95, "greater") == pytest.approx(-2.0)
    assert standardise(math.nan, 0.005, 0.95) is None


def test_one_generator_gives_one_plan():
    first = plan_runs(0.5, generator=np.random.default_rng(1))
    assert first == plan_runs(0.5, generator=np.random.default_rng(1))
    assert first != plan_runs(0.5, generator=np.random.default_rng(2))
    assert plan_runs(0.5) == plan_runs(0.5)


# What the specification says of a standard deviation of 0.1 s a run, 34 and 17, in whole blocks.
@pytest.mark.parametrize(("difference", "pairs"), [(0.1, 34), (0.15, 18), (-0.15, 18)])
def test_fixed_pairs_for_a_difference_at_one_percent_two_sided(difference, pairs):
    assert plan_race(difference, 0.1).pairs == pairs


@settings(max_examples=examples(20))
@given(effect=st.floats(0.3, 6), alpha=st.sampled_from([0.01, 0.05]))
def test_the_fixed_number_of_pairs_is_the_first_even_one_with_the_power_by_statsmodels(
    effect, alpha
):
    def by_statsmodels(n):
        # statsmodels' two-sided power is not a number here: its other tail is too small.
        return TTestPower().power(effect, n, alpha / 2, df=n - 1, alternative="larger")

    pairs = plan_race(effect * math.sqrt(2), 1.0, alpha).pairs
    assert pairs % 2 == 0
    assert by_statsmodels(pairs) > 0.9 - 1e-4
    assert pairs == 2 or by_statsmodels(pairs - 2) < 0.9 + 1e-4


def test_a_race_that_may_stop_looks_after_whole_blocks():
    plan = plan_race(0.15, 0.1, maximum=64).sequential
    assert (plan.chance, plan.mean) == (pytest.approx(1, abs=1e-3), pytest.approx(16.6, abs=0.3))
    assert plan.median % 2 == 0
    assert plan_race(0.1, 0.1).sequential.maximum == 32


def test_no_number_of_pairs_decides_a_race_without_a_difference():
    plan = plan_race(0.0, 0.1)
    assert (plan.effect, plan.pairs, plan.sequential) == (0.0, None, None)


@settings(max_examples=examples(25))
@given(n=st.integers(10, 60), room=st.floats(0, 2.5), alpha=st.sampled_from([0.01, 0.05]))
def test_welchs_power_at_equal_sizes_and_spreads_is_nearly_the_pooled_tests(n, room, alpha):
    pooled = TTestIndPower().power(room, n, alpha, alternative="larger")
    # Welch's degrees of freedom cost a little where they are few.
    assert welch_power(n, n, 1.0, 1.0, room, alpha) == pytest.approx(pooled, abs=0.1 / n)


@pytest.mark.parametrize(
    ("n_a", "n_b", "sd_a", "sd_b", "room"),
    [(8, 32, 1.0, 1.0, 1.1), (4, 32, 1.0, 1.0, 1.1), (3, 5, 2.0, 0.5, 3.0), (2, 9, 1.0, 1.0, 2.0)],
)
def test_welchs_power_is_the_share_of_simulated_tests(n_a, n_b, sd_a, sd_b, room):
    rng = np.random.default_rng(17)
    a, b = rng.normal(0, sd_a, (40_000, n_a)), rng.normal(room, sd_b, (40_000, n_b))
    p = scipy.stats.ttest_ind(a, b, axis=1, equal_var=False, alternative="less").pvalue
    expected = np.mean(p < 0.05)
    assert welch_power(n_a, n_b, sd_a, sd_b, room, 0.05) == pytest.approx(expected, abs=0.009)


# The specification: 0.84 for 8 against 32 and 0.54 for 4 against 32, at sd 0.0018.
@pytest.mark.parametrize(("n", "expected"), [(8, 0.84), (4, 0.54)])
def test_the_specified_powers_of_non_inferiority_come_out(n, expected):
    found = welch_power(n, 32, 0.0018, 0.0018, 0.002, 0.05)
    assert found == pytest.approx(expected, abs=0.005)


def test_runs_for_non_inferiority_are_the_first_with_the_power():
    n = plan_non_inferiority(0.0018, 32)
    powers = [welch_power(m, 32, 0.0018, 0.0018, 0.002, 0.05) for m in (n - 1, n)]
    assert powers[0] < 0.9 <= powers[1]
    assert plan_non_inferiority(0.0018, margin=0.001, alpha=0.01) == pytest.approx(85, abs=2)
    assert plan_non_inferiority(1e-6, 32) == 4


def test_planned_runs_show_non_inferiority_with_the_power_that_was_asked_for():
    rng = np.random.default_rng(19)
    n = plan_non_inferiority(0.0018, wanted=0.8)
    draws = rng.normal(3.28, 0.0018, (1_000, 2, n))
    shown = np.mean([non_inferiority(*pair).shown for pair in draws])
    assert shown == pytest.approx(0.82, abs=0.06)


@pytest.mark.parametrize(
    ("runs", "worse"), [(4, 0.0), (32, 0.002), (32, 0.0019)], ids=["few", "margin", "nearly"]
)
def test_no_number_of_runs_shows_what_the_baseline_or_the_truth_forbids(runs, worse):
    assert plan_non_inferiority(0.0018, runs, worse=worse) is None


@pytest.mark.parametrize(("n", "sd"), [(1, 1.0), (4, 0.0), (4, math.nan)])
def test_welchs_power_is_undefined_without_two_runs_and_spread(n, sd):
    assert welch_power(n, 4, sd, 1.0, 1.0, 0.05) is None
    assert welch_power(4, n, 1.0, sd, 1.0, 0.05) is None


@pytest.mark.parametrize("effect", [1e300, 1e5])
def test_huge_effects_are_planned_without_a_warning(effect):
    assert plan_runs(effect).runs == runs_for_power(-effect, 1, 0, 0.01) == 2
    assert plan_race(effect, 0.1).pairs == 2
    assert plan_runs(effect).sequential.chance == 1
    assert power(2, -effect, 1, 0, 0.01) == pytest.approx(1)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: plan_runs(0.5, 1.0), "alpha is"),
        (lambda: plan_runs(0.5, wanted=0), "power is"),
        (lambda: plan_runs(0.5, maximum=1001), "maximum is"),
        (lambda: plan_race(0.1, 0.0), "sd is"),
        (lambda: plan_race(math.nan, 0.1), "difference is"),
        (lambda: plan_race(0.1, 0.1, maximum=1), "maximum is"),
        (lambda: plan_non_inferiority(0.0), "sd is"),
        (lambda: plan_non_inferiority(0.001, margin=-1), "margin is"),
    ],
    ids=["alpha", "power", "maximum", "sd", "difference", "pairs", "no sd", "margin"],
)
def test_figures_that_make_no_plan_are_refused_by_name(call, said):
    with pytest.raises(UsageError, match=said):
        call()
