"""The t-test and the moments under it against scipy.stats and numpy."""

from __future__ import annotations

import dataclasses
import math
import subprocess
import sys
import warnings

import numpy as np
import pytest
import scipy.stats
from hypothesis import assume, example, given
from hypothesis import strategies as st

from speedcheck.stats import bayes_mean_std, moments, one_sample_t, outliers, runtime_stats

LOSSES = st.lists(st.floats(0.1, 12), min_size=2, max_size=60)
PRINTED_LOSSES = st.lists(st.integers(32_000, 34_000).map(lambda i: i / 1e4), min_size=2)
ANY_FLOATS = st.lists(st.floats(), max_size=30)


def scipy_test(losses, target):
    """Give scipy's result, or None where it warns that the variance is a rounding error."""
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message="Precision loss")
        try:
            return scipy.stats.ttest_1samp(losses, target, alternative="less")
        except RuntimeWarning:
            return None


@given(losses=LOSSES | PRINTED_LOSSES, target=st.floats(0.1, 12))
def test_t_df_and_p_are_those_of_scipy_wherever_scipy_trusts_its_own(losses, target):
    assume(len(set(losses)) > 1)
    expected = scipy_test(losses, target)
    actual = one_sample_t(losses, target)
    if expected is None:
        assert actual.p_value is None
    else:
        assert actual.t == pytest.approx(expected.statistic, rel=1e-12)
        assert actual.df == expected.df
        assert actual.p_value == pytest.approx(expected.pvalue, rel=1e-10)


@given(losses=LOSSES | PRINTED_LOSSES)
def test_mean_and_sd_are_those_of_numpy(losses):
    sample = moments(losses)
    assert sample.mean == np.mean(losses)
    # Where the spread is called rounding, sd is 0 and numpy's is of that order.
    assert sample.std == pytest.approx(np.std(losses, ddof=1), rel=1e-12, abs=1e-13)


@given(values=ANY_FLOATS | LOSSES, target=st.floats())
@example(values=[3.27, 3.28], target=math.nan)
@example(values=[3.27, 3.28], target=-math.inf)
@example(values=[1e-160, -1e-160], target=1e300)
@example(values=[1e308, 1.5e308], target=3.28)
def test_no_input_gives_nan_infinity_or_a_warning(values, target):
    test = dataclasses.replace(one_sample_t(values, target), target=3.28)
    results = [test, runtime_stats(values), *(bayes_mean_std(values) or ())]
    figures = [x for r in results if r is not None for x in dataclasses.astuple(r)]
    assert all(math.isfinite(x) for x in figures if x is not None)
    assert all(0 <= index < len(values) for index in outliers(values))


@pytest.mark.parametrize(
    ("losses", "mean", "std"),
    [
        ([], None, None),
        ([3.27], 3.27, None),
        ([3.27, 3.27, 3.27], 3.27, 0.0),
        ([0.1 + 0.2, 0.3], 0.1 + 0.2, 0.0),
        ([3.27, math.nan], None, None),
        ([3.27, math.inf], None, None),
    ],
    ids=["none", "one", "equal", "equal up to rounding", "nan", "infinite"],
)
def test_undefined_tests_have_no_p_value_and_keep_what_is_defined(losses, mean, std):
    test = one_sample_t(losses, 3.28)
    assert (test.n, test.t, test.df, test.p_value) == (len(losses), None, None, None)
    assert test.mean == mean
    assert test.std == std


@pytest.mark.parametrize("difference", [1e-14, 1e-10, 1e-6])
def test_a_difference_beyond_rounding_is_tested_however_small(difference):
    losses = [3.27, 3.27 * (1 + difference)]
    expected = scipy_test(losses, 3.28)
    assert one_sample_t(losses, 3.28).p_value == pytest.approx(expected.pvalue, rel=1e-12)


def test_importing_the_statistics_imports_neither_scipy_stats_nor_pandas():
    code = "import sys, speedcheck.stats; print({'scipy.stats', 'pandas'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
