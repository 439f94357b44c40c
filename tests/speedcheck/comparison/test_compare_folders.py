"""`speedcheck compare`: what decides, what is refused, and what is said."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from speedcheck.comparison import outcome
from speedcheck.comparison.record_comparison import Compared
from speedcheck.stats.faster_record import LossRule, Side, compare_records
from speedcheck.stats.moments import moments
from tests.speedcheck.comparison.comparing import FAST, GPUS, LOSSES, SLOW, compared


def test_a_faster_record_is_better_and_its_mirror_image_is_worse(published, cli):
    a, b = published("a", FAST), published("b", SLOW)
    found, mirror = compared(cli, a, b), compared(cli, b, a)
    assert (found["outcome"], mirror["outcome"]) == ("better", "worse")
    assert found["time"]["difference"] == -mirror["time"]["difference"]
    shown = cli("compare", a, b).out.splitlines()
    assert shown[0] == shown[-1]
    assert shown[0].startswith("BETTER: A is 5.004 s faster (two-sided p")
    assert max(len(line) for line in shown[1:-1] if str(a.parent) not in line) <= 80


def test_two_and_two_runs_of_a_published_retiming_are_undecided(published, cli):
    """A difference of 0.164 s with a 95 % interval of -0.88 to +0.55 s, before machines."""
    times = [99_820, 99_852], [99_931, 100_069]
    test = scipy.stats.ttest_ind(*np.array(times) / 1000, equal_var=False)
    interval = [round(float(end), 2) for end in test.confidence_interval(0.95)]
    assert (interval, round(test.pvalue / 2, 2)) == ([-0.88, 0.55], 0.12)
    a, b = published("a", times[0], LOSSES[:2]), published("b", times[1], LOSSES[2:4])
    found = compared(cli, a, b)
    assert (found["outcome"], found["blocked_by"]) == ("undecided", "time")
    assert found["time"]["difference"] == pytest.approx(-0.164)
    assert found["time"]["low"] < -0.88 < 0.55 < found["time"]["high"]
    assert cli("compare", a, b).out.startswith("UNDECIDED: A is 0.164 s faster, but chance and ")


def test_between_machines_half_a_percent_of_the_run_time_is_in_the_error(published, cli):
    found = compared(cli, published("a", FAST), published("b", SLOW))
    a, b = np.array(FAST) / 1000, np.array(SLOW) / 1000
    within = scipy.stats.ttest_ind(a, b, equal_var=False).confidence_interval(0.95)
    between = scipy.stats.norm.ppf(0.975) * 0.005 * (a.mean() + b.mean()) / 2
    half = np.hypot((within.high - within.low) / 2, between)
    ends = a.mean() - b.mean() - half, a.mean() - b.mean() + half
    assert (found["time"]["low"], found["time"]["high"]) == pytest.approx(ends)
    small = compared(cli, published("c", [ms + 4500 for ms in FAST]), published("d", SLOW))
    assert (small["outcome"], small["blocked_by"]) == ("undecided", "time")
    assert small["more_runs"] is None
    assert small["pairs"] > 2


def test_a_track_says_how_much_its_machines_differ(published, cli, tmp_path):
    config = tmp_path / "own.toml"
    config.write_text("[tracks.still]\ntarget = 3.28\nmachine_spread = 0\n")
    a, b = published("a", [ms + 4500 for ms in FAST]), published("b", SLOW)
    found = compared(cli, "--track", "still", "--config", config, a, b)
    assert (found["outcome"], found["time"]["machine_spread"]) == ("better", 0)
    config.write_text("[tracks.still]\ntarget = 3.28\nmachine_spread = -1\n")
    assert "machine_spread" in cli("compare", "--track", "still", "--config", config, a, b).err


@pytest.mark.parametrize("minutes", [([0, 2, 4, 6], [1, 3, 5, 7]), ([0, 3, 4, 7], [1, 2, 5, 6])])
def test_runs_in_turn_on_one_machine_are_paired_without_a_spread(trained, cli, minutes):
    times = [9000, 9100, 8950, 9050], [9050, 9148, 9003, 9101]
    a, b = trained("a", times[0], minutes[0]), trained("b", times[1], minutes[1], shift=0.001)
    found = compared(cli, a, b)
    assert (found["time"]["test"], found["time"]["machine_spread"]) == ("paired", 0)
    p = scipy.stats.ttest_rel(*np.array(times) / 1000).pvalue
    assert found["time"]["p_two_sided"] == pytest.approx(p)


def test_runs_in_turn_on_two_machines_are_not_paired(trained, cli):
    times = [9000, 9100, 8950, 9050], [9050, 9148, 9003, 9101]
    a = trained("a", times[0], [0, 2, 4, 6])
    b = trained("b", times[1], [1, 3, 5, 7], hosts=("000000000000",), shift=0.001)
    assert compared(cli, a, b)["time"]["test"] == "welch"


def test_each_machine_of_a_folder_is_shown(trained, cli):
    a = trained("a", [9000, 9700, 8950, 9750], range(4), hosts=("5f0c1e2d3a4b", "0123456789ab"))
    b = trained("b", [9050, 9148, 9003, 9101], range(4, 8), shift=0.001)
    means = {h["host"]: h["time_s"]["mean"] for h in compared(cli, a, b)["a"]["hosts"]}
    assert means == {
        "5f0c1e2d3a4b a processor": pytest.approx(8.975),
        "0123456789ab a processor": pytest.approx(9.725),
    }
    assert "0123456789ab" in cli("compare", a, b).out


def test_faster_with_losses_that_may_be_worse_is_undecided(published, cli):
    a = published("a", FAST, [loss + 0.0015 for loss in LOSSES])
    b = published("b", SLOW)
    found = compared(cli, a, b)
    assert (found["outcome"], found["blocked_by"]) == ("undecided", "loss")
    assert found["more_runs"] > 0
    out = cli("compare", a, b).out
    assert f"{found['more_runs']} more runs of each side would decide it" in out
    assert "A is 5.004 s faster, but its losses are not shown to be no worse" in out
    assert "A is 5.004 s slower" not in cli("compare", b, a).out
    assert compared(cli, "--margin", "0.01", a, b)["outcome"] == "better"


def test_equal_losses_of_equal_seeds_are_no_worse(trained, cli):
    """A pure change of speed prints the same losses, and 4 runs of it could not show it else."""
    a = trained("a", [5000, 5010, 4990, 5005], range(4))
    b = trained("b", [9050, 9148, 9003, 9101], range(4, 8))
    found = compared(cli, a, b)
    assert found["loss"]["equal_seeds"] == {"common": 4, "equal": 4, "shown": True}
    assert found["outcome"] == "better"
    other = trained("c", [9050, 9148, 9003, 9101], range(4, 8), seeds=[10, 11, 12, 13])
    assert compared(cli, a, other)["blocked_by"] == "loss"


@pytest.mark.parametrize("options", [{"gpu": "NVIDIA H200"}, {"n_gpus": 1}, {"n_gpus": 0}])
def test_times_of_other_or_unknown_hardware_decide_nothing(published, cli, options):
    found = compared(cli, published("a", FAST), published("b", SLOW, **options))
    assert (found["outcome"], found["blocked_by"]) == ("undecided", "hardware")
    assert found["hardware_problem"]
    assert found["time"]["p_two_sided"] is found["time"]["low"] is None


def test_one_run_and_runs_without_times_are_undecided(published, build, cli):
    a, b = published("a", FAST), published("b", SLOW[:1])
    assert compared(cli, a, b)["blocked_by"] == "no_test"
    assert "B has one run" in cli("compare", a, b).out
    text = "[published]\nlosses = [3.2777, 3.2795, 3.2784]\n"
    untimed = build.folder({"record.toml": text}, "c")
    assert compared(cli, a, untimed)["blocked_by"] == "no_test"
    assert "no counted run of B has a time" in cli("compare", a, untimed).out


def test_times_without_losses_are_undecided(trained, build, cli, log_text):
    """Runs that diverged count, have no loss, and so show nothing about it."""
    logs = {f"{s}.txt": log_text(seed=s, diverges_at=150, gpus=GPUS) for s in range(4)}
    found = compared(cli, build.folder(logs, "a"), trained("b", [9000, 9100, 8900, 9050], range(4)))
    assert found["outcome"] == "undecided"
    assert found["loss"]["difference"] is None


def test_one_run_that_diverged_leaves_the_losses_undecided(published, log_text, trained, cli):
    a = trained("a", [5000, 5010, 4990, 5005], range(4))
    (a / "x.txt").write_text(log_text(seed=9, diverges_at=150, gpus=GPUS))
    b = trained("b", [9050, 9148, 9003, 9101], range(4, 8), seeds=[10, 11, 12, 13])
    found = compared(cli, a, b)
    assert (found["outcome"], found["blocked_by"]) == ("undecided", "loss")
    assert "(a run of A diverged)" in cli("compare", a, b).out


STEPS_ONLY = """
[tracks.steps]
target = 3.28
test = "known-sigma"
sigma = 0.0013
margin = 0.004
cost = "steps"
"""


STEP_TRACK = ("--track", "gpt2-small-steps")


def test_the_loss_decides_where_every_run_takes_the_same_time(published, cli, tmp_path):
    config = tmp_path / "own.toml"
    config.write_text("[tracks.golf]\ntarget = 3.28\nbudget = { train_s = 170 }\n")
    words = ("--track", "golf", "--config", config)
    a, b = published("a", FAST), published("b", SLOW, [loss + 0.004 for loss in LOSSES])
    assert compared(cli, *words, a, b)["outcome"] == "better"
    assert compared(cli, *words, b, a)["outcome"] == "worse"
    close = published("c", SLOW, [loss + 0.0002 for loss in LOSSES])
    found = compared(cli, *words, a, close)
    assert (found["blocked_by"], found["more_runs"] > 0) == ("loss", True)


def test_what_cannot_be_compared_is_one_line_and_exit_code_2(published, build, cli, tmp_path):
    a = published("a", FAST)
    copy = published("copy", FAST)
    (tmp_path / "medium").mkdir()
    medium = published("medium", SLOW)
    (medium / "record.toml").write_text('track = "gpt2-medium"\n')
    for other, message in (
        (a, "A and B are the same record"),
        (copy, "8 runs of B are in A too"),
        (medium, "A is a record of track gpt2-small, B of track gpt2-medium"),
        (tmp_path / "none", "does not exist"),
        (build.folder({"x.md": "nothing"}, "empty"), "holds no log"),
    ):
        result = cli("compare", a, other)
        assert (result.code, result.out) == (2, "")
        assert message in result.err
        assert result.err.count("\n") == 1
    for option in (("--alpha", "1"), ("--margin", "0"), ("--margin", "nan")):
        assert cli("compare", *option, a, published("b", SLOW)).code == 2


def test_a_folder_of_several_groups_is_refused_with_what_declares_the_sample(
    published, published_log_text, cli
):
    a, mixed = published("a", FAST), published("b", SLOW)
    (mixed / "x.txt").write_text(published_log_text(steps=1000))
    result = cli("compare", a, mixed)
    assert result.code == 2
    assert "speedcheck init" in result.err


def test_the_library_compares_whichever_module_was_imported_first(published):
    import speedcheck.comparison.compare_folders

    found = speedcheck.compare(published("a", FAST), published("b", SLOW))
    assert isinstance(found, speedcheck.RecordComparison)
    assert found.decision.outcome == "better"


def test_a_folder_name_cannot_steer_a_terminal_or_a_runner(published, cli):
    a = published("##[group]\x1b[2J", FAST)
    out = cli("compare", a, published("b", SLOW)).out
    assert "##[" not in out
    assert "\x1b" not in out


LOSS_LISTS = st.lists(st.integers(32_700, 32_900).map(lambda x: x / 10_000), min_size=0, max_size=9)


STEPS = st.none() | st.tuples(st.integers(1, 9), st.integers(0, 3)).map(lambda s: (s[0], sum(s)))


MIRROR = {"better": "worse", "worse": "better", "undecided": "undecided"}


@given(LOSS_LISTS, LOSS_LISTS, STEPS, STEPS, st.sampled_from(["less", "greater"]))
def test_to_exchange_a_and_b_mirrors_every_decision(a, b, a_steps, b_steps, direction):
    first = outcome.by_loss(a, b, 0.05, direction)
    second = outcome.by_loss(b, a, 0.05, direction)
    assert second == replace(first, outcome=MIRROR[first.outcome])
    sides = [
        Compared("", len(x), 0, (), (), moments(x), moments([]), steps)
        for x, steps in ((a, a_steps), (b, b_steps))
    ]
    rule = LossRule(direction=direction)
    measured = [
        compare_records(Side([], x), Side([], y), loss_rule=rule) for x, y in ((a, b), (b, a))
    ]
    first = outcome.by_steps(measured[0], *sides, same_losses=False)
    second = outcome.by_steps(measured[1], *reversed(sides), same_losses=False)
    assert second == replace(first, outcome=MIRROR[first.outcome])


def test_times_of_runs_that_shared_the_gpus_of_their_machine_are_not_compared(build, log_text, cli):
    for name, ms, header in (("a", 9000, {}), ("b", 9100, {"side_by_side": 2})):
        logs = {
            f"{seed}.txt": log_text(
                seed=seed, val_loss=1.1 + seed / 100, time_ms=ms + seed, gpus=GPUS, header=header
            )
            for seed in range(4)
        }
        build.folder(logs, name)
    found = compared(cli, build.path / "b", build.path / "a")
    assert (found["outcome"], found["blocked_by"]) == ("undecided", "hardware")
    assert found["hardware_problem"].startswith("of A, 4 of 4 runs shared their machine's GPUs")
