"""`speedcheck plan`: how many runs, what they cost, and what no number of runs can do."""

from __future__ import annotations

import json
from importlib.resources import files

import numpy as np
import pytest
import scipy.stats
from jsonschema import Draft202012Validator

import speedcheck

SCHEMA = json.loads(files("speedcheck").joinpath("schema/plan.schema.json").read_text())


def planned(cli, *arguments):
    """Plan by the command, and hold its JSON to the schema and to the exit code."""
    result = cli("plan", "--json", *arguments)
    assert result.err == ""
    made = json.loads(result.out)
    Draft202012Validator(SCHEMA).validate(made)
    assert result.code == (0 if made["possible"] else 1)
    return made


def power_of(n, effect, alpha=0.01):
    """Give the power of the one-sided t-test by scipy's noncentral t."""
    return scipy.stats.nct.sf(scipy.stats.t.isf(alpha, n - 1), n - 1, effect * np.sqrt(n))


def test_the_runs_of_a_record_are_the_first_with_the_wanted_power(cli):
    made = planned(cli, "--mean", "3.2787", "--sd", "0.00176", "--target", "3.28")
    runs, effect = made["record"]["runs"], 0.0013 / 0.00176
    assert power_of(runs - 1, effect) < 0.9 <= power_of(runs, effect)
    powers = {row["runs"]: row["power"] for row in made["record"]["powers"]}
    assert powers[32] == pytest.approx(power_of(32, effect), rel=1e-6)
    assert 0.98 < made["record"]["sequential"]["chance"] < 1
    assert 22 < made["record"]["sequential"]["mean"] < 25


@pytest.mark.parametrize(("difference", "pairs", "mean"), [("0.1", 34, 28.5), ("0.15", 18, 16.0)])
def test_a_race_at_a_sd_of_a_tenth_of_a_second_takes_the_published_pairs_in_whole_blocks(
    cli, difference, pairs, mean
):
    words = ("--difference", difference, "--time-sd", "0.1", "--pairs", "64")
    race = planned(cli, *words)["race"]
    assert race["pairs"] == pairs
    # The published means are with a look after each pair; a race looks after every second one.
    assert mean - 0.2 < race["sequential"]["mean"] < mean + 1.5


def test_the_runs_of_a_change_of_speed_are_those_of_the_specification(cli):
    """8 runs against 32 show it with power 0.84 at sd 0.0018, 4 against 32 with 0.54."""
    words = ("--sd", "0.0018", "--baseline-runs", "32")
    assert planned(cli, *words, "--power", "0.835")["non_inferiority"]["runs"] == 8
    assert planned(cli, *words, "--power", "0.535")["non_inferiority"]["runs"] == 4


STEPS = ("--track", "gpt2-small-steps")


def z_power(n, gap, sd=0.0013):
    """Give the chance that (target - mean) * sqrt(n) reaches 0.004, by scipy."""
    return scipy.stats.norm.sf(0.004 / np.sqrt(n), loc=gap, scale=sd / np.sqrt(n))


def test_where_the_standard_deviation_is_known_the_power_is_that_of_the_z_test(cli):
    record = planned(cli, *STEPS, "--mean", "3.2785")["record"]
    runs = record["runs"]
    assert z_power(runs - 1, 0.0015) < 0.9 <= z_power(runs, 0.0015)
    powers = {row["runs"]: row["power"] for row in record["powers"]}
    assert powers[1] == pytest.approx(z_power(1, 0.0015))
    assert powers[32] == pytest.approx(z_power(32, 0.0015))
    assert record["sequential"] is None
    scattered = planned(cli, *STEPS, "--mean", "3.2785", "--sd", "0.00185")["record"]["runs"]
    assert z_power(scattered - 1, 0.0015, 0.00185) < 0.9 <= z_power(scattered, 0.0015, 0.00185)


def test_a_folder_of_such_a_track_says_what_its_mean_would_take(cli, build):
    record = build.published([3.2785, 3.2795], name="a")
    so_far = planned(cli, *STEPS, "--from", record)["so_far"]
    assert so_far["e_value"] is None
    # (3.28 - 3.279) * sqrt(16) = 0.004
    assert so_far["at_these_figures"] == 16
    assert "16 runs with exactly this mean would pass" in cli("plan", *STEPS, "--from", record).out


@pytest.mark.parametrize("mean", ["3.28", "3.2801", "3.27999"])
def test_no_number_of_runs_passes_at_the_target_with_a_known_sigma(cli, mean):
    made = planned(cli, *STEPS, "--mean", mean)
    assert not made["possible"]
    assert made["record"]["runs"] is None


@pytest.fixture
def best(tmp_path):
    """Give the options of a track that asks to beat a frontier by 0.005."""
    config = tmp_path / "own.toml"
    rules = 'target = 1.3\ntest = "welch"\nimprovement = 0.005\nalpha = 0.05\n'
    config.write_text(f"[tracks.best]\n{rules}")
    return "--track", "best", "--config", config


