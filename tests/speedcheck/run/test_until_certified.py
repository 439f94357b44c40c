"""`speedcheck run --until-certified` as its users meet it, with a launcher that trains nothing."""

from __future__ import annotations

import json
import tomllib
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from speedcheck import cli
from speedcheck.checks import codes
from speedcheck.errors import UsageError
from speedcheck.records.ledger import parse_ledger
from speedcheck.records.record_toml import Plan
from speedcheck.rules.tracks import GPT2_SMALL_STEPS, TINY
from speedcheck.run.campaign.stopping import (
    Goal,
    UntilCertified,
    check_sequential_track,
    stopping_rule,
)
from speedcheck.stats.sequential import sequential_t

TARGET = 1.30
GOOD = [1.28, 1.27, 1.29, 1.275, 1.285, 1.265, 1.28, 1.27, 1.29, 1.28, 1.27, 1.28]
"""Losses that certify; the test says at which run."""


def entries(record):
    return parse_ledger((record / "ledger.jsonl").read_bytes()).entries


def events(record, *kinds):
    return [entry.seed for entry in entries(record) if entry.event in kinds]


def certificate(record):
    return json.loads((record / "certificate.json").read_text())


@pytest.fixture
def with_losses(fake, fates):
    """Let seed i end at the i-th loss, after so many looks; other fates by seed."""

    def script(losses, looks=None, **other):
        def fate(seed):
            for name, seeds in other.items():
                if seed in seeds:
                    return fates[name](seed)
            made = fates["finishes"](seed, f"{losses[seed]:.6f}")
            made.looks = (looks or {}).get(seed, 1)
            return made

        fake.fate = fate

    return script


@pytest.fixture
def until(run_tiny):
    def call(*options):
        return run_tiny("--until-certified", *options)

    return call


def first_certified(losses):
    return sequential_t(losses, TARGET).certified_at


def test_the_campaign_stops_at_the_run_that_certifies(until, with_losses, fake, tmp_path, capsys):
    with_losses(GOOD)
    at = first_certified(GOOD)
    assert 2 < at < len(GOOD)
    result = until("--max-seeds", "12", "--jobs", "1")
    assert (result.code, fake.seeds) == (0, list(range(at)))
    assert f"stopped: certified at run {at}" in result.out
    figures = certificate(tmp_path / "record")["loss"]
    assert (figures["t"], figures["df"]) == (None, None)
    assert figures["p_value"] == figures["sequential"]["p_anytime"] < 0.01
    assert figures["sequential"]["certified_at"] == figures["sequential"]["runs"] == at
    expected = sequential_t(GOOD[:at], TARGET).log_e_values
    assert np.log(figures["sequential"]["e_values"]) == pytest.approx(expected)
    assert cli.main(["verify", str(tmp_path / "record"), "--json"]) == 0
    again = json.loads(capsys.readouterr().out)
    assert again["loss"] == figures
    assert {claim["status"] for claim in again["claims"]} == {"confirmed"}


def test_the_rule_and_the_largest_number_are_written_before_the_first_run(
    until, with_losses, fake, tmp_path
):
    with_losses(GOOD)
    seen = {}

    def look(job):
        record = tmp_path / "record"
        if not seen:
            plan = tomllib.loads((record / "record.toml").read_text())
            planned = [entry for entry in entries(record) if entry.event == "planned"]
            seen.update(plan=plan, details=[dict(entry.details) for entry in planned])

    fake.on_start = look
    until("--max-seeds", "12")
    assert seen["plan"]["stopping_rule"] == "sequential"
    assert (seen["plan"]["runs"], seen["plan"]["seeds"]) == (12, list(range(12)))
    assert seen["details"] == [{"stopping_rule": "sequential", "max_seeds": 12}] * 12


def test_the_largest_number_is_64_unless_given(until, with_losses, tmp_path):
    with_losses(GOOD)
    until("--jobs", "1")
    assert events(tmp_path / "record", "planned") == list(range(64))


def test_only_here_the_display_shows_e_and_its_p(until, run_tiny, with_losses, tmp_path):
    with_losses(GOOD)
    at = first_certified(GOOD)
    out = until("--max-seeds", "12", "--jobs", "1").out
    e_value = sequential_t(GOOD[:at], TARGET).e_value
    assert f"E = {e_value:.4g} after {at} in order (certified at 100), anytime-valid p = " in out
    fixed = run_tiny("--seeds", "12", out=tmp_path / "fixed").out
    assert "E = " not in fixed
    assert "anytime" not in fixed


