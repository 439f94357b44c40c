from __future__ import annotations

import math
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainer.schedule import lr_multiplier, momentum_at, window_at


def record_window(step: int) -> tuple[int, int]:
    return window_at(step, 1393, max_window=1728, block_size=128)


@pytest.mark.parametrize(
    ("step", "long", "short"),
    [(0, 1, 1), (103, 1, 1), (104, 2, 1), (125, 2, 1), (1393, 14, 7)],
)
def test_the_records_windows_at_known_steps(step: int, long: int, short: int) -> None:
    assert record_window(step) == (long, short)


@given(st.integers(1, 3000), st.integers(0, 3000), st.integers(1, 4000), st.sampled_from([8, 128]))
def test_the_long_window_is_the_smallest_multiple_that_reaches_the_line(
    steps: int, step: int, max_window: int, block_size: int
) -> None:
    step = min(step, steps)
    line = max(Fraction(max_window * step, steps), Fraction(block_size))
    long, short = window_at(step, steps, max_window=max_window, block_size=block_size)
    assert long * block_size >= line > (long - 1) * block_size
    assert short == max(1, math.floor(long / 2))


def test_the_learning_rate_holds_for_60_percent_and_ends_near_a_tenth() -> None:
    rates = [lr_multiplier(step, 1000, cooldown=0.4) for step in range(1000)]
    assert rates[:601] == [1.0] * 601
    assert rates[800] == pytest.approx(0.55)
    assert rates[999] == pytest.approx(0.1 + 0.9 * 0.0025)
    assert rates == sorted(rates, reverse=True)


def test_momentum_rises_from_085_to_095_and_stays() -> None:
    values = [momentum_at(step, warmup=300) for step in (0, 150, 300, 1392)]
    assert values == pytest.approx([0.85, 0.90, 0.95, 0.95])