FRONTIER = [1.25, 1.251, 1.252, 1.2505]


def test_a_plan_against_a_frontier_has_the_power_of_simulated_records(cli, build, best):
    frontier = build.record(FRONTIER, name="best", plan={"track": "best"})
    made = planned(cli, *best, "--mean", "1.2445", "--sd", "0.0015", "--baseline", frontier)
    assert made["frontier"]["mean"] == pytest.approx(np.mean(FRONTIER))
    assert made["frontier"]["improvement"] == 0.005
    assert made["expected"]["target"] == pytest.approx(np.mean(FRONTIER) - 0.005)
    runs = made["record"]["runs"]
    records = np.random.default_rng(1).normal(1.2445, 0.0015, (20_000, runs)) + 0.005
    test = scipy.stats.ttest_ind(records, [FRONTIER], axis=1, equal_var=False, alternative="less")
    power = {row["runs"]: row["power"] for row in made["record"]["powers"]}[runs]
    assert power == pytest.approx(np.mean(test.pvalue < 0.05), abs=0.01)
    assert power >= 0.9
    assert made["record"]["sequential"] is None
    shown = cli("plan", *best, "--mean", "1.2445", "--sd", "0.0015", "--baseline", frontier).out
    assert "to be beaten by more than 0.005" in shown


def test_a_plan_from_a_folder_takes_the_frontier_that_its_record_names(cli, build, best):
    build.record(FRONTIER, name="best", plan={"track": "best"})
    ours = [1.243, 1.2441, 1.2435, 1.2447]
    folder = build.record(ours, plan={"track": "best", "baseline": "../best"})
    made = planned(cli, *best[2:], "--from", folder)
    assert made["frontier"]["folder"] == "../best"
    assert made["so_far"]["e_value"] is None
    needed = made["so_far"]["at_these_figures"]
    test = scipy.stats.ttest_ind_from_stats(
        np.mean(ours) + 0.005,
        np.std(ours, ddof=1),
        needed,
        np.mean(FRONTIER),
        np.std(FRONTIER, ddof=1),
        4,
        equal_var=False,
        alternative="less",
    )
    assert test.pvalue < 0.05


def test_a_mean_that_does_not_beat_the_frontier_has_no_plan(cli, build, best):
    frontier = build.record(FRONTIER, name="best", plan={"track": "best"})
    for mean, why in (("1.249", "is not below the frontier"), ("1.2458", "too near the frontier")):
        options = ("--mean", mean, "--sd", "0.001", "--baseline", frontier)
        assert not planned(cli, *best, *options)["possible"]
        assert why in cli("plan", *best, *options).out


@pytest.mark.parametrize(
    "figures", [("--sd", "0.001"), ("--difference", "0.1", "--time-sd", "0.1")]
)
def test_a_plan_without_a_record_needs_no_frontier(cli, best, figures):
    made = planned(cli, *best, *figures)
    assert (made["possible"], made["record"], made["frontier"]) == (True, None, None)


def test_what_a_frontier_plan_cannot_use_is_one_line(cli, build, best):
    one = build.record([1.25], name="one", plan={"track": "best"})
    figures = ("--mean", "1.24", "--sd", "0.001")
    for options, why in (
        (best, "tests against a frontier, and none is named; name the best certified record"),
        ((*best, "--baseline", one), "the frontier has no mean and spread"),
        ((*best, "--baseline", one / "none"), "does not exist"),
        ((*best, "--target", "1.2"), "--target: track best tests against the frontier"),
        (("--track", "tiny", "--baseline", one), "--baseline: track tiny tests against a fixed"),
    ):
        result = cli("plan", *options, *figures)
        assert (result.code, result.out, result.err.count("\n")) == (2, "", 1), options
        assert why in result.err


def test_costs_are_runs_times_hours_times_price(cli):
    words = ("--mean", "3.2787", "--sd", "0.00176", "--difference", "0.15", "--time-sd", "0.1")
    made = planned(cli, *words, "--gpu-hours-per-run", "0.75", "--price", "2")
    costs = {cost["campaign"]: cost for cost in made["costs"]}
    assert costs["fixed"]["runs"] == made["record"]["runs"]
    assert costs["race"]["runs"] == 2 * made["race"]["pairs"]
    assert costs["sequential race"]["runs"] == 2 * made["race"]["sequential"]["mean"]
    for cost in made["costs"]:
        assert cost["gpu_hours"] == pytest.approx(0.75 * cost["runs"])
        assert cost["money"] == pytest.approx(1.5 * cost["runs"])
    unpriced = planned(cli, *words)["costs"]
    assert {(cost["gpu_hours"], cost["money"]) for cost in unpriced} == {(None, None)}


