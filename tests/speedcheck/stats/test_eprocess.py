"""The e-values against mpmath, scipy's densities and what a martingale must be."""

from __future__ import annotations

import math

import mpmath
import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad

from speedcheck.stats.crossing import Earlier, first_crossing
from speedcheck.stats.eprocess import EFFECTS, boundary, log_e
from speedcheck.stats.prefixes import prefixes


def one(t, n, effects=EFFECTS, **kwargs):
    return float(log_e(np.array([t]), np.array([n]), effects, **kwargs)[0])


def chi_integral(c, n):
    """log I_(n-1) of I_k, the integral of w^k exp(c w - w^2 / 2): I_k = c I_(k-1) + (k-1) I_(k-2).

    Upwards the recurrence loses exp(2 |c| sqrt(n)) of its precision for c < 0. mpmath has it to
    spare; where it is too much, the ratios I_k / I_(k-1) are computed downwards instead.
    """
    loss = 2 * max(-c, 0) * math.sqrt(n) / math.log(10)
    with mpmath.workdps(60 + int(min(loss, 300))):
        c = mpmath.mpf(c)
        first = mpmath.sqrt(mpmath.pi / 2) * mpmath.exp(c * c / 2)
        first *= mpmath.erfc(-c / mpmath.sqrt(2))
        second = 1 + c * first
        if loss < 300:
            for k in range(2, n):
                first, second = second, c * second + (k - 1) * first
            return mpmath.log(second)
        start = int((math.sqrt(n) + 40 / abs(c)) ** 2) + 2
        ratio, product = mpmath.sqrt(start), mpmath.mpf(1)
        for k in range(start, 1, -1):
            ratio = (k - 1) / (ratio - c)
            product *= ratio if k <= n else 1
        return mpmath.log(first * product)


def exact_log_ratio(t, n, effect):
    """The textbook density of the noncentral t over that of the central one, in high precision."""
    noncentrality = math.sqrt(n) * effect
    share = t / math.hypot(math.sqrt(n - 1), t)
    with mpmath.workdps(60):
        chi = mpmath.log(2) * (mpmath.mpf(n) / 2 - 1) + mpmath.loggamma(mpmath.mpf(n) / 2)
        integral = chi_integral(noncentrality * share, n)
        return float(integral - chi - mpmath.mpf(noncentrality) ** 2 / 2)


@pytest.mark.parametrize("n", [2, 3, 8, 33, 64, 200, 1000])
@pytest.mark.parametrize("effect", [-5.0, -1.5, 0.1, 0.5, 5.0])
def test_ratios_are_exact_to_a_thousand_runs_and_effects_of_five(n, effect):
    for observed in (-30.0, -5.0, -0.7, 0.0, 0.01, 0.5, 2.0, 5.0, 30.0):
        t = math.sqrt(n) * observed
        expected = exact_log_ratio(t, n, effect)
        assert one(t, n, (effect,)) == pytest.approx(expected, rel=1e-13, abs=3e-12)


@pytest.mark.parametrize("n", [2, 5, 32])
def test_the_exact_ratio_is_the_one_of_the_densities_by_their_definition(n):
    """t = (Z + noncentrality) / W, W the sample's sd: the density is an integral over W."""

    def density(t, noncentrality):
        scale = math.sqrt(n - 1)

        def integrand(w):
            return (
                w
                * scipy.stats.norm.pdf(t * w - noncentrality)
                * scipy.stats.chi.pdf(w * scale, n - 1)
                * scale
            )

        return quad(integrand, 0, np.inf, epsabs=0, epsrel=1e-11, limit=200)[0]

    for t in (-3.0, 0.3, 2.5):
        expected = density(t, math.sqrt(n) * 0.75) / density(t, 0.0)
        assert math.exp(one(t, n, (0.75,))) == pytest.approx(expected, rel=1e-8)


@pytest.mark.parametrize("two_sided", [False, True])
@pytest.mark.parametrize("n", [2, 3, 7, 20])
def test_the_mean_e_value_at_the_target_is_one(n, two_sided):
    def weighted(t):
        return math.exp(one(t, n, two_sided=two_sided)) * scipy.stats.t.pdf(t, n - 1)

    mean = sum(quad(weighted, *ends, limit=200)[0] for ends in ((-np.inf, 0), (0, np.inf)))
    assert mean == pytest.approx(1, abs=1e-7)


