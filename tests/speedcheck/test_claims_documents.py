"""The figures of a README are confirmed, refuted or neither by the logs beside it."""

from __future__ import annotations

import statistics
from pathlib import Path

import pytest
from scipy import stats

from speedcheck.api import verify

LOSSES = (3.2781, 3.2792, 3.2765, 3.2796, 3.2803, 3.2771, 3.2787, 3.2798)
# As `build.published` times its runs, in seconds.
TIMES = tuple((179_800 + index) / 1000 for index in range(len(LOSSES)))
SHARED = Path(__file__).resolve().parents[3] / "shared" / "logs"

MEAN, STD = statistics.mean(LOSSES), statistics.stdev(LOSSES)
P = stats.ttest_1samp(LOSSES, 3.28, alternative="less").pvalue
TIME_MEAN, TIME_STD = statistics.mean(TIMES), statistics.stdev(TIMES)


def listed(values):
    return str(list(values))


def code(losses=LOSSES, times=TIMES, p=P, mean=MEAN, std=STD):
    """The shape of most records: lists, and results in comments."""
    return f"""
```python
accs = {listed(losses)}
times = {listed(times)}
print("p=%.4f" % scipy.stats.ttest_1samp(accs, 3.28, alternative="less").pvalue)
# p={p:.4f}
print("acc:", torch.std_mean(torch.tensor(accs)))
# acc: (tensor({std:.4f}), tensor({mean:.4f}))
print("time:", torch.std_mean(torch.tensor(times)))
# time: (tensor({TIME_STD:.4f}), tensor({TIME_MEAN:.4f}))
```
"""


def bayes_mvs(losses=LOSSES):
    mean, _, std = stats.bayes_mvs(losses)
    return f"```\n$ grep val * | python -c '...'\n{listed(losses)}\n{mean}\n{std}\np={P:.4f}\n```\n"


def run_table(losses=LOSSES, times=TIMES):
    rows = zip(range(len(losses)), losses, times, strict=True)
    return "| run | val_loss | time (s) |\n|---:|---:|---:|\n" + "".join(
        f"| {run} | {loss} | {seconds} |\n" for run, loss, seconds in rows
    )


def metric_table(mean=MEAN, p=P):
    return (
        "| metric | value |\n| --- | ---: |\n"
        f"| mean val loss | {mean:.6f} |\n| val loss sample std | {STD:.6f} |\n"
        f"| one-sided p vs 3.28 | {p:.4f} |\n| mean train time | {TIME_MEAN:.3f} s |\n"
    )


def prose(mean=MEAN, p=P, n=8):
    return f"n = {n} runs, mean val loss: {mean:.4f}, std {STD:.4f}, p={p:.4f}.\n"


@pytest.fixture
def claims_of(build):
    """Judge published logs with a README and give its claims."""

    def judge(readme, losses=LOSSES, name="README.md", **options):
        folder = build.published(losses, **options)
        (folder / name).write_text(readme)
        return verify(folder).claims

    return judge


@pytest.fixture
def judged(build):
    """Judge published logs with a README and give the provenance findings by their codes."""

    def judge(readme, losses=LOSSES, **options):
        folder = build.published(losses, **options)
        (folder / "README.md").write_text(readme)
        findings = verify(folder).verdicts.provenance.findings
        return {finding.code: finding for finding in findings}

    return judge


def by_status(claims):
    found = {"confirmed": [], "not_confirmed": [], "not_checkable": []}
    for claim in claims:
        found[claim.status].append(claim.what)
    return found


AGREEING = {
    "code": (code(), 7),
    "bayes_mvs": (bayes_mvs(), 8),
    "tables": (run_table() + "\n" + metric_table(), 6),
    "prose": (prose(), 4),
    "prose and table": (run_table() + "\n" + prose(), 6),
    "metrics": (metric_table(), 4),
    "times in ms": (f"times_ms = {[round(x * 1000) for x in TIMES]}", 1),
    "time in minutes": (code() + f"\nMean time: {TIME_MEAN / 60:.3f} minutes\n", 8),
    "population sd": (f"losses = {listed(LOSSES)}\nstd: {statistics.pstdev(LOSSES):.6f}", 2),
    "two-sided p": (f"losses = {listed(LOSSES)}\np = {2 * P:.5f}", 2),
    "a true bound": (f"losses = {listed(LOSSES)}\np < {P * 1.1:.4f}", 2),
    "one row of statistics": (
        f"| n | mean loss | std | p-value |\n|-|-|-|-|\n| 8 | {MEAN:.4f} | {STD:.4f} | {P:.4f} |",
        4,
    ),
    "cut times": (f"times = {[int(x * 100) / 100 for x in TIMES]}", 1),
}