def test_a_cost_that_no_number_holds_is_not_known(cli):
    made = planned(cli, "--mean", "3.27", "--gpu-hours-per-run", "1e308", "--price", "1e308")
    assert {cost["money"] for cost in made["costs"]} == {None}


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("--mean", "3.27", "--sd", "0"), "the sd is 0"),
        (("--mean", "3.2801", "--sd", "0.002"), "is not below the target 3.28"),
        (("--mean", "3.28", "--sd", "0.002"), "is not below the target 3.28"),
        (("--mean", "3.27999", "--sd", "0.002"), "too near the target"),
        (("--difference", "0", "--time-sd", "0.1"), "no number of pairs"),
        (("--difference", "0.01", "--time-sd", "0.1"), "no number of pairs up to 1,000 will do"),
        (("--sd", "0.0018", "--margin", "0.00001"), "up to 10,000 rules out a loss worse by 1e-05"),
    ],
)
def test_where_no_number_of_runs_will_do_the_plan_says_so_and_fails(cli, words, why):
    made = planned(cli, *words)
    assert any(why in problem for problem in made["problems"])
    assert made["costs"] == []
    shown = cli("plan", *words)
    assert shown.code == 1
    assert shown.out.startswith("NO PLAN: ")
    assert shown.out.splitlines()[0] == shown.out.splitlines()[-1]


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("--mean", "nan"),
        ("--mean", "3.27", "--sd", "-1"),
        ("--mean", "3.27", "--sd", "inf"),
        ("--mean", "3.27", "--power", "1"),
        ("--mean", "3.27", "--max-seeds", "1"),
        ("--mean", "3.27", "--max-seeds", "100000"),
        ("--mean", "3.27", "--baseline-runs", "1"),
        ("--mean", "3.27", "--price", "-1"),
        ("--mean", "3.27", "--gpu-hours-per-run", "0"),
        ("--mean", "3.27", "--margin", "0"),
        ("--mean", "2.9", "--track", "gpt2-medium"),
        ("--difference", "0.1"),
        ("--difference", "0.1", "--time-sd", "0"),
        ("--from", "nowhere"),
    ],
)
def test_figures_that_are_missing_or_out_of_range_are_one_line_and_exit_code_2(cli, words):
    result = cli("plan", *words)
    assert (result.code, result.out) == (2, "")
    assert result.err.count("\n") == 1


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("--mean", "3.27", "--max-seeds", "0"), "--max-seeds is 0; give a whole number from 2"),
        (("--difference", "1", "--time-sd", "1", "--pairs", "0"), "--pairs is 0; give an even"),
        (("--difference", "1", "--time-sd", "1", "--pairs", "3"), "--pairs is 3; give an even"),
        (("--sd", "1", "--baseline-runs", "1"), "--baseline-runs is 1; give a whole number from 2"),
        (("--mean", "3.27", "--gpu-hours-per-run", "-1"), "--gpu-hours-per-run is -1; give"),
        (("--mean", "3.27", "--alpha", "0"), "--alpha is 0; give a number between 0 and 1"),
        (("--mean", "3.27", "--power", "1"), "--power is 1; give a number between 0 and 1"),
        (("--mean", "3.27", "--target", "nan"), "--target is nan; give a finite number"),
    ],
)
def test_a_figure_out_of_range_is_named_as_it_was_typed(cli, words, why):
    assert f"speedcheck: error: {why}" in cli("plan", *words).err


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("--mean", "3.27", "--price", "3"), "--price is of no use without --gpu-hours-per-run"),
        (("--mean", "3.27", "--pairs", "4"), "--pairs is of no use without --difference"),
        (("--mean", "3.27", "--time-sd", "1"), "--time-sd is of no use without --difference"),
        (("--sd", "0.001", "--target", "3"), "--target is of no use without --mean or --from"),
        (("--sd", "0.001", "--max-seeds", "9"), "--max-seeds is of no use without --mean or"),
    ],
)
def test_a_figure_that_nothing_uses_is_refused(cli, words, why):
    result = cli("plan", *words)
    assert (result.code, result.out) == (2, "")
    assert why in result.err


def test_a_race_that_plan_recommends_is_one_that_race_takes(cli):
    race = ("--difference", "0.15", "--time-sd", "0.1")
    for power in ("0.5", "0.8", "0.9", "0.95", "0.99"):
        assert planned(cli, *race, "--power", power)["race"]["pairs"] % 2 == 0
    shown = cli("plan", *race).out
    assert "PLAN: a race of up to 32 pairs is decided with probability 0.98\n" in shown


