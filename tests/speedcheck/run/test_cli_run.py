"""`speedcheck run` as its users meet it, with a launcher that trains nothing."""

from __future__ import annotations

import json
import tomllib
from dataclasses import replace
from pathlib import Path

import pytest
from scipy import stats

from speedcheck import cli
from speedcheck.run.launchers.launcher import Setup
from tests.speedcheck.run.conftest import STEPS, certificate, ledger_entries, ledger_events


def test_the_whole_command_certifies_and_writes_the_record_folder(run_tiny, tmp_path):
    result = run_tiny("--seeds", "8")
    assert result.code == 0
    assert "CERTIFIED" in result.out
    record = tmp_path / "record"
    assert sorted(p.name for p in record.iterdir()) == [
        ".gitattributes",
        "README.md",
        "certificate.json",
        "ledger.jsonl",
        "logs",
        "record.toml",
    ]
    assert sorted(p.name for p in (record / "logs").iterdir()) == [
        f"seed-{seed:03d}.txt" for seed in range(8)
    ]


def test_quiet_prints_the_verdict_alone_and_writes_the_same_record(run_tiny, tmp_path):
    result = run_tiny("--seeds", "8", "--quiet")
    assert (result.code, result.err) == (0, "")
    assert result.out.startswith("CERTIFIED: mean loss ")
    assert result.out.count("\n") == 1
    assert certificate(tmp_path / "record")["certified"] is True


def test_the_plan_is_written_before_anything_runs(run_tiny, tmp_path, fake):
    seen = {}

    def look(job):
        if not seen:
            seen.update(tomllib.loads((tmp_path / "record/record.toml").read_text()))
            seen["events"] = ledger_events(tmp_path / "record")

    fake.on_start = look
    run_tiny("--seeds", "3")
    assert seen["seeds"] == [0, 1, 2]
    assert seen["runs"] == 3
    assert seen["stopping_rule"] == "fixed"
    assert seen["track"] == "tiny"
    assert seen["events"][:4] == [(0, "planned"), (1, "planned"), (2, "planned"), (0, "started")]


def test_the_certificate_holds_scipys_figures(run_tiny, tmp_path):
    run_tiny("--seeds", "6")
    written = certificate(tmp_path / "record")
    losses = [run["val_loss"] for run in written["runs"]]
    assert losses == [pytest.approx(1.18 + 0.01 * seed) for seed in range(6)]
    expected = stats.ttest_1samp(losses, written["target"], alternative="less")
    assert written["loss"]["p_value"] == pytest.approx(expected.pvalue, rel=1e-12)
    assert written["runtime"]["mean_s"] == pytest.approx(0.0425)


