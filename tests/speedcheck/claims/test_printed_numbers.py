"""Figures that were printed are confirmed at the digits that they print."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speedcheck.claims.numbers import Printed


def agrees(claimed, value):
    return Printed(claimed, float(claimed)).agrees(value)


@given(value=st.floats(-1e6, 1e6), digits=st.integers(0, 20))
def test_a_float_agrees_with_itself_printed_in_any_number_of_decimals(value, digits):
    assert agrees(f"{value:.{digits}f}", value)


@given(value=st.floats(1e-12, 1e6), digits=st.integers(1, 17))
def test_a_float_agrees_with_itself_printed_in_any_number_of_significant_digits(value, digits):
    assert agrees(f"{value:.{digits}g}", value)


@given(value=st.floats(-100, 100), digits=st.integers(1, 10), off=st.sampled_from([-2, -1, 1, 2]))
def test_a_figure_that_is_off_by_one_in_its_last_digit_does_not_agree(value, digits, off):
    printed = f"{round(value, digits) + off * 10**-digits:.{digits}f}"
    # Exactly between two figures both are right.
    is_tie = abs(abs(value - float(printed)) * 10**digits - 0.5) < 1e-3
    assert is_tie or not agrees(printed, value)


def test_more_digits_are_asked_for_where_more_are_printed():
    assert agrees("3.28", 3.2777)
    assert not agrees("3.2770", 3.2777)
    assert agrees("7.92e-05", 7.9226e-05)
    assert not agrees("7.93e-05", 7.9226e-05)


@pytest.mark.parametrize("claimed", ["0.125", "0.12", "0.13"])
def test_a_half_may_be_rounded_either_way(claimed):
    assert agrees(claimed, 0.125)


def test_a_half_that_a_sum_of_floats_misses_by_its_last_bits_is_a_half():
    assert agrees("152.90", 152.89499999999998)
    assert not agrees("152.90", 152.89499)
