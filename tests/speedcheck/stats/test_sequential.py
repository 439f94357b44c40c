"""The anytime-valid test: published losses, simulation, and what must not change it."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
import scipy.stats
from examples import examples
from hypothesis import example, given, settings
from hypothesis import strategies as st
from lookalike import lookalike_scores

from speedcheck.errors import UsageError
from speedcheck.stats.crossing import first_crossing
from speedcheck.stats.eprocess import EFFECTS, boundary
from speedcheck.stats.sequential import futility, sequential_t

# The first eight seeds of records/2026-11-21_tiny.
TINY = [1.272737, 1.270554, 1.288454, 1.271211, 1.273826, 1.276365, 1.270737, 1.276424]
LOSSES = st.lists(st.integers(32_700, 32_900).map(lambda n: n / 10_000), min_size=1, max_size=40)


def mixture(losses, target):
    """E_n by scipy's densities, which are good enough for few runs and small effects."""
    n = len(losses)
    t = scipy.stats.ttest_1samp(losses, target).statistic
    ratios = [
        scipy.stats.nct.pdf(t, n - 1, -math.sqrt(n) * effect) / scipy.stats.t.pdf(t, n - 1)
        for effect in EFFECTS
    ]
    return np.mean(ratios)


def test_the_tiny_records_seeds_are_certified_with_the_seventh_run():
    test = sequential_t(TINY, 1.30)
    assert [round(math.exp(value)) for value in test.log_e_values[5:7]] == [83, 216]
    assert (test.certified_at, test.certified, test.n) == (7, True, 8)
    assert test.p_value == pytest.approx(math.exp(-max(test.log_e_values)))


def test_the_e_values_are_those_of_scipys_densities():
    test = sequential_t(TINY, 1.30)
    for n in range(2, 9):
        assert math.exp(test.log_e_values[n - 1]) == pytest.approx(
            mixture(TINY[:n], 1.30), rel=1e-4
        )


@given(losses=LOSSES, n=st.integers(1, 40))
def test_later_runs_change_no_earlier_e_value(losses, n):
    whole, part = sequential_t(losses, 3.28), sequential_t(losses[:n], 3.28)
    assert part.log_e_values == pytest.approx(whole.log_e_values[:n], abs=1e-9)
    if part.certified_at is not None:
        assert whole.certified_at == part.certified_at


@given(losses=LOSSES)
def test_accuracies_are_tested_as_losses_of_the_other_sign(losses):
    above = sequential_t(np.negative(losses), -3.28, direction="greater")
    assert above.log_e_values == sequential_t(losses, 3.28).log_e_values


@given(losses=LOSSES.filter(lambda x: len(set(x)) > 1), scale=st.floats(0.01, 100))
def test_the_unit_of_the_losses_changes_nothing(losses, scale):
    scaled = sequential_t(np.multiply(losses, scale), 3.28 * scale)
    assert scaled.log_e_values == pytest.approx(sequential_t(losses, 3.28).log_e_values, abs=1e-6)


@pytest.mark.parametrize("losses", [[], [3.2], [3.2] * 12, [0.3, 0.1 + 0.2, 0.3]], ids=str)
def test_equal_losses_are_no_evidence_however_low(losses):
    test = sequential_t(losses, 3.28)
    assert test.log_e_values == (0.0,) * len(losses)
    assert (test.e_value, test.p_value, test.certified) == (1.0, 1.0, False)


def test_evidence_begins_where_the_losses_begin_to_differ():
    test = sequential_t([3.2, 3.2, 3.2, 3.21], 3.28)
    assert test.log_e_values[:3] == (0.0, 0.0, 0.0)
    assert math.exp(test.log_e_values[3]) == pytest.approx(
        mixture([3.2, 3.2, 3.2, 3.21], 3.28), rel=1e-4
    )


def test_runs_in_flight_count_in_the_mean_and_leave_the_certification():
    late = sequential_t([*TINY[:7], 1.31, 1.31], 1.30)
    assert (late.certified_at, late.certified) == (7, True)
    assert late.e_value < 100 < 1 / late.p_value
    assert late.mean == pytest.approx(np.mean([*TINY[:7], 1.31, 1.31]))


@pytest.mark.parametrize("loss", [math.nan, math.inf])
@pytest.mark.parametrize("position", [0, 3, 7])
def test_a_diverged_run_ends_the_campaign_without_a_certificate(loss, position):
    losses = [*TINY[:position], loss, *TINY[position:]]
    test = sequential_t(losses, 1.30)
    assert (test.n, test.diverged_at, test.certified) == (position, position + 1, False)
    assert test.log_e_values == sequential_t(TINY[:position], 1.30).log_e_values


@pytest.mark.parametrize(
    ("draw", "most"),
    [(lambda rng, shape: rng.standard_normal(shape), 0.010), (lookalike_scores, 0.012)],
    ids=["normal", "skewed"],
)
def test_looking_after_each_run_certifies_about_one_percent_of_records_at_the_target(draw, most):
    values = draw(np.random.default_rng(20250116), (20_000, 64))
    crossed = np.mean(first_crossing(-values, boundary(64, 0.01)) > 0)
    print(f"certified {crossed:.2%}")
    assert 0.003 < crossed < most + 3.5 * math.sqrt(most / 20_000)


