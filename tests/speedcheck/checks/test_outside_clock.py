"""Time outside of the clock, and clocks that show more time than there was."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speedcheck.api import verify
from speedcheck.checks.outside_clock import _rounding_s
from speedcheck.logs import parse_log


def found(folder):
    findings = verify(folder).verdicts.speed.findings
    return {f.code.split()[0]: f for f in findings if f.code.startswith(("S010", "S011"))}


def test_a_clock_that_shows_more_than_the_wall_is_a_warning_that_says_how_much(build):
    findings = found(build.record(details={"outside_clock_s": -9.155}))
    assert set(findings) == {"S011"}
    assert findings["S011"].severity == "warn"
    assert findings["S011"].where == "logs/seed-000.txt"
    assert "8 of 8 counted runs" in findings["S011"].message
    assert "up to 9.155 s more" in findings["S011"].message


@pytest.mark.parametrize("seconds", [0.0, 60.5, -0.0004, -0.0014])
def test_what_the_printed_milliseconds_explain_is_no_warning(build, seconds):
    assert set(found(build.record(details={"outside_clock_s": seconds}))) == {"S010"}


def test_a_millisecond_more_than_rounding_explains_is_a_warning(build):
    assert set(found(build.record(details={"outside_clock_s": -0.002}))) == {"S011"}


def test_the_warning_leaves_the_losses_certified(build):
    certificate = verify(build.record(details={"outside_clock_s": -9.0}))
    assert (certificate.verdicts.loss.status, certificate.certified) == ("pass", True)


@given(
    seconds=st.floats(0.001, 1e5),
    unit=st.sampled_from([1, 10, 100, 1000, 600, 6000, 60_000]),
    end=st.floats(0, 1),
)
def test_rounding_to_any_printed_unit_is_never_taken_for_a_wrong_clock(seconds, unit, end):
    """A run as long as its clock says, whose log prints both times to one unit."""
    times = [round(1000 * s / unit) * unit for s in (seconds / 2, seconds)]
    lines = [
        f"step:{step}/4 val_loss:3.2 train_time:{ms}ms\n"
        for step, ms in zip((2, 4), times, strict=True)
    ]
    (run,) = parse_log("".join(lines).encode(), "a.txt").runs
    wall = seconds + end
    assert round(round(wall, 3) - run.train_time_ms / 1000, 3) >= -_rounding_s(run)