def test_a_plan_shows_the_figures_of_what_was_asked_and_no_others(cli):
    race = cli("plan", "--difference", "0.15", "--time-sd", "0.1").out
    assert "expected: times 0.15 s apart, sd 0.1 s a run\n" in race
    assert "loss" not in race
    assert "non-inferiority" not in race
    record = cli("plan", "--mean", "3.278").out
    assert "expected: losses with mean 3.2780, sd 0.00185 (typical of track gpt2-small)" in record
    assert "non-inferiority" not in record
    assert "non-inferiority" in cli("plan", "--mean", "3.278", "--margin", "0.001").out
    assert "PLAN: 15 runs rule out a loss worse by 0.002" in cli("plan", "--sd", "0.0018").out


def test_the_words_of_a_plan_keep_what_tells_two_numbers_apart(cli):
    near = cli("plan", "--mean", "3.27999999", "--sd", "0.002").out
    assert "the mean 3.27999999 is too near the target 3.28" in near
    assert "with power 0.999999999\n" in cli("plan", "--mean", "3.27", "--power", "0.999999999").out


def test_a_folder_whose_runs_pass_needs_no_more(cli, build):
    shown = cli("plan", "--from", build.published([3.2700, 3.2702, 3.2701, 3.2703])).out
    assert "they pass the test of the losses: no further run is needed" in shown
    assert "plan a new folder" not in shown


def test_a_folder_says_how_many_more_seeds_it_takes(cli, build):
    losses = [3.2777, 3.2805, 3.2784, 3.2792, 3.2778, 3.2799]
    folder = build.published(losses)
    made = planned(cli, "--from", folder)
    assert made["expected"]["mean"] == pytest.approx(np.mean(losses))
    assert made["expected"]["sd"] == pytest.approx(np.std(losses, ddof=1))
    so_far = made["so_far"]
    assert so_far["more_runs"] == made["record"]["runs"] - 6 > 0
    assert made["gpu_hours_per_run"] == pytest.approx(8 * 179.8025 / 3600)
    shown = cli("plan", "--from", folder).out
    assert f"({so_far['more_runs']} more than the 6 that are there)" in shown
    assert "training time alone" in shown
    enough = planned(cli, "--from", build.published([3.2700, 3.2702, 3.2701, 3.2703], "enough"))
    assert enough["so_far"]["more_runs"] == 0


def test_a_folder_above_the_target_one_run_and_one_that_diverged(cli, build, log_text):
    above = planned(cli, "--from", build.published([3.29, 3.2901, 3.2895], "above"))
    assert (above["possible"], above["so_far"]["more_runs"]) == (False, None)
    one = planned(cli, "--from", build.published([3.2780], "one"))
    assert one["expected"]["sd_source"] == "track"
    logs = {f"{s}.txt": log_text(seed=s, diverges_at=150) for s in range(3)}
    assert "diverged" in cli("plan", "--from", build.folder(logs, "diverged")).err


def test_the_evidence_of_a_folder_is_taken_in_the_order_of_its_seeds(build, log_text, losses):
    logs = {f"{9 - s}.txt": log_text(seed=s, val_loss=losses[s]) for s in range(8)}
    made = speedcheck.plan(folder=build.folder(logs, "a"))
    test = speedcheck.certify_sequentially(losses, target=made.expected.target)
    assert made.so_far.e_value == pytest.approx(test.e_value)


def test_the_library_plans_as_the_command_does():
    made = speedcheck.plan(3.2787, 0.00176, 3.28)
    assert isinstance(made, speedcheck.Plan)
    assert made.record.runs == 27


def test_certify_sequentially_stays_valid_after_every_look():
    losses = [3.2777, 3.2795, 3.2784, 3.2782, 3.2778, 3.2779, 3.2781, 3.2776]
    looks = [speedcheck.certify_sequentially(losses[:n]) for n in range(1, 9)]
    first = next(n for n, test in enumerate(looks, 1) if test.certified)
    assert looks[-1].certified_at == first
    assert looks[-1].p_value <= 0.01 < looks[first - 2].p_value
    assert not speedcheck.certify_sequentially([*losses, float("nan")]).certified
    assert not speedcheck.certify_sequentially(losses, target=3.27).certified
    for wrong in ({"alpha": 2}, {"target": "3.28"}):
        with pytest.raises(speedcheck.UsageError):
            speedcheck.certify_sequentially(losses, **wrong)
    with pytest.raises(speedcheck.UsageError):
        speedcheck.certify_sequentially(["a"])


def test_one_run_gives_a_mean_and_the_track_the_spread(cli, build):
    record = build.published([3.2785], name="one")
    made = planned(cli, "--from", record)
    assert made["expected"]["sd_source"] == "track"
    assert made["so_far"]["runs"] == 1
    medium = cli("plan", "--track", "gpt2-medium", "--target", "3.3", "--from", record)
    assert (medium.code, "has no typical sd; give --sd" in medium.err) == (2, True)
