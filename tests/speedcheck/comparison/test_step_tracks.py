"""Comparing records on tracks that count steps, and by the pairwise rule."""

from __future__ import annotations

import numpy as np
import pytest

from tests.speedcheck.comparison.comparing import FAST, SLOW, compared
from tests.speedcheck.comparison.test_compare_folders import MIRROR, STEP_TRACK, STEPS_ONLY


def test_steps_decide_where_the_track_counts_them(published, cli, tmp_path):
    config = tmp_path / "own.toml"
    config.write_text(STEPS_ONLY)
    a, b = published("a", SLOW, steps=1300, n_gpus=1), published("b", FAST, steps=1393)
    track = ("--track", "steps", "--config", config)
    assert compared(cli, *track, a, b)["outcome"] == "better"
    assert compared(cli, *track, b, a)["outcome"] == "worse"
    assert "BETTER: A takes 1300 steps, B 1393" in cli("compare", *track, a, b).out
    assert "WORSE: A takes 1393 steps, B 1300" in cli("compare", *track, b, a).out
    same = compared(cli, *track, published("c", FAST), published("d", SLOW))
    assert (same["outcome"], same["blocked_by"]) == ("undecided", "steps")


@pytest.fixture
def stepped(build, published_log_text):
    """Write records of the step-count track with losses around a mean, of so many steps."""

    def write(name, n, mean, steps, earlier=4.4043):
        shape = np.linspace(-1, 1, n) * 1e-4
        texts = {
            f"{i}.txt": published_log_text(val_loss=mean + x, steps=steps, time_ms=9000 + i)
            for i, x in enumerate(shape)
        }
        return build.folder(
            {log: text.replace("4.4043", f"{earlier:.4f}") for log, text in texts.items()}, name
        )

    return write


@pytest.mark.parametrize(
    ("old", "new", "value", "outcome"),
    [
        ((16, 3.28, 3015), (10, 3.28, 3000), 0.00167, "undecided"),
        ((10, 3.2778, 3040), (16, 3.2785, 3000), 0.00273, "undecided"),
        ((20, 3.2780, 3050), (20, 3.2782, 3000), 0.00648, "better"),
    ],
    ids=["15 steps", "40 steps", "50 steps"],
)
def test_the_pairwise_rule_gives_the_worked_figures(stepped, cli, old, new, value, outcome):
    a, b = stepped("new", *new), stepped("old", *old)
    found = compared(cli, *STEP_TRACK, a, b)
    rule = found["step_rule"]
    assert (found["outcome"], rule["new"], rule["n_old"]) == (outcome, "A", old[0])
    assert rule["value"] == pytest.approx(value, abs=1e-5)
    assert rule["margin"] == pytest.approx(0.004)
    assert rule["rate"] == pytest.approx(0.0045 / 100)
    mirror = compared(cli, *STEP_TRACK, b, a)
    assert (mirror["outcome"], mirror["step_rule"]["new"]) == (MIRROR[outcome], "B")
    assert mirror["step_rule"]["value"] == rule["value"]


def test_an_undecided_pairwise_rule_says_how_many_runs_or_steps_would_do(stepped, cli):
    a, b = stepped("new", 10, 3.28, 3000), stepped("old", 16, 3.28, 3015)
    found = compared(cli, *STEP_TRACK, a, b)
    assert found["blocked_by"] == "step_rule"
    more, needed = found["more_runs"], found["step_rule"]["steps_needed"]
    rate = 0.0045 / 100

    def value(saved, k):
        return rate * saved / np.sqrt(1 / (16 + k) + 1 / (10 + k))

    assert value(15, more) >= 0.004 - 1e-12 > value(15, more - 1)
    assert value(needed, 0) >= 0.004 - 1e-12 > value(needed - 1, 0)
    out = cli("compare", *STEP_TRACK, a, b).out
    assert "UNDECIDED: A takes 3000 steps, B 3015, but by the pairwise rule A reaches 0.0016" in out
    assert "reaches 0.001674, and 0.004 decides" in out
    assert f"{more} more runs of each side would decide it" in out


def test_the_table_has_each_step_and_names_the_earliest_as_a_choice(stepped, cli):
    a, b = stepped("new", 8, 3.275, 3000, earlier=3.276), stepped("old", 8, 3.279, 3100)
    choices = compared(cli, *STEP_TRACK, a, b)["step_rule"]["choices"]
    assert [choice["step"] for choice in choices] == [125, 3000]
    assert [choice["steps_saved"] for choice in choices] == [2975, 100]
    assert all(choice["passes_alone"] and choice["shown"] for choice in choices)
    out = cli("compare", *STEP_TRACK, a, b).out
    assert "125 is the earliest step that passes both, chosen among 2 looks" in out
    # Losses above the target are not a record's, however many steps they save.
    high = stepped("high", 8, 3.281, 2000)
    assert compared(cli, *STEP_TRACK, high, b)["step_rule"]["earliest"] is None


def test_a_diverged_run_leaves_the_pairwise_rule_without_an_answer(stepped, log_text, cli):
    a, b = stepped("new", 4, 3.275, 3000), stepped("old", 4, 3.279, 3100)
    nan = (a / "0.txt").read_text().replace("val_loss:3.2749", "val_loss:nan")
    (a / "0.txt").write_text(nan)
    found = compared(cli, *STEP_TRACK, a, b)
    assert (found["blocked_by"], found["step_rule"]) == ("no_test", None)
    assert "a run of A diverged" in cli("compare", *STEP_TRACK, a, b).out