@pytest.mark.parametrize("shape", AGREEING)
@pytest.mark.parametrize("name", ["README.md", "ReadMe.md", "statistics.md"])
def test_what_the_logs_give_is_confirmed_at_the_printed_digits(claims_of, shape, name):
    readme, count = AGREEING[shape]
    found = by_status(claims_of(readme, name=name))
    assert (found["not_confirmed"], found["not_checkable"]) == ([], [])
    assert len(found["confirmed"]) == count


DISAGREEING = {
    "p in a comment": (code(p=P + 0.001), ["p"]),
    "mean in a comment": (code(mean=MEAN + 0.001), ["mean"]),
    "sd in a comment": (code(std=STD + 0.001), ["std"]),
    "mean in a table": (run_table() + "\n" + metric_table(mean=MEAN + 1e-5), ["mean"]),
    "p in a table": (metric_table(p=P + 0.001), ["p"]),
    "mean in prose": (prose(mean=MEAN + 0.001), ["mean"]),
    "p in prose": (prose(p=P + 0.001), ["p"]),
    "n in prose": (prose(n=9), ["n"]),
    "a loss": (f"losses = {listed([3.2786, *LOSSES[1:]])}", ["losses"]),
    "a loss in a table": (run_table([3.2786, *LOSSES[1:]]), ["losses"]),
    "a time": (code(times=[179.9, *TIMES[1:]]), ["times"]),
    "mean in the last row": (run_table() + f"| mean | {MEAN + 0.001:.4f} | |", ["mean"]),
}


@pytest.mark.parametrize("shape", DISAGREEING)
def test_what_the_logs_do_not_give_is_not_confirmed_and_refuses_the_certificate(
    build, findings_of, shape
):
    readme, wrong = DISAGREEING[shape]
    folder = build.published(LOSSES)
    (folder / "README.md").write_text(readme)
    refuted = [c for c in verify(folder).claims if c.status == "not_confirmed"]
    assert sorted(c.what for c in refuted) == sorted(wrong)
    assert all(c.recomputed for c in refuted)
    findings = findings_of(folder)["P014 claim-not-confirmed"]
    assert {f.severity for f in findings} == {"fail"}
    assert sorted(f.where for f in findings) == sorted(c.where for c in refuted)
    assert not verify(folder).certified


def test_a_claim_names_its_line_and_both_figures(claims_of):
    (losses, p) = claims_of(f"# Title\n\nlosses = {listed(LOSSES)}\n\np={P + 0.001:.4f}\n")
    assert (losses.what, losses.where) == ("losses", "README.md:3")
    assert losses.claimed.startswith("8 losses: 3.2781, 3.2792, ")
    assert losses.recomputed == "8 losses in the logs"
    assert (p.claimed, p.where) == (f"{P + 0.001:.4f}", "README.md:5")
    assert float(p.recomputed) == pytest.approx(P, rel=1e-6)


def test_a_mistyped_digit_is_named(claims_of):
    (claim,) = claims_of(f"losses = {listed([3.2786, *LOSSES[1:]])}")
    assert "no log gives 3.2786" in claim.recomputed
    assert "not in the list: 3.2781 (00.txt)" in claim.recomputed
    assert claim.recomputed.endswith("3.2786 differs from 3.2781 in one digit")


def test_final_zeros_that_python_leaves_out_are_digits_of_the_list(claims_of):
    losses = (3.28, 3.276, *LOSSES)
    (confirmed,) = claims_of(f"losses = {listed(losses)}", losses)
    (refuted,) = claims_of(f"losses = {listed(losses)}", (3.28, 3.2764, *LOSSES))
    assert (confirmed.status, refuted.status) == ("confirmed", "not_confirmed")


def test_two_logs_fewer_than_losses_refuse_the_certificate(judged):
    found = judged(f"losses = {listed(LOSSES)}", LOSSES[:6])
    shortfall = found["P003 claimed-losses-without-logs"]
    assert shortfall.severity == "fail"
    assert shortfall.message == "8 losses are claimed and 6 logs can be of them"
    assert shortfall.where == "README.md:1"
    assert "P014 claim-not-confirmed" in found


def test_one_log_of_many_is_no_contradiction_and_proves_nothing(judged, claims_of):
    readme = code()
    found = judged(readme, LOSSES[:1])
    assert found["P003 claimed-losses-without-logs"].severity == "unknown"
    assert "P014 claim-not-confirmed" not in found
    assert by_status(claims_of(readme, LOSSES[:1]))["not_confirmed"] == []


def test_losses_of_other_runs_are_refuted_with_what_follows_from_them(claims_of, judged):
    others = (3.2712, 3.2713, 3.2714, 3.2715, 3.2716)
    found = by_status(claims_of(code(), others))
    assert found["confirmed"] == []
    assert {"losses", "times", "p", "mean", "std"} <= set(found["not_confirmed"])
    assert "P003 claimed-losses-without-logs" in judged(code(), others)


