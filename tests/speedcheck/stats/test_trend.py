"""The trend over the runs against scipy's linear regression."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from speedcheck.stats.trend import trend


@given(st.integers(0, 2**32 - 1), st.integers(4, 60), st.floats(-2, 2))
def test_the_line_and_its_interval_are_those_of_least_squares(seed, n, slope):
    place = np.arange(n)
    values = 180 + slope * place + np.random.default_rng(seed).normal(size=n)
    found, expected = trend(values), scipy.stats.linregress(place, values)
    reach = scipy.stats.t(n - 2).ppf(0.975) * expected.stderr
    assert found.slope == pytest.approx(expected.slope, rel=1e-7, abs=1e-9)
    assert found.high - found.slope == pytest.approx(reach, rel=1e-6)
    assert found.slope - found.low == pytest.approx(reach, rel=1e-6)
    assert found.first == pytest.approx(expected.intercept)
    assert found.last == pytest.approx(expected.intercept + expected.slope * (n - 1))


def test_a_drift_is_shown_and_noise_is_not():
    noise = np.random.default_rng(7).normal(size=32)
    assert trend(180 + 0.5 * np.arange(32) + noise).shown
    assert not trend(180 + noise).shown


@pytest.mark.parametrize("values", [[], [1, 2, 3], [5.0] * 9, [1, 2, np.nan, 4], [1, 2, 3, np.inf]])
def test_there_is_no_trend_without_enough_different_values(values):
    assert trend(values) is None
