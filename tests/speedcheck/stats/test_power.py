"""Power and numbers of runs against numeric integration and brute force."""

from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.stats
from examples import examples
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad

from speedcheck.errors import UsageError
from speedcheck.stats import one_sample_t, power, runs_for_power, runs_needed

EFFECTS = st.floats(-3, -0.05)
# The noncentral t of scipy 1.13, the oldest that is supported, is wrong by up to 7e-5.
ACCURACY = 1e-4
ALPHAS = st.sampled_from([0.001, 0.01, 0.05])


def integrated_power(n, effect, alpha):
    """P(Z + sqrt(n) effect <= critical w) over w, the sample sd of n standard normal values."""
    df = n - 1
    critical = scipy.stats.t.ppf(alpha, df)

    def density(w):
        chance = scipy.stats.norm.cdf(critical * w - math.sqrt(n) * effect)
        return chance * scipy.stats.chi.pdf(w * math.sqrt(df), df) * math.sqrt(df)

    lowest, highest = max(0, 1 - 9 / math.sqrt(df)), 1 + 9 / math.sqrt(df)
    knots = np.linspace(lowest, highest, 12)[1:-1]
    return quad(density, lowest, highest, points=knots, limit=200)[0]


def test_power_of_the_sub_3_record_is_95_percent():
    assert f"{power(32, -0.742, 1, 0, 0.01):.1%}" == "95.4%"


@settings(max_examples=examples(50))
@given(n=st.integers(2, 300), effect=st.floats(-3, 1), alpha=ALPHAS)
def test_power_is_the_integral_over_the_sample_sd(n, effect, alpha):
    expected = integrated_power(n, effect, alpha)
    assert power(n, 3.28 + effect * 0.002, 0.002, 3.28, alpha) == pytest.approx(
        expected, abs=ACCURACY
    )


def test_power_is_that_of_scipys_noncentral_t():
    noncentral = scipy.stats.nct(31, math.sqrt(32) * -0.4)
    expected = noncentral.cdf(scipy.stats.t.ppf(0.01, 31))
    assert power(32, -0.4, 1, 0, 0.01) == pytest.approx(expected, abs=ACCURACY)


@pytest.mark.parametrize(("effect", "expected"), [(-1e300, 1), (-1e5, 1), (8, 0), (1e300, 0)])
@pytest.mark.parametrize("n", [2, 32, 10_000])
def test_power_of_huge_effects_is_certain(n, effect, expected):
    assert power(n, effect, 1, 0, 0.01) == pytest.approx(expected, abs=1e-12)


@settings(max_examples=examples(40))
@given(effect=st.floats(-3, -0.3), alpha=ALPHAS, wanted=st.floats(0.2, 0.99))
def test_runs_for_power_is_the_first_n_that_has_it(effect, alpha, wanted):
    n = runs_for_power(effect, 1, 0, alpha, power=wanted)
    assert power(n, effect, 1, 0, alpha) >= wanted
    assert all(power(m, effect, 1, 0, alpha) < wanted for m in range(2, n))


@settings(max_examples=examples(40))
@given(effect=EFFECTS, alpha=ALPHAS)
def test_runs_needed_is_the_first_n_at_which_such_a_sample_passes(effect, alpha):
    n = runs_needed(effect, 1, 0, alpha)
    assert scipy.stats.t.cdf(math.sqrt(n) * effect, n - 1) < alpha
    assert all(scipy.stats.t.cdf(math.sqrt(m) * effect, m - 1) >= alpha for m in range(2, n))


def test_a_sample_stretched_to_runs_needed_passes_and_one_run_fewer_does_not():
    def p_value(n):
        shape = np.random.default_rng(5).standard_normal(n)
        losses = 3.279 + 0.0018 * (shape - shape.mean()) / shape.std(ddof=1)
        return one_sample_t(losses, 3.28).p_value

    n = runs_needed(3.279, 0.0018, 3.28, 0.01)
    assert p_value(n) < 0.01 <= p_value(n - 1)


@pytest.mark.parametrize(
    ("mean", "sd"),
    [(3.28, 0.002), (3.29, 0.002), (3.27, 0), (3.27, math.nan), (math.nan, 0.002)],
    ids=["at the target", "above it", "no sd", "sd not a number", "mean not a number"],
)
def test_no_number_of_runs_helps_without_a_mean_below_the_target_and_an_sd(mean, sd):
    assert runs_for_power(mean, sd, 3.28, 0.01) is None
    assert runs_needed(mean, sd, 3.28, 0.01) is None


def test_more_runs_than_the_limit_are_no_plan():
    needed = runs_needed(-0.1, 1, 0, 0.01)
    assert runs_needed(-0.1, 1, 0, 0.01, limit=needed) == needed
    assert runs_needed(-0.1, 1, 0, 0.01, limit=needed - 1) is None
    assert runs_needed(-1e-9, 1, 0, 0.01) is None


@pytest.mark.parametrize(("n", "sd"), [(1, 0.002), (0, 0.002), (8, 0), (8, -1), (8, math.inf)])
def test_power_is_undefined_without_two_runs_and_a_finite_sd(n, sd):
    assert power(n, 3.27, sd, 3.28, 0.01) is None


@pytest.mark.parametrize("alpha", [0, 1, -0.01, math.nan])
def test_an_impossible_alpha_is_refused_by_name(alpha):
    for call in (runs_needed, runs_for_power, lambda *figures: power(8, *figures)):
        with pytest.raises(UsageError, match="alpha is"):
            call(3.27, 0.002, 3.28, alpha)