def test_the_best_runs_listed_without_the_others_are_a_warning_that_names_them(judged, claims_of):
    best = sorted(LOSSES)[:6]
    finding = judged(f"losses = {listed(best)}")["P022 unlisted-log"]
    assert finding.severity == "warn"
    assert finding.message == "2 runs that count are in no list of losses: 04.txt, 07.txt"
    assert sorted(LOSSES)[6:] == [LOSSES[7], LOSSES[4]]


def test_runs_with_one_loss_are_listed_where_two_lists_have_it_once_each(judged):
    losses = (*LOSSES, LOSSES[0])
    halves = f"losses = {listed(losses[:4])}\n\nlosses = {listed(losses[4:])}\n"
    assert "P022 unlisted-log" not in judged(halves, losses)
    assert "P022 unlisted-log" in judged(f"losses = {listed(LOSSES)}", losses)


def test_sqrt_n_forgotten_in_a_z_test_is_refuted_and_named(claims_of):
    wrong = stats.norm.cdf((MEAN - 3.28) / 0.0013)
    right = stats.norm.cdf((MEAN - 3.28) / 0.0013 * len(LOSSES) ** 0.5)
    text = f"n = 8, mean: {MEAN:.5f}; z-test with sigma=0.0013 gives p = "
    *_, refuted = claims_of(f"{text}{wrong:.3f}")
    *_, confirmed = claims_of(f"{text}{right:.4f}", name="ReadMe.md")
    assert (refuted.what, refuted.status, confirmed.status) == ("p", "not_confirmed", "confirmed")
    assert "sqrt(n) left out" in refuted.recomputed


def test_a_figure_that_does_not_follow_from_its_own_list_is_refuted_without_logs(claims_of):
    found = claims_of(code(p=P + 0.001), LOSSES[:1])
    assert by_status(found)["not_confirmed"] == ["p"]


def test_losses_at_an_earlier_step_are_compared_with_that_validation(claims_of):
    # Every run of the builder has the loss 4.4043 at step 125.
    table = "| seed | step 125 | step 1393 |\n|-|-|-|\n" + "".join(
        f"| {seed} | 4.4043 | {loss} |\n" for seed, loss in enumerate(LOSSES)
    )
    text = f"Mean loss at step 125: 4.4043\nMean loss at step 1393: {MEAN:.4f}\n\n{table}"
    assert by_status(claims_of(text))["confirmed"] == ["losses", "losses", "mean", "mean"]
    wrong = text.replace("| 7 | 4.4043", "| 7 | 4.4053")
    assert by_status(claims_of(wrong))["not_confirmed"] == ["losses"]


def test_losses_of_averaged_weights_are_compared_with_their_own_field(build):
    folder = build.published(LOSSES)
    for index, log in enumerate(sorted(folder.glob("*.txt"))):
        field = f"val_ema_loss:{LOSSES[index] - 0.01:.4f} train_time"
        log.write_text(log.read_text().replace("train_time", field))
    readme = f"losses = {listed(round(loss - 0.01, 4) for loss in LOSSES)}"
    (folder / "README.md").write_text(readme)
    (claim,) = verify(folder).claims
    assert (claim.status, claim.recomputed) == ("confirmed", "8 losses in the logs as val_ema_loss")


SEVERAL_SETS = {
    "headings": f"## Baseline\n{code(losses=(3.29, 3.291), times=(190.1, 190.2), p=0.99)}\n"
    f"## This PR\n{code()}",
    "variables": f"losses = {listed(LOSSES)}\nbaseline_losses = [3.2901, 3.2912]\n"
    f"baseline_times = [190.1, 190.2]\ntimes = {listed(TIMES)}\n",
    "a retiming": f"{code()}\nPrevious record, timed on the same machine:\n"
    "```\ntimes = [190.1, 190.2, 190.4]\n```\n",
    "columns": "| metric | baseline | this PR | diff |\n|-|-|-|-|\n"
    f"| mean val loss | 3.2901 | {MEAN:.4f} | 0.01 |\n| p-value | 0.9 | {P:.4f} | |\n",
    "a comment of HTML": f"<!-- mean loss: 3.2999 -->\n{code()}",
}


@pytest.mark.parametrize("shape", SEVERAL_SETS)
def test_a_set_whose_logs_are_not_there_is_not_refuted_by_the_records(claims_of, shape):
    text = (
        SEVERAL_SETS[shape]
        .replace(f"# p={0.99:.4f}", "")
        .replace(f"# acc: (tensor({STD:.4f}), tensor({MEAN:.4f}))", "", int(shape == "headings"))
    )
    text = text.replace(
        f"# time: (tensor({TIME_STD:.4f}), tensor({TIME_MEAN:.4f}))", "", int(shape == "headings")
    )
    found = by_status(claims_of(text))
    assert found["not_confirmed"] == []
    assert found["confirmed"]