def test_a_record_like_the_sub_3_is_certified_after_23_runs_on_average():
    rng = np.random.default_rng(1)
    crossed = first_crossing(rng.normal(0.742, 1, (10_000, 64)), boundary(64, 0.01))
    used = np.where(crossed > 0, crossed, 64)
    assert np.mean(crossed > 0) > 0.988
    assert used.mean() == pytest.approx(23.3, abs=0.5)
    assert np.median(used) == 21


@settings(max_examples=examples(50))
@given(seed=st.integers(0, 10**6), effect=st.floats(0, 2))
def test_simulated_bounds_decide_what_the_e_values_of_losses_decide(seed, effect):
    values = np.random.default_rng(seed).normal(effect, 1, (1, 40))
    test = sequential_t(3.28 - 0.0018 * values[0], 3.28)
    assert (test.certified_at or 0) == first_crossing(values, boundary(40, 0.01))[0]


@given(losses=st.lists(st.floats(), max_size=8), target=st.floats())
@example(losses=[1e308, -1e308, 1e308], target=-1e308)
@example(losses=[1.0, 1.0 + 1e-15], target=0.0)
@example(losses=[1e-320, 2e-320], target=1e308)
def test_no_input_gives_nan_infinity_or_a_warning(losses, target):
    test = sequential_t(losses, target)
    assert all(math.isfinite(value) for value in test.log_e_values)
    assert 0 < test.p_value <= 1
    assert math.isfinite(test.e_value)
    moments = (test.mean, test.std)
    assert all(math.isfinite(x) for x in moments if x is not None)


def test_a_thousand_runs_far_below_the_target_have_a_finite_e_value():
    losses = 3.0 + 0.001 * np.random.default_rng(4).standard_normal(1000)
    test = sequential_t(losses, 3.28)
    assert test.log_e_values[-1] > 700
    assert math.isfinite(test.e_value)
    assert 0 < test.p_value < 1e-300


@pytest.mark.parametrize("alpha", [0, 1, math.nan])
def test_an_impossible_alpha_is_refused_by_name(alpha):
    with pytest.raises(UsageError, match="alpha is"):
        sequential_t(TINY, 1.3, alpha)


def sample(effect, n, target=3.28):
    """n losses whose mean is exactly `effect` of their standard deviations from the target."""
    shape = np.random.default_rng(8).standard_normal(n)
    return target + 0.0018 * ((shape - shape.mean()) / shape.std(ddof=1) + effect)


@pytest.mark.parametrize("effect", [-0.2, 0.3])
def test_the_best_effect_is_the_ninety_percent_bound_of_the_noncentral_t(effect):
    advice = futility(sample(effect, 20), 3.28)
    assert advice.effect == pytest.approx(effect)
    noncentral = scipy.stats.nct(19, -math.sqrt(20) * advice.best_effect)
    assert noncentral.cdf(-math.sqrt(20) * effect) == pytest.approx(0.1, abs=1e-4)


@pytest.mark.parametrize(("effect", "futile"), [(-0.4, False), (-0.2, False), (0.4, True)])
def test_a_campaign_is_futile_when_even_the_best_effect_leaves_no_chance(effect, futile):
    advice = futility(sample(effect, 16), 3.28)
    assert advice.futile is futile
    assert advice.best_effect < advice.effect
    mirrored = futility(-sample(effect, 16), -3.28, direction="greater")
    assert mirrored.chance == pytest.approx(advice.chance)
    assert mirrored.best_effect == pytest.approx(-advice.best_effect)


def test_the_chance_is_that_of_campaigns_that_go_on_with_the_best_effect():
    begun = sample(-0.1, 24)
    advice = futility(begun, 3.28, maximum=48)
    rng = np.random.default_rng(12)
    sd = begun.std(ddof=1)
    rest = 3.28 + sd * (advice.best_effect + rng.standard_normal((600, 24)))
    certified = [sequential_t([*begun, *more], 3.28).certified for more in rest]
    assert advice.chance == pytest.approx(np.mean(certified), abs=0.08)


@pytest.mark.parametrize(
    "losses",
    [sample(0.4, 15), sample(0.4, 64), sample(-3.0, 20), [3.2] * 20, [*sample(0.4, 20), math.nan]],
    ids=["too early", "at the maximum", "certified", "equal", "diverged"],
)
def test_there_is_no_advice_before_16_runs_or_once_the_campaign_is_decided(losses):
    assert futility(losses, 3.28) is None


def test_good_records_are_hardly_ever_called_futile():
    rng = np.random.default_rng(6)
    advice = [futility(rng.normal(-0.742, 1, 16), 0.0) for _ in range(400)]
    assert np.mean([a is not None and a.futile for a in advice]) < 0.015


@settings(max_examples=examples(30))
@given(
    losses=st.lists(st.floats(-1e300, 1e300), min_size=16, max_size=20),
    target=st.floats(allow_nan=False),
)
@example(losses=[1.0] * 16 + [1.0 + 1e-9], target=-1e9)
def test_no_campaign_gives_advice_that_is_not_a_number(losses, target):
    advice = futility(losses, target)
    assert advice is None or all(math.isfinite(x) for x in dataclasses.astuple(advice))


@pytest.mark.parametrize("maximum", [1, 0, 1001])
def test_a_maximum_that_the_test_is_not_made_for_is_refused(maximum):
    with pytest.raises(UsageError, match="maximum is"):
        futility(sample(0.4, 20), 3.28, maximum=maximum)
