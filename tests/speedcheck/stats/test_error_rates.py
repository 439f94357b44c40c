"""Error rates by simulation: `pytest -rP` prints the figures that docs/statistics.md quotes.

Samples come from the normal distribution and from losses like published ones (lookalike.py).
"""

from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.stats
from lookalike import lookalike_scores

from speedcheck.stats import bayes_mean_std, one_sample_t, outliers, power

TARGET = 3.28
ALPHA = 0.01
SD = 0.0018


@pytest.fixture
def rng():
    return np.random.default_rng(20250116)


@pytest.fixture(params=["normal", "skewed"])
def source(request):
    return request.param


@pytest.fixture
def draw(source, rng):
    """Give a function (shape, effect in sd) -> losses of this shape with mean TARGET + effect."""
    if source == "normal":
        return lambda shape, effect=0.0: TARGET + SD * (rng.standard_normal(shape) + effect)
    return lambda shape, effect=0.0: TARGET + SD * (lookalike_scores(rng, shape) + effect)


@pytest.fixture
def rate(request):
    """Give a function that prints the share of hits beside the test's name and returns it."""

    def share_of(hits, name=""):
        share = float(np.mean(hits))
        print(f"{request.node.name} {name}: {share:.2%} of {len(hits)}")
        return share

    return share_of


def passes(losses):
    # Losses are rounded to 1e-4: three can be equal, and then nothing is certified.
    p_value = one_sample_t(losses, TARGET).p_value
    return p_value is not None and p_value < ALPHA


def noise(probability, samples):
    """Three and a half standard errors of a rate."""
    return 3.5 * math.sqrt(probability * (1 - probability) / samples)


@pytest.mark.parametrize(
    "n", [pytest.param(3, marks=pytest.mark.slow), 8, pytest.param(32, marks=pytest.mark.slow)]
)
def test_the_t_test_passes_about_one_percent_of_records_at_the_target(source, draw, n, rate):
    samples = 20_000
    size = rate([passes(losses) for losses in draw((samples, n))])
    # Losses skewed to the right cost the one-sided test up to half alpha.
    most = {"normal": ALPHA, "skewed": 1.5 * ALPHA}[source]
    assert ALPHA - noise(ALPHA, samples) < size < most + noise(ALPHA, samples)


@pytest.mark.slow
def test_power_is_the_share_of_records_that_pass(draw, rate):
    samples, n, effect = 10_000, 32, -0.742
    expected = power(n, effect, 1, 0, ALPHA)
    share = rate([passes(losses) for losses in draw((samples, n), effect)])
    assert share == pytest.approx(expected, abs=0.005 + noise(expected, samples))


@pytest.mark.slow
@pytest.mark.parametrize("n", [8, 32])
def test_ninety_percent_intervals_hold_the_true_mean_and_sd(draw, n, rate):
    samples = 10_000
    estimates = [bayes_mean_std(losses) for losses in draw((samples, n))]
    means = rate([mean.low <= TARGET <= mean.high for mean, _ in estimates], "mean")
    sds = rate([std.low <= SD <= std.high for _, std in estimates], "sd")
    assert means == pytest.approx(0.9, abs=0.01 + noise(0.9, samples))
    assert sds == pytest.approx(0.9, abs=0.01 + noise(0.9, samples))


@pytest.mark.slow
def test_testing_after_every_run_passes_far_more_than_one_percent(source, draw, rate):
    samples = 2_000
    expected = {"normal": 0.066, "skewed": 0.083}[source]
    peeked = [any(passes(losses[:n]) for n in range(3, 33)) for losses in draw((samples, 32))]
    assert rate(peeked) == pytest.approx(expected, abs=noise(expected, samples))


@pytest.mark.parametrize("n", [5, 6, 7])
def test_below_eight_values_outliers_would_be_flagged_in_too_many_normal_samples(rng, n, rate):
    samples = rng.standard_normal((20_000, n))
    deviations = np.abs(samples - np.median(samples, axis=1, keepdims=True))
    mad = scipy.stats.median_abs_deviation(samples, axis=1)
    assert rate(0.6745 * deviations.max(axis=1) > 3.5 * mad) > 0.15
    assert not any(outliers(values) for values in samples[:1000])


@pytest.mark.slow
@pytest.mark.parametrize(("n", "most"), [(8, 0.16), (32, 0.13)])
def test_the_share_of_faultless_samples_with_an_outlier_is_bounded(draw, n, most, rate):
    flagged = [bool(outliers(losses)) for losses in draw((10_000, n))]
    assert 0 < rate(flagged) < most