HONEST = {
    "a trial": "I also tried a higher learning rate, with a mean loss of 3.2899.",
    "a change": "This reduces the average time by 2.3 s, from 182.1 s.",
    "a rule": "A record needs p < 0.001 and a mean val loss below 3.20.",
    "a previous record": "The previous record has a mean loss of 3.2799 and a mean time of 190 s.",
    "other runs": "Over 40 runs the mean val loss is 3.2799 with std 0.0019.",
    "a guess": "The mean loss is about 3.27, p ~ 0.5.",
    "another test": "Welch's t-test against the baseline: p = 0.2",
    "steps": "mean step time: 92.8 ms",
    "other statistics": "Median loss: 3.2791. Max time: 190.1 s.",
    "a comparison": "Mean loss 3.2799 vs 3.2811 for the baseline",
    "a sweep": "| lr | mean loss | std |\n|-|-|-|\n| 1 | 3.2899 | 0.001 |\n| 2 | 3.2898 | 0.001 |",
    "hyperparameters": "lr = 0.003, std = 0.02, betas = (0.9, 0.95)",
    "code": "```python\nnn.init.normal_(w, mean=0.0, std=0.02)\n```",
}


@pytest.mark.parametrize("remark", HONEST)
def test_an_honest_remark_beside_true_figures_is_no_false_alarm(claims_of, remark):
    for text in (f"{code()}\n{HONEST[remark]}\n", f"{HONEST[remark]}\n\n{code()}"):
        found = by_status(claims_of(text))
        assert found["not_confirmed"] == []
        assert len(found["confirmed"]) >= 7


def test_a_second_list_of_the_same_runs_with_a_wrong_value_is_refuted(claims_of):
    rows = "".join(f"| {i} | {loss} |\n" for i, loss in enumerate([*LOSSES[:-1], 3.2999]))
    table = f"\n| seed | val_loss |\n|---|---|\n{rows}"
    found = [c for c in claims_of(code() + table) if c.what == "losses"]
    assert [c.status for c in found] == ["confirmed", "not_confirmed"]
    other = "".join(f"| {i} | {loss - 0.01:.4f} |\n" for i, loss in enumerate(LOSSES))
    table = f"\n| seed | val_loss |\n|---|---|\n{other}"
    found = [c for c in claims_of(code() + table) if c.what == "losses"]
    assert [c.status for c in found] == ["confirmed", "not_checkable"]


def test_a_readme_above_its_only_subfolder_claims_for_it(build):
    folder = build.published(LOSSES, name="record/runs")
    (folder.parent / "README.md").write_text(code(p=P + 0.001))
    claims = verify(folder).claims
    assert by_status(claims)["not_confirmed"] == ["p"]
    assert {claim.where.split(":")[0] for claim in claims} == {"../README.md"}


def test_a_readme_above_several_subfolders_claims_for_each_what_is_of_its_runs(build):
    others = [round(loss - 0.01, 4) for loss in LOSSES]
    mine = build.published(LOSSES, name="record/this_pr")
    build.published(others, name="record/baseline")
    readme = f"## Baseline\nlosses = {listed(others)}\n## This PR\nlosses = {listed(LOSSES)}\n"
    (mine.parent / "README.md").write_text(readme)
    (claim,) = verify(mine).claims
    assert (claim.status, claim.where) == ("confirmed", "../README.md:4")
    (claim,) = verify(mine.parent / "baseline").claims
    assert (claim.status, claim.where) == ("confirmed", "../README.md:2")


@pytest.mark.skipif(not SHARED.is_dir(), reason="no development set in ../shared/logs")
@pytest.mark.parametrize(
    ("folder", "refuted", "codes"),
    [
        ("track_1_short/2025-01-16_Sub3Min", set(), {"P003"}),
        ("track_1_short/2025-09-18_Smear", {"losses", "times"}, {"P003", "P014"}),
        (
            "track_1_short/2025-10-31_AdamSyncGradientHook",
            {"losses", "times", "p", "mean", "std", "time_mean", "time_std"},
            {"P003", "P014"},
        ),
        ("track_1_short/2026-03-06_SimplifyHC", set(), set()),
        ("track_3_optimization/results/20260505_aurora", {"p"}, {"P014"}),
    ],
)
def test_the_development_set_is_refuted_where_a_person_found_it_wrong(folder, refuted, codes):
    # Of Smear only the first eight of ten logs are kept there.
    certificate = verify(SHARED / folder)
    assert {c.what for c in certificate.claims if c.status == "not_confirmed"} == refuted
    found = {finding.code[:4] for finding in certificate.verdicts.provenance.findings}
    assert found & {"P003", "P014", "P019", "P022"} == codes
