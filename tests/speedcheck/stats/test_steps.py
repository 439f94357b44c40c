"""The rules of step-count tracks: the worked figures, scipy's normal distribution, brute force."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
import scipy.stats
from hypothesis import example, given
from hypothesis import strategies as st

from speedcheck.errors import UsageError
from speedcheck.rules.tracks import STEPS_MARGIN, STEPS_SIGMA, alpha_of_margin
from speedcheck.stats import one_sample_t, one_sample_z
from speedcheck.stats.step_rule import step_rule, step_scan

ALPHA = alpha_of_margin(STEPS_MARGIN, STEPS_SIGMA)
# 3.2790 to 3.2881 nats for 200 steps fewer of one program.
RATE = 0.0045 / 100
TRACK = {"rate": RATE, "sigma": STEPS_SIGMA, "alpha": ALPHA}


def rule(old, new, saved, **kwargs):
    return step_rule(old, new, old_steps=3000 + saved, new_steps=3000, **{**TRACK, **kwargs})


@pytest.mark.parametrize(
    ("old", "new", "saved", "value", "shown"),
    [
        ([3.28] * 16, [3.28] * 10, 15, "0.00167", False),
        ([3.2778] * 10, [3.2785] * 16, 40, "0.00273", False),
        ([3.2780] * 20, [3.2782] * 20, 50, "0.00648", True),
    ],
    ids=["15 steps", "40 steps", "50 steps"],
)
def test_the_rule_gives_the_worked_plot_data_of_the_public_track(old, new, saved, value, shown):
    found = rule(old, new, saved)
    assert (f"{found.value:.5f}", found.shown) == (value, shown)
    assert found.margin == pytest.approx(0.004)


def test_the_rule_is_a_z_test_of_the_loss_that_the_saved_steps_leave():
    rng = np.random.default_rng(3)
    old, new = rng.normal(3.28, STEPS_SIGMA, 9), rng.normal(3.28, STEPS_SIGMA, 5)
    found = rule(old, new, 60)
    z = (old.mean() - new.mean() + 60 * RATE) / (STEPS_SIGMA * math.sqrt(1 / 9 + 1 / 5))
    assert found.p_value == pytest.approx(scipy.stats.norm.sf(z))


def test_a_value_of_exactly_the_margin_passes():
    found = rule([3.280] * 2, [3.276] * 2, 0)
    assert found.value == pytest.approx(0.004)
    assert found.shown


@pytest.mark.parametrize(("worse", "steps"), [(0.0028, 68), (0.0, 40), (-0.0008, 32)])
def test_steps_that_reach_the_margin_exactly_are_enough(worse, steps):
    old, new = [3.28] * 2, [3.28 + worse] * 2
    assert rule(old, new, 0, rate=0.0001).steps_needed == steps
    assert rule(old, new, steps, rate=0.0001).shown


@given(
    gain=st.integers(-40, 40).map(lambda n: n / 10_000),
    runs=st.tuples(st.integers(1, 30), st.integers(1, 30)),
)
def test_steps_needed_is_the_smallest_number_of_saved_steps_that_passes(gain, runs):
    old, new = [3.28] * runs[0], [3.28 - gain] * runs[1]
    needed = rule(old, new, 0).steps_needed
    assert rule(old, new, needed).shown
    assert not rule(old, new, needed - 1).shown


def test_one_in_a_thousand_records_at_the_boundary_passes():
    rng = np.random.default_rng(5)
    old = rng.normal(3.28, STEPS_SIGMA, (20_000, 10))
    new = rng.normal(3.28 + 20 * RATE, STEPS_SIGMA, (20_000, 16))
    passed = np.mean([rule(*losses, 20).shown for losses in zip(old, new, strict=True)])
    assert passed == pytest.approx(ALPHA, abs=0.001)


@pytest.mark.parametrize(
    ("old", "new", "saved"),
    [([], [3.28], 5), ([3.28], [], 5), ([3.28, math.nan], [3.28], 5), ([3.28], [3.28], 10**400)],
    ids=["no old runs", "no new runs", "diverged", "no program has so many steps"],
)
def test_without_both_means_the_rule_has_no_value(old, new, saved):
    found = rule(old, new, saved)
    assert (found.value, found.p_value, found.shown, found.steps_needed) == (
        None,
        None,
        False,
        None,
    )


@given(
    old=st.lists(st.floats(), max_size=4),
    new=st.lists(st.floats(), max_size=4),
    saved=st.integers(),
    rate=st.floats(1e-308, 1e308),
)
@example(old=[1e308], new=[-1e308], saved=0, rate=1e-300)
@example(old=[3.28], new=[3.28], saved=10**9, rate=1e308)
def test_no_input_gives_nan_infinity_or_a_warning(old, new, saved, rate):
    figures = dataclasses.astuple(rule(old, new, saved, rate=rate))
    assert all(math.isfinite(x) for x in figures if isinstance(x, float))


@pytest.mark.parametrize("wrong", [{"rate": 0}, {"sigma": -1}, {"alpha": 1}], ids=str)
def test_figures_that_make_no_rule_are_refused_by_name(wrong):
    with pytest.raises(UsageError, match=f"{next(iter(wrong))} is"):
        rule([3.28], [3.28], 10, **wrong)


CURVES = [
    [(0, 10.8), (1000, 3.5 + x), (1100, 3.279 + x), (1200, 3.276 + x), (1250, 3.0)]
    for x in (0.0001, -0.0002, 0.0003, 0.0)
]
CURVES[1] = CURVES[1][:-1]


def test_the_scan_tests_each_step_that_all_runs_have_and_names_the_earliest_that_passes():
    scan = step_scan(CURVES, 3.28, ALPHA, STEPS_SIGMA)
    assert [row.step for row in scan.rows] == [1000, 1100, 1200]
    assert [row.passes for row in scan.rows] == [False, False, True]
    assert scan.earliest == 1200
    for row in scan.rows:
        losses = [dict(curve)[row.step] for curve in CURVES]
        test = one_sample_z(losses, 3.28, STEPS_SIGMA)
        assert (row.n, row.mean, row.p_value) == (4, test.mean, test.p_value)


def test_without_a_known_sigma_the_scan_is_a_t_test_on_the_tracks_side():
    scan = step_scan(CURVES, 3.28, 0.01)
    losses = [dict(curve)[1100] for curve in CURVES]
    assert scan.rows[1].p_value == one_sample_t(losses, 3.28).p_value
    assert scan.earliest == 1100
    mirrored = [[(step, -loss) for step, loss in curve] for curve in CURVES]
    assert step_scan(mirrored, -3.28, 0.01, direction="greater").earliest == 1100


@pytest.mark.parametrize("runs", [[], [[]], [[(5, 3.0)], [(6, 3.0)]], [[(0, 3.0)]]], ids=str)
def test_runs_without_a_common_step_after_the_start_have_no_scan(runs):
    scan = step_scan(runs, 3.28, 0.01, STEPS_SIGMA)
    assert (scan.rows, scan.earliest) == ((), None)


def test_a_step_where_a_run_diverged_does_not_pass():
    scan = step_scan([[(5, 3.0)], [(5, math.nan)]], 3.28, 0.01, STEPS_SIGMA)
    assert (scan.rows[0].p_value, scan.rows[0].passes) == (None, False)