def test_verify_of_the_new_record_repeats_its_certificate(run_tiny, tmp_path, capsys):
    run_tiny("--seeds", "4")
    assert cli.main(["verify", str(tmp_path / "record"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == certificate(tmp_path / "record")


def test_the_certificate_holds_the_claims_of_the_readme_beside_it(run_tiny, tmp_path):
    run_tiny("--seeds", "8")
    claims = certificate(tmp_path / "record")["claims"]
    assert {claim["where"].partition(":")[0] for claim in claims} == {"README.md"}
    assert "not_confirmed" not in {claim["status"] for claim in claims}


def test_the_readme_of_an_earlier_state_does_not_refute_the_later_one(
    run_tiny, fake, fates, tmp_path, capsys
):
    fake.fate = lambda seed: fates["crashes" if seed in (1, 2) else "finishes"](seed)
    assert run_tiny("--seeds", "8").code == 1
    before = (tmp_path / "record/README.md").read_text()
    assert "**NOT CERTIFIED" in before
    fake.fate = fates["finishes"]
    assert run_tiny("--resume").code == 0
    assert "**CERTIFIED" in (tmp_path / "record/README.md").read_text()
    assert cli.main(["verify", str(tmp_path / "record"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == certificate(tmp_path / "record")


def test_what_another_document_refutes_is_said_in_the_readme_too(run_tiny, tmp_path, capsys):
    run_tiny("--seeds", "4")
    record = tmp_path / "record"
    (record / "statistics.md").write_text("```\nlosses = [1.18, 1.19, 1.2, 1.29]\n```\n")
    assert run_tiny("--resume").code == 1
    assert "**NOT CERTIFIED: 4 losses are claimed" in (record / "README.md").read_text()
    assert cli.main(["verify", str(record), "--json"]) == 1
    assert json.loads(capsys.readouterr().out) == certificate(record)


def test_plain_output_has_a_line_per_event_and_no_control_characters(run_tiny):
    out = run_tiny("--seeds", "2", "--jobs", "1").out
    assert "seed 0: started, seed-000.txt" in out
    assert "seed 1: finished, val_loss 1.1900 in 0.0 s" in out
    assert "2/2 runs: mean 1.1850, sd 0.0071" in out
    assert "\x1b" not in out


@pytest.mark.parametrize("jobs", [1, 3])
def test_no_more_runs_train_at_once_than_asked_for(run_tiny, fake, jobs):
    under_way: list[int] = []

    def count(job):
        ended = sum(p.poll() is not None for p in fake.processes[:-1])
        under_way.append(len(fake.processes) - ended)

    fake.on_start = count
    run_tiny("--seeds", "6", "--jobs", str(jobs))
    assert max(under_way) <= jobs


@pytest.mark.parametrize("value", ["0", "-3", "many", "2.5"])
def test_seeds_that_are_no_number_from_1_are_refused_in_one_line(run_tiny, tmp_path, value):
    result = run_tiny("--seeds", value)
    assert result.code == 2
    assert result.err.count("\n") == 1
    assert "--seeds" in result.err
    assert value in result.err
    assert not (tmp_path / "record").exists()


def test_a_folder_that_cannot_be_made_is_one_line(run_tiny):
    result = run_tiny("--seeds", "2", out=Path("/proc/nowhere/record"))
    assert result.code == 2
    assert result.err.count("\n") == 1
    assert "/proc/nowhere/record" in result.err


def test_a_trainer_that_cannot_start_leaves_nothing_behind(run_tiny, fake, tmp_path):
    fake.refusal = "recipe sub3 needs a CUDA GPU, none is here"
    result = run_tiny("--seeds", "2")
    assert result.code == 2
    assert "needs a CUDA GPU" in result.err
    assert not (tmp_path / "record").exists()


def test_one_run_is_evidence_that_does_not_certify(run_tiny, tmp_path):
    result = run_tiny("--seeds", "1")
    assert result.code == 1
    assert "at least 1 more run is needed" in result.out
    assert certificate(tmp_path / "record")["loss"]["p_value"] is None


def test_equal_losses_do_not_certify(run_tiny, fake, fates):
    fake.fate = lambda seed: fates["finishes"](seed, "1.500000")
    result = run_tiny("--seeds", "4")
    assert result.code == 1
    assert "L004 equal-losses" in result.out


def test_changes_of_the_recipe_are_planned_and_given_to_every_run(run_tiny, fake, tmp_path):
    options = ("--steps", "4", "--sequences-per-step", "2", "--sequence-length", "64")
    result = run_tiny("--seeds", "2", *options)
    assert result.code in (0, 1)
    plan = tomllib.loads((tmp_path / "record/record.toml").read_text())
    assert plan["overrides"] == {"steps": 4, "sequences_per_step": 2, "sequence_length": 64}
    assert "track" not in plan
    assert {job.overrides.options() for job in fake.jobs} == {options}
    assert " ".join(options) in (tmp_path / "record/README.md").read_text()
    assert certificate(tmp_path / "record")["track"] == "none"


def test_a_changed_recipe_enters_the_track_that_record_toml_names(run_tiny, tmp_path, capsys):
    run_tiny("--seeds", "2", "--steps", "4")
    path = tmp_path / "record/record.toml"
    path.write_text('track = "tiny"\n' + path.read_text())
    cli.main(["verify", str(tmp_path / "record"), "--json"])
    assert json.loads(capsys.readouterr().out)["track"] == "tiny"


@pytest.mark.parametrize(
    "option",
    ["--steps", "--sequences-per-step", "--sequence-length", "--timeout-per-run", "--gpus-per-run"],
)
def test_a_number_below_one_is_refused_by_name(run_tiny, option, tmp_path):
    result = run_tiny("--seeds", "2", option, "0")
    assert result.code == 2
    assert f"{option} is 0" in result.err
    assert not (tmp_path / "record").exists()


def test_runs_side_by_side_have_gpus_of_their_own(run_tiny, fake, fates, tmp_path):
    fake.setup = Setup("tiny", "cuda", 2, 1, STEPS, 1, gpus=8)
    fake.fate = lambda seed: replace(fates["finishes"](seed), looks=2 + seed)
    run_tiny("--seeds", "6", "--gpus-per-run", "2")
    assert [job.gpus for job in fake.jobs[:4]] == [(0, 1), (2, 3), (4, 5), (6, 7)]
    assert {job.gpus for job in fake.jobs[4:]} <= {job.gpus for job in fake.jobs[:4]}
    assert {job.side_by_side for job in fake.jobs} == {4}
    plan = tomllib.loads((tmp_path / "record/record.toml").read_text())
    assert plan["gpus_per_run"] == 2
    started = [
        entry.details for entry in ledger_entries(tmp_path / "record") if entry.event == "started"
    ]
    assert {details["side_by_side"] for details in started} == {4}
    assert [details["place"] for details in started[:4]] == [1, 2, 3, 4]
    speed = json.loads((tmp_path / "record/certificate.json").read_text())["verdicts"]["speed"]
    (finding,) = [f for f in speed["findings"] if f["code"].startswith("S009")]
    assert (speed["status"], finding["severity"]) == ("unknown", "unknown")
    assert "6 of 6 runs shared their machine's GPUs" in finding["message"]


def test_a_run_that_has_the_machine_for_itself_is_not_marked_in_the_ledger(run_tiny, tmp_path):
    run_tiny("--seeds", "2")
    assert not any("side_by_side" in entry.details for entry in ledger_entries(tmp_path / "record"))


def test_more_runs_than_the_gpus_have_room_for_are_refused(run_tiny, fake, tmp_path):
    fake.setup = Setup("tiny", "cuda", 8, 1, STEPS, 1, gpus=8)
    result = run_tiny("--seeds", "2", "--jobs", "2")
    assert result.code == 2
    assert "--jobs is 2, and the GPUs have room for 1 at a time" in result.err
    assert not (tmp_path / "record").exists()


@pytest.mark.parametrize("value", ["5001", "100000000000", "9" * 20, "9" * 5000])
@pytest.mark.parametrize(
    "command",
    [
        ("run", "--recipe", "tiny", "--seeds"),
        ("run", "--script", "train.py", "--gpus", "0", "--seeds"),
        ("run", "--recipe", "tiny", "--until-certified", "--max-seeds"),
        ("race", "--aa", "tiny", "--pairs"),
    ],
)
def test_numbers_that_no_record_can_hold_are_refused_in_one_line_and_leave_nothing(
    tmp_path, monkeypatch, capsys, fake, command, value
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "train.py").touch()
    assert cli.main([*command, value, "--out", "x"], launcher=fake) == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert command[-1] in err
    assert "internal error" not in err
    assert not (tmp_path / "x").exists()


def test_an_option_without_a_value_is_refused_by_its_name_alone(capsys):
    assert cli.main(["run", "--script", "train.py", "--isolate"]) == 2
    assert "error: --isolate belongs to recipes; leave it out" in capsys.readouterr().err
