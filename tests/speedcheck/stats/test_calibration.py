"""The command behind the tables of docs/statistics.md, with few simulations."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest
from lookalike import lookalike_losses

SCRIPT = Path(__file__).resolve().parents[3] / "benchmarks" / "calibration.py"


@pytest.fixture(scope="module")
def calibration():
    spec = importlib.util.spec_from_file_location("calibration", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    # Where dataclasses look their module up.
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "calibration", module)
        spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def tables(calibration):
    """Give the rows of all tables by their first two cells, of 20,000 simulations each."""
    losses = lookalike_losses(np.random.default_rng(3), 1261).tolist()
    study = calibration.Study(records=20_000, races=20_000, campaigns=20_000, advised=5)
    rows = [row for _, table in calibration.tables(study, losses) for row in table]
    return {(first, second): rest for first, second, *rest in rows}


def percent(cell):
    return float(cell.rstrip("%"))


def test_looking_after_each_run_errs_in_one_percent_and_the_fixed_test_in_six(tables):
    normal, skewed = tables["sequential, a look after each of 64 runs", "20,000"]
    assert 0.3 < percent(normal) < 1.0
    assert 0.3 < percent(skewed) < 1.2 + 0.27
    for n in (3, 8, 32):
        once = tables[f"fixed test, {n} runs, looked at once", "20,000"]
        assert percent(once[0]) == pytest.approx(1.0, abs=0.25)
        assert 0.8 < percent(once[1]) < 1.5 + 0.3
    fixed = tables["fixed test, looked at after each run from the 3rd to the 32nd", "20,000"]
    assert percent(fixed[0]) == pytest.approx(6.6, abs=0.7)


def test_a_record_like_the_sub_3_takes_23_runs(tables):
    certified, _, mean, median = tables["-0.742", "normal"]
    assert percent(certified) > 99
    assert float(mean) == pytest.approx(23.35, abs=0.35)
    assert median == "21"


def test_races_between_equals_are_decided_in_at_most_one_percent(tables):
    names = ["normal", "5 % of runs slower by 5 sd on average", "both"]
    assert all(percent(tables[name, "20,000"][0]) < 1.0 for name in names)


def test_a_difference_of_one_and_a_half_sd_is_decided_by_17_pairs_on_average(tables):
    _, _, mean, _, wrong = tables["0.15 s", "0 s"]
    assert float(mean) == pytest.approx(16.6, abs=0.4)
    assert wrong == "0"
    _, _, drifting, _, wrong = tables["0.15 s", "0.1 s"]
    assert float(drifting) > float(mean) + 3
    assert wrong == "0"


def test_drift_is_added_in_the_order_a_b_b_a(calibration):
    drifted = calibration.drifting(np.zeros((1, 4, 2)))[0]
    assert drifted.tolist() == [[0, 1], [3, 2], [4, 5], [7, 6]]