def test_runs_in_flight_finish_and_count_and_certified_at_stays(until, with_losses, fake, tmp_path):
    at = first_certified(GOOD)
    losses = [*GOOD[:at], 1.31, 1.32, *GOOD]
    with_losses(losses, looks=dict.fromkeys((at, at + 1), 400))
    assert until("--max-seeds", "14", "--jobs", "3").code == 0
    record = tmp_path / "record"
    assert sorted(fake.seeds) == list(range(at + 2)) == sorted(events(record, "finished"))
    loss = certificate(record)["loss"]
    assert loss["n"] == at + 2
    assert loss["mean"] == pytest.approx(np.mean(losses[: at + 2]))
    assert loss["sequential"]["certified_at"] == at
    assert loss["sequential"]["runs"] == at + 2


def test_a_run_that_comes_late_is_not_left_out():
    """E waits for the longest completed prefix of the plan, whatever comes first."""
    rule = UntilCertified(Goal(tuple(range(12)), TARGET, 0.01, "less"))

    for seed in range(1, 11):
        rule.finished(seed, SimpleNamespace(diverged=False, val_loss=GOOD[seed]))
    assert not rule.is_met
    assert "after 0 in order" in rule.line()
    rule.finished(0, SimpleNamespace(diverged=False, val_loss=1.5))
    assert "after 11 in order" in rule.line()
    assert not rule.is_met


def test_a_failed_run_that_is_repeated_lets_the_campaign_go_on():
    rule = UntilCertified(Goal(tuple(range(12)), TARGET, 0.01, "less"))
    rule.failed(3)
    assert rule.is_met
    rule.finished(3, SimpleNamespace(diverged=False, val_loss=1.3))
    assert not rule.is_met


def test_a_diverged_run_ends_the_campaign_and_does_not_certify(until, with_losses, fake, tmp_path):
    with_losses(GOOD, diverges={2})
    result = until("--max-seeds", "12", "--jobs", "1")
    assert (result.code, fake.seeds) == (1, [0, 1, 2])
    assert "seed 2 diverged" in result.out
    sequential = certificate(tmp_path / "record")["loss"]["sequential"]
    assert sequential["certified_at"] is None


def test_equal_losses_are_no_evidence(until, with_losses, tmp_path):
    with_losses([1.2] * 6)
    assert until("--max-seeds", "6").code == 1
    loss = certificate(tmp_path / "record")["loss"]
    assert (loss["sequential"]["e_values"], loss["p_value"]) == ([1.0] * 6, 1.0)


def test_a_failed_run_stops_the_campaign_and_resume_repeats_it(until, run_tiny, with_losses, fake):
    with_losses(GOOD, crashes={1})
    result = until("--max-seeds", "12", "--jobs", "1")
    assert (result.code, fake.seeds) == (1, [0, 1])
    assert "seed 1 failed: --resume repeats it" in result.out
    with_losses(GOOD)
    assert run_tiny("--resume", "--jobs", "1").code == 0
    assert fake.seeds == [0, 1, *range(1, first_certified(GOOD))]


def test_a_run_that_was_in_flight_and_failed_is_repeated_although_the_record_is_certified(
    until, run_tiny, with_losses, fake, tmp_path
):
    at = first_certified(GOOD)
    with_losses(GOOD, crashes={at})
    assert until("--max-seeds", "12", "--jobs", "2").code == 1
    with_losses(GOOD)
    assert run_tiny("--resume").code == 0
    assert fake.seeds == [*range(at + 1), at]
    assert certificate(tmp_path / "record")["loss"]["sequential"]["certified_at"] == at


def test_resume_of_a_certified_record_trains_nothing(until, run_tiny, with_losses, fake):
    with_losses(GOOD)
    until("--max-seeds", "12", "--jobs", "1")
    assert run_tiny("--resume").code == 0
    assert len(fake.seeds) == first_certified(GOOD)


BORDERLINE = [TARGET + x for x in np.random.default_rng(3).normal(0, 0.01, 40)]


