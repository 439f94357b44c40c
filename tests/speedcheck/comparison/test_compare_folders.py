"""`speedcheck compare`: what decides, what is refused, and what is said."""

from __future__ import annotations

import json
from dataclasses import replace
from importlib.resources import files

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from speedcheck.comparison import outcome
from speedcheck.comparison.record_comparison import Compared
from speedcheck.stats.faster_record import LossRule, Side, compare_records
from speedcheck.stats.moments import moments

SCHEMA = json.loads(files("speedcheck").joinpath("schema/comparison.schema.json").read_text())
LOSSES = [3.2777, 3.2795, 3.2784, 3.2782, 3.2778, 3.2779, 3.2786, 3.2790]
FAST = [175_000 + ms for ms in (-130, -80, -40, 0, 10, 50, 70, 120)]
SLOW = [180_000 + ms for ms in (60, -90, 130, -20, 40, -110, 90, -70)]
GPUS = ("NVIDIA H100",)


@pytest.fixture
def published(build, published_log_text):
    """Write a folder of published logs, which name no machine."""

    def write(name, times, losses=LOSSES, **options):
        logs = {
            f"{i:02d}.txt": published_log_text(val_loss=loss, time_ms=ms, **options)
            for i, (loss, ms) in enumerate(zip(losses, times, strict=False))
        }
        return build.folder(logs, name)

    return write


@pytest.fixture
def trained(build, log_text, losses):
    """Write logs of the bundled trainer with the minutes of their starts and their machines."""

    def write(name, times, minutes, hosts=("5f0c1e2d3a4b",), shift=0.0, seeds=None):
        logs = {}
        for i, (ms, minute) in enumerate(zip(times, minutes, strict=True)):
            seed = i if seeds is None else seeds[i]
            text = log_text(seed=seed, val_loss=losses[i] + shift, time_ms=ms, gpus=GPUS)
            text = text.replace("18:30:00Z", f"18:{minute:02d}:00Z")
            logs[f"{i}.txt"] = text.replace("5f0c1e2d3a4b", hosts[i % len(hosts)])
        return build.folder(logs, name)

    return write


def compared(cli, *arguments):
    """Compare by the command, and hold its JSON to the schema and to the exit code."""
    result = cli("compare", "--json", *arguments)
    assert result.err == ""
    found = json.loads(result.out)
    Draft202012Validator(SCHEMA).validate(found)
    assert result.code == {"better": 0, "worse": 1, "undecided": 3}[found["outcome"]]
    return found


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


STEP_TRACK = ("--track", "gpt2-small-steps")


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
