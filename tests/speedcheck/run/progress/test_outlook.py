"""Time that is left, and losses against the curve of finished runs."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speedcheck.logs import parse_step_line
from speedcheck.run.progress.outlook import (
    Curve,
    Pace,
    duration,
    milliseconds,
    seconds_left,
    step_ms,
)


def line(step: int, *, kind: str = "train", loss: str = "2.5", ms: int = 0):
    return parse_step_line(f"step:{step}/10 {kind}_loss:{loss} train_time:{ms}ms step_avg:1.00ms")


def test_a_loss_is_compared_with_the_mean_of_the_finished_runs_at_its_step():
    curve = Curve()
    assert curve.difference(line(5)) is None
    curve.add([line(5, loss="2.0"), line(6, loss="1.0"), line(10, kind="val", loss="1.5")])
    curve.add([line(5, loss="3.0"), line(10, kind="val", loss="1.7"), line(10, loss="9.0")])
    assert curve.runs == 2
    assert curve.difference(line(5, loss="2.6")) == pytest.approx(0.1)
    assert curve.difference(line(6, loss="1.5")) == pytest.approx(0.5)
    assert curve.difference(line(10, kind="val", loss="1.5")) == pytest.approx(-0.1)
    assert curve.difference(line(7)) is None


def test_a_loss_that_is_not_finite_spoils_no_curve():
    curve = Curve()
    curve.add([line(5, loss="2.0")])
    curve.add([line(5, loss="nan")])
    assert curve.difference(line(5, loss="2.5")) == pytest.approx(0.5)


def test_the_time_of_a_step_is_the_timed_one():
    assert step_ms(line(5, ms=120)) == 24
    assert step_ms(line(0, kind="val")) is None


@given(
    fractions=st.lists(st.floats(0, 1), max_size=4),
    waiting=st.integers(0, 12),
    slots=st.integers(4, 6),
)
def test_the_time_left_is_that_of_a_queue_played_step_by_step(fractions, waiting, slots):
    """The oracle moves a clock to each end in turn and starts the next run there."""
    busy = sorted((1 - fraction) * 60 for fraction in fractions)
    now, left = 0.0, waiting
    while busy or left:
        while left and len(busy) < slots:
            busy.append(now + 60)
            left -= 1
        now = min(busy)
        busy.remove(now)
    assert seconds_left(60, fractions, waiting=waiting, slots=slots) == pytest.approx(now)


def test_the_pace_is_that_of_finished_runs_and_before_them_of_those_under_way():
    now = [0.0]
    pace = Pace(4, lambda: now[0])
    assert pace.seconds_left() is None
    pace.start(0)
    pace.start(1)
    now[0] = 10.0
    assert pace.seconds_left() is None
    pace.under_way[0].fraction = 0.5
    pace.under_way[1].fraction = 0.25
    # 40 s a run at the slower pace: 20 s and 30 s to go, then two more in two slots.
    assert pace.seconds_left() == pytest.approx(70)
    now[0] = 20.0
    pace.end(0, finished=True)
    pace.end(1, finished=False)
    assert pace.seconds_left() == pytest.approx(20)


def test_runs_of_an_earlier_session_are_not_waited_for():
    pace = Pace(3, lambda: 0.0)
    pace.keep(2)
    pace.start(2)
    pace.under_way[2].fraction = 1.0
    assert pace.seconds_left() == 0


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (None, "-"),
        (0, "0 s"),
        (89, "89 s"),
        (90, "2 min"),
        (5399, "90 min"),
        (11_100, "3 h 05 min"),
    ],
)
def test_a_time_for_people(seconds, shown):
    assert duration(seconds) == shown


@pytest.mark.parametrize(
    ("ms", "shown"),
    [(0.25, "0.25"), (9.812, "9.81"), (45.82, "45.8"), (250.0, "250"), (1234.5, "1234")],
)
def test_the_time_of_a_step_has_no_trailing_point(ms, shown):
    assert milliseconds(ms) == shown
