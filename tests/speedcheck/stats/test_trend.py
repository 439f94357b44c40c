"""The slope of times against their order."""

from __future__ import annotations

import numpy as np
import pytest
import statsmodels.api as sm
from scipy import stats

from speedcheck.stats.trend import trend


def test_one_series_is_scipys_regression():
    rng = np.random.default_rng(0)
    order, values = np.arange(1, 9), 180 + 0.02 * np.arange(8) + rng.normal(0, 0.1, 8)
    found = trend(order, values, ["w"] * 8)
    expected = stats.linregress(order, values)
    half = stats.t.ppf(0.975, 6) * expected.stderr
    assert found.slope == pytest.approx(expected.slope)
    assert (found.low, found.high) == (
        pytest.approx(expected.slope - half),
        pytest.approx(expected.slope + half),
    )


def test_several_series_have_a_level_each_as_in_a_regression_with_dummies():
    rng = np.random.default_rng(1)
    series = ["a"] * 5 + ["b"] * 3 + ["c"] * 4
    order = np.array([1, 2, 3, 4, 5, 1, 2, 3, 1, 2, 3, 4])
    level = np.array([{"a": 10.0, "b": 50.0, "c": 30.0}[name] for name in series])
    values = level + 0.3 * order + rng.normal(0, 0.2, len(order))
    dummies = np.column_stack([[name == which for name in series] for which in "abc"])
    fit = sm.OLS(values, np.column_stack([order, dummies]).astype(float)).fit()
    found = trend(order, values, series)
    assert found.n == 12
    assert found.slope == pytest.approx(fit.params[0])
    assert [found.low, found.high] == pytest.approx(list(fit.conf_int(0.05)[0]))


@pytest.mark.parametrize(
    ("order", "values", "series"),
    [
        ([], [], []),
        ([1, 2], [5.0, 6.0], "ww"),
        ([1, 1, 1], [5.0, 6.0, 7.0], "www"),
        ([1, 1, 1, 1], [5.0, 6.0, 7.0, 8.0], "abcd"),
        ([1, 2, 3], [5.0, 6.0, np.nan], "www"),
        ([1, 2, 3], [5.0, 6.0, np.inf], "www"),
    ],
)
def test_what_determines_no_interval_has_no_trend(order, values, series):
    assert trend(order, values, list(series)) is None