def test_futility_is_advice_and_stops_only_when_asked(until, run_tiny, with_losses, fake, tmp_path):
    bad = [loss + 0.01 for loss in BORDERLINE]
    with_losses(bad)
    result = until("--max-seeds", "20", "--jobs", "1")
    assert (result.code, len(fake.seeds)) == (1, 20)
    assert "futile: at best" in result.out
    assert "E = " in result.out
    fake.jobs.clear()
    other = tmp_path / "other"
    result = run_tiny(
        "--until-certified", "--max-seeds", "20", "--jobs", "1", "--stop-if-futile", out=other
    )
    assert (result.code, len(fake.seeds)) == (1, 16)
    assert "stopped: futile" in result.out
    found = {finding["code"] for finding in certificate(other)["verdicts"]["loss"]["findings"]}
    assert codes.NOT_REACHED in found
    assert codes.RUN_MISSING not in {
        finding["code"] for finding in certificate(other)["verdicts"]["provenance"]["findings"]
    }


def test_the_maximum_can_be_raised_which_the_ledger_notes(until, run_tiny, with_losses, tmp_path):
    with_losses(GOOD)
    at = first_certified(GOOD)
    assert until("--max-seeds", str(at - 1), "--jobs", "1").code == 1
    assert run_tiny("--resume", "--max-seeds", "12", "--jobs", "1").code == 0
    record = tmp_path / "record"
    assert events(record, "extended") == [at - 1]
    assert tomllib.loads((record / "record.toml").read_text())["runs"] == 12
    assert certificate(record)["loss"]["sequential"]["maximum"] == 12


def test_more_seeds_for_a_fixed_number_are_a_look_that_is_said(run_tiny, tmp_path):
    run_tiny("--seeds", "4")
    record = tmp_path / "record"
    result = run_tiny("--resume", "--seeds", "6")
    assert "the gate rejects that" in result.out
    assert events(record, "extended") == [4]
    assert tomllib.loads((record / "record.toml").read_text())["seeds"] == list(range(6))
    found = certificate(record)["verdicts"]["provenance"]["findings"]
    (said,) = [finding for finding in found if finding["code"] == codes.EXTENDED]
    assert said["severity"] == "warn"
    assert "4 to 6 runs" in said["message"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--until-certified", "--seeds", "8"), "give --max-seeds"),
        (("--max-seeds", "8"), "add --until-certified"),
        (("--stop-if-futile",), "add --until-certified"),
        (("--until-certified", "--max-seeds", "1"), "--max-seeds is 1"),
        (("--until-certified", "--max-seeds", "1001"), "--max-seeds is 1001"),
    ],
    ids=str,
)
def test_options_that_contradict_each_other_are_one_line(run_tiny, options, message, tmp_path):
    result = run_tiny(*options)
    assert (result.code, result.err.count("\n")) == (2, 1)
    assert message in result.err
    assert not (tmp_path / "record").exists()


def test_a_record_keeps_its_stopping_rule_on_resume(run_tiny, with_losses, tmp_path):
    with_losses(GOOD)
    run_tiny("--seeds", "4")
    fixed = run_tiny("--resume", "--until-certified")
    assert (fixed.code, "whatever their losses are" in fixed.err) == (2, True)
    other = tmp_path / "other"
    run_tiny("--until-certified", "--max-seeds", "12", "--jobs", "1", out=other)
    sequential = run_tiny("--resume", "--seeds", "20", out=other)
    assert (sequential.code, "--max-seeds instead of --seeds" in sequential.err) == (2, True)
    fewer = run_tiny("--resume", "--max-seeds", "5", out=other)
    assert (fewer.code, "12 runs were planned, not 5" in fewer.err) == (2, True)


def test_status_knows_that_a_certified_campaign_has_ended(until, with_losses, tmp_path, capsys):
    with_losses(GOOD)
    until("--max-seeds", "12", "--jobs", "1")
    at, record = first_certified(GOOD), str(tmp_path / "record")
    assert cli.main(["status", record]) == 0
    out = capsys.readouterr().out
    assert out.startswith(f"{record}: ended\n{at} of at most 12 runs finished, 0 under way, 0 to")
    assert f"certified at run {at}: E = " in out


def test_a_queue_that_takes_all_runs_at_once_is_refused(until, fake, tmp_path):
    fake.setup = replace(fake.setup, queue="Slurm")
    result = until("--max-seeds", "12")
    assert (result.code, result.err.count("\n")) == (2, 1)
    assert "Slurm takes all runs at once" in result.err
    assert not (tmp_path / "record").exists()


def test_a_track_without_a_t_test_refuses_a_sequential_campaign():
    with pytest.raises(UsageError, match="known-sigma") as error:
        check_sequential_track(GPT2_SMALL_STEPS)
    assert "\n" not in str(error.value)


def test_a_fixed_plan_has_no_stopping_rule():
    assert stopping_rule(Plan("a", seeds=(0, 1)), TINY) is None
