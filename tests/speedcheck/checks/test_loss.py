"""The loss verdict: what the counted losses show against the target, and what is said of them."""

from __future__ import annotations

import pytest
import scipy.stats

from speedcheck.api import verify
from speedcheck.rules.tracks import GPT2_SMALL


def test_losses_far_enough_below_the_target_pass_without_a_finding(build):
    verdict = verify(build.record()).verdicts.loss
    assert (verdict.status, verdict.findings) == ("pass", ())


def test_one_run_is_no_test_and_says_how_many_more_are_needed(cli, build, findings_of):
    folder = build.published([3.2777])
    (finding,) = findings_of(folder)["L002 too-few-runs"]
    assert finding.severity == "fail"
    assert finding.message.startswith("p is not defined for 1 run: at least 1 more run is needed")
    planned = int(finding.message.split("usual 0.00185, ")[1].split(" runs")[0])
    assert f"({planned - 1} more) pass with 90 % probability" in finding.message
    # The power of the t-test from the noncentral t distribution.
    power = {
        n: scipy.stats.nct.cdf(
            scipy.stats.t.ppf(0.01, n - 1), n - 1, (3.2777 - 3.28) / 0.00185 * n**0.5
        )
        for n in (planned - 1, planned)
    }
    assert power[planned - 1] < 0.9 <= power[planned]
    result = cli("verify", folder)
    assert result.code == 1
    assert "at least 1 more run is needed" in " ".join(result.out.split())


def test_one_run_above_the_target_is_promised_nothing(build, findings_of):
    (finding,) = findings_of(build.published([3.2801]))["L002 too-few-runs"]
    assert finding.message.endswith("and this loss, 3.2801, is not below 3.28")


def test_one_run_on_a_track_without_a_known_sd_is_promised_nothing(build, findings_of):
    found = findings_of(build.published([2.91]), track="gpt2-medium")
    assert found["L002 too-few-runs"][0].message == (
        "p is not defined for 1 run: at least 1 more run is needed"
    )


def test_equal_losses_are_no_evidence_however_low(cli, build, findings_of):
    folder = build.published([3.2] * 4)
    (finding,) = findings_of(folder)["L004 equal-losses"]
    assert finding.severity == "fail"
    assert finding.message.startswith("all 4 losses are 3.2: with a standard deviation of 0")
    assert cli("verify", folder).code == 1


def test_losses_just_below_the_target_fail_and_say_what_it_would_take(build, findings_of):
    losses = [3.2790, 3.2797, 3.2783, 3.2810]
    (finding,) = findings_of(build.published(losses))["L005 not-significant"]
    p = scipy.stats.ttest_1samp(losses, GPT2_SMALL.target, alternative="less").pvalue
    assert finding.message.startswith(f"p = {p:.4g} is not below 0.01 (mean 3.2795, target 3.28")
    needed = int(finding.message.split("it would take ")[1].split(" runs")[0])
    mean, std = 3.2795, scipy.stats.tstd(losses)
    p_of = {n: scipy.stats.t.cdf((mean - 3.28) / std * n**0.5, n - 1) for n in (needed - 1, needed)}
    assert p_of[needed] < 0.01 <= p_of[needed - 1]


def test_a_mean_above_the_target_fails_and_no_number_of_runs_is_named(build, findings_of):
    (finding,) = findings_of(build.published([3.281, 3.282, 3.2825]))["L005 not-significant"]
    assert finding.message.endswith("3 runs); the mean is not below the target")


def test_p_equal_to_alpha_does_not_pass(build):
    folder = build.published()
    p = verify(folder).loss.p_value
    assert not verify(folder, alpha=p).certified
    assert verify(folder, alpha=p * (1 + 1e-9)).certified


def test_an_outlier_is_flagged_and_counted(build, findings_of, losses):
    folder = build.record([*losses[:-1], losses[0] - 0.9])
    (finding,) = findings_of(folder)["L006 outlier"]
    assert (finding.severity, finding.where) == ("info", "logs/seed-007.txt")
    assert verify(folder).loss.n == 8


@pytest.mark.parametrize("losses", [[3.2790, 3.2797, 3.2783, 3.2805], [3.2777]])
def test_a_systems_record_without_a_baseline_shows_neither_its_loss_nor_its_speed(
    build, findings_of, losses
):
    folder = build.published(losses)
    (folder / "record.toml").write_text('kind = "systems"')
    certificate = verify(folder)
    assert certificate.verdicts.loss.status == "fail"
    assert "L014 loss-not-shown-non-inferior" in findings_of(folder)
    (finding,) = findings_of(folder)["L008 loss-excused"]
    assert finding.severity == "info"
    assert finding.message.startswith("systems record: p ")
    assert certificate.verdicts.speed.status == "unknown"
    assert not certificate.certified


def test_a_diverged_systems_record_is_not_excused(build, published_log_text):
    folder = build.published()
    (folder / "record.toml").write_text('kind = "systems"')
    (folder / "99.txt").write_text(published_log_text(val_loss=float("nan")))
    assert verify(folder).verdicts.loss.status == "fail"


def test_no_counted_run_leaves_the_loss_unknown(build):
    certificate = verify(build.record(last_step=150))
    assert certificate.verdicts.loss.status == "unknown"
    assert certificate.loss.n == 0
