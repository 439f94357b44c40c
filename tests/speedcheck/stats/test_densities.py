"""The densities against scipy's distributions and the intervals of `bayes_mean_std`."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from speedcheck.stats import bayes_mean_std
from speedcheck.stats.densities import densities

SAMPLES = st.tuples(st.integers(0, 2**32 - 1), st.integers(2, 60)).map(
    lambda case: np.random.default_rng(case[0]).normal(3.28, 0.0018, size=case[1])
)


def mass(density, low=-np.inf, high=np.inf):
    x = np.linspace(density.x[0], density.x[-1], 20_001)
    y = np.interp(x, density.x, density.y)
    return np.trapezoid(np.where((x >= low) & (x <= high), y, 0), x)


@given(SAMPLES)
def test_mean_and_next_run_follow_students_t(losses):
    n, mean, std = losses.size, losses.mean(), losses.std(ddof=1)
    found = densities(losses)
    of_mean = scipy.stats.t(n - 1, mean, std / np.sqrt(n))
    assert found.mean.y == pytest.approx(of_mean.pdf(found.mean.x), rel=1e-6)
    of_next = scipy.stats.t(n - 1, mean, std * np.sqrt(1 + 1 / n))
    assert found.next_run.y == pytest.approx(of_next.pdf(found.next_run.x), rel=1e-6)


@given(SAMPLES)
def test_the_standard_deviation_is_the_root_of_an_inverse_gamma(losses):
    n = losses.size
    found = densities(losses).std
    variance = scipy.stats.invgamma((n - 1) / 2, scale=losses.var() * n / 2)
    x = np.array(found.x)
    assert found.y == pytest.approx(2 * x * variance.pdf(x**2), rel=1e-6)


@pytest.mark.parametrize("n", [8, 32, 500])
def test_the_intervals_hold_the_share_of_the_densities_that_they_say(n):
    losses = np.random.default_rng(n).normal(3.28, 0.0018, size=n)
    found, (mean, std) = densities(losses), bayes_mean_std(losses, 0.9)
    assert mass(found.mean, mean.low, mean.high) == pytest.approx(0.9, abs=0.005)
    assert mass(found.std, std.low, std.high) == pytest.approx(0.9, abs=0.005)
    assert mass(found.next_run) == pytest.approx(1, abs=0.005)


@given(SAMPLES, st.floats(1e-6, 1e6), st.floats(-1e3, 1e3))
def test_densities_are_finite_rising_in_x_and_move_with_their_losses(losses, scale, shift):
    before, after = densities(losses), densities(scale * (losses - 3.28) + shift)
    if after is None:  # equal up to rounding, so far from 0
        return
    for name in ("next_run", "mean", "std"):
        density = getattr(after, name)
        assert (np.diff(density.x) > 0).all()
        assert (np.array(density.y) >= 0).all()
        assert np.isfinite(density.y).all()
        assert max(density.y) * scale == pytest.approx(max(getattr(before, name).y), rel=1e-2)


@pytest.mark.parametrize("losses", [[], [3.27], [3.27] * 8, [0.1 + 0.2, 0.3], [3.2, np.nan]])
def test_there_is_nothing_to_draw_without_a_spread(losses):
    assert densities(losses) is None