@given(
    t=st.tuples(st.floats(-40, 40), st.floats(-40, 40)).map(sorted),
    n=st.integers(2, 300),
)
def test_e_values_rise_with_t_and_the_two_sided_ones_with_its_size(t, n):
    low, high = t
    assert one(low, n) <= one(high, n) + 1e-11
    assert one(high, n, two_sided=True) == pytest.approx(one(-high, n, two_sided=True), abs=1e-12)
    near, far = sorted(map(abs, t))
    assert one(near, n, two_sided=True) <= one(far, n, two_sided=True) + 1e-11


def test_the_two_sided_mixture_holds_both_signs_with_equal_weights():
    signs = [math.exp(one(sign * 2.0, 12)) for sign in (1, -1)]
    assert math.exp(one(2.0, 12, two_sided=True)) == pytest.approx(np.mean(signs))


@pytest.mark.parametrize("two_sided", [False, True])
@pytest.mark.parametrize("alpha", [0.001, 0.01, 0.2])
def test_the_boundary_is_where_the_e_value_reaches_one_over_alpha(alpha, two_sided):
    bounds = boundary(200, alpha, two_sided=two_sided)
    assert np.isinf(bounds[:2]).all()
    for n in range(2, 201):
        if np.isinf(bounds[n]):
            assert one(1e12, n, two_sided=two_sided) < -math.log(alpha) + 1e-9
        else:
            reached = one(bounds[n], n, two_sided=two_sided)
            assert reached == pytest.approx(-math.log(alpha), abs=1e-8)


def test_more_values_than_fit_into_one_block_are_all_evaluated():
    t = np.linspace(-5, 5, 10_000)
    together = log_e(t, 30.0)
    assert together.shape == (10_000,)
    assert together[[0, 5000, 9999]] == pytest.approx([one(x, 30) for x in t[[0, 5000, 9999]]])


@given(st.lists(st.floats(3.2, 3.4), min_size=1, max_size=30))
def test_prefixes_are_the_moments_of_each_prefix(values):
    found = prefixes(values)
    for n in range(1, len(values) + 1):
        assert found.mean[n - 1] == pytest.approx(np.mean(values[:n]), rel=1e-14)
        expected = np.std(values[:n], ddof=1) if n > 1 else 0.0
        assert found.std[n - 1] == pytest.approx(expected, rel=1e-7, abs=1e-14)


def test_prefixes_of_large_values_keep_their_spread():
    spread = np.array([1.0, 3.0, 2.0, 5.0])
    assert prefixes(1e9 + spread).std == pytest.approx(prefixes(spread).std)
    assert prefixes([0.3, 0.1 + 0.2, 0.3]).std.tolist() == [0.0, 0.0, 0.0]


def test_a_series_crosses_where_its_own_t_does_first():
    rng = np.random.default_rng(2)
    bounds = np.full(21, 2.5)
    bounds[:4] = np.inf
    values = rng.normal(0.5, 1, (300, 20))
    values[0] = 1.0
    found, both = first_crossing(values, bounds), first_crossing(-values, bounds, two_sided=True)
    for series, crossed in zip(values, found, strict=True):
        t = [scipy.stats.ttest_1samp(series[:n], 0).statistic for n in range(4, 21) if series.std()]
        assert crossed == next((n for n, x in enumerate(t, 4) if x >= 2.5), 0)
    assert set(found) > {0, 4}
    assert (both[found > 0] > 0).all()


def test_a_series_that_goes_on_crosses_as_if_it_had_been_seen_whole():
    rng = np.random.default_rng(3)
    values = rng.normal(0.6, 1, (200, 30))
    values[:, :10] = values[0, :10]
    begun = values[0, :10]
    bounds = np.array(boundary(30, 0.01))
    bounds[:11] = np.inf
    earlier = Earlier(10, begun.sum(), np.square(begun).sum())
    found = first_crossing(values[:, 10:], bounds, earlier)
    assert (found == first_crossing(values, bounds)).all()
    assert (found > 0).any()
