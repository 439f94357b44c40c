"""`speedcheck run` as its users meet it, with a launcher that trains nothing."""

from __future__ import annotations

import errno
import itertools
import json
import os
import signal
import subprocess
import sys
import time
import tomllib
from dataclasses import replace
from pathlib import Path
from unittest import mock

import pytest
from scipy import stats

from speedcheck import cli
from speedcheck.records.ledger import Entry, parse_ledger
from speedcheck.records.ledger_writer import LedgerWriter
from speedcheck.run.campaign import campaign
from speedcheck.run.launchers.launcher import Setup
from speedcheck.run.launchers.processes import find_processes, mark_of

STEPS = 4
needs_proc = pytest.mark.skipif(
    not Path("/proc/self/environ").exists(), reason="finds processes under /proc"
)


def ledger_entries(record: Path) -> tuple[Entry, ...]:
    return parse_ledger((record / "ledger.jsonl").read_bytes()).entries


def ledger_events(record: Path) -> list[tuple[int, str]]:
    return [(entry.seed, entry.event) for entry in ledger_entries(record)]


def certificate(record: Path) -> dict:
    return json.loads((record / "certificate.json").read_text())


def test_the_whole_command_certifies_and_writes_the_record_folder(run_tiny, tmp_path):
    result = run_tiny("--seeds", "8")
    assert result.code == 0
    assert "CERTIFIED" in result.out
    record = tmp_path / "record"
    assert sorted(p.name for p in record.iterdir()) == [
        "README.md",
        "certificate.json",
        "ledger.jsonl",
        "logs",
        "record.toml",
    ]
    assert sorted(p.name for p in (record / "logs").iterdir()) == [
        f"seed-{seed:03d}.txt" for seed in range(8)
    ]


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


def test_an_existing_record_is_refused_and_left_as_it_is(run_tiny, tmp_path, fake):
    run_tiny("--seeds", "2")
    before = (tmp_path / "record/ledger.jsonl").read_bytes()
    result = run_tiny("--seeds", "2")
    assert result.code == 2
    assert "--resume" in result.err
    assert result.err.count("\n") == 1
    assert (tmp_path / "record/ledger.jsonl").read_bytes() == before
    assert len(fake.jobs) == 2


def test_an_empty_folder_is_no_existing_record(run_tiny, tmp_path):
    (tmp_path / "record").mkdir()
    assert run_tiny("--seeds", "4").code == 0


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


def test_a_crashed_run_shows_its_last_lines_and_the_others_go_on(run_tiny, fake, fates, tmp_path):
    fake.fate = lambda seed: fates["crashes" if seed == 1 else "finishes"](seed)
    result = run_tiny("--seeds", "4")
    assert result.code == 1
    assert "RuntimeError: boom" in result.out
    events = ledger_events(tmp_path / "record")
    assert (1, "failed") in events
    assert [seed for seed, event in events if event == "finished"] == [0, 2, 3]
    assert "P002 run-missing" in result.out


def test_a_diverged_run_is_kept_as_evidence_and_never_certifies(run_tiny, fake, fates, tmp_path):
    fake.fate = lambda seed: fates["diverges" if seed == 1 else "finishes"](seed)
    result = run_tiny("--seeds", "4")
    assert result.code == 1
    assert "L003 diverged-run" in result.out
    assert (1, "finished") in ledger_events(tmp_path / "record")
    run = certificate(tmp_path / "record")["runs"][1]
    assert run["counted"] is True
    assert run["val_loss"] is None


def test_resume_does_not_repeat_a_diverged_run(run_tiny, fake, fates):
    fake.fate = lambda seed: fates["diverges" if seed == 1 else "finishes"](seed)
    run_tiny("--seeds", "2")
    assert run_tiny("--resume").code == 1
    assert fake.seeds == [0, 1]


def test_resume_repeats_failed_seeds_only_and_keeps_their_first_logs(
    run_tiny, fake, fates, tmp_path
):
    fake.fate = lambda seed: fates["crashes" if seed == 1 else "finishes"](seed)
    run_tiny("--seeds", "3")
    fake.fate = fates["finishes"]
    result = run_tiny("--resume")
    assert fake.seeds == [0, 1, 2, 1]
    assert result.code == 0
    logs = sorted(p.name for p in (tmp_path / "record/logs").iterdir())
    assert logs == [
        "seed-000.txt",
        "seed-001.attempt-2.txt",
        "seed-001.txt",
        "seed-002.txt",
    ]


def test_resume_of_a_finished_record_trains_nothing(run_tiny, fake):
    run_tiny("--seeds", "4")
    result = run_tiny("--resume")
    assert result.code == 0
    assert fake.seeds == [0, 1, 2, 3]
    assert "4/4 runs" in result.out


def test_resume_with_fewer_runs_than_planned_is_refused(run_tiny):
    run_tiny("--seeds", "2")
    result = run_tiny("--resume", "--seeds", "1")
    assert result.code == 2
    assert "2 runs were planned" in result.err


def test_resume_without_a_record_is_refused(run_tiny):
    result = run_tiny("--resume")
    assert result.code == 2
    assert "no record.toml" in result.err


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_children_and_the_ledger_says_abandoned(
    run_tiny, fake, fates, tmp_path, number
):
    fake.fate = lambda seed: fates["finishes" if seed == 0 else "hangs"](seed)
    fake.on_start = lambda job: os.kill(os.getpid(), number) if job.seed == 2 else None
    result = run_tiny("--seeds", "4", "--jobs", "2")
    assert result.code == 128 + number
    assert "--resume" in result.err
    assert all(process.terminated for process in fake.processes[1:])
    events = ledger_events(tmp_path / "record")
    assert (0, "finished") in events
    assert (1, "abandoned") in events
    assert (2, "abandoned") in events
    assert (3, "started") not in events
    fake.fate, fake.on_start = fates["finishes"], None
    fake.jobs.clear()
    assert run_tiny("--resume").code == 0
    assert fake.seeds == [1, 2, 3]


def test_a_run_that_finished_after_its_launcher_died_is_not_lost(run_tiny, fake, tmp_path):
    run_tiny("--seeds", "3")
    ledger = tmp_path / "record/ledger.jsonl"
    lines = ledger.read_bytes().splitlines(keepends=True)
    last = max(i for i, line in enumerate(lines) if b'"finished"' in line)
    ledger.write_bytes(b"".join(lines[:last]))
    fake.jobs.clear()
    assert run_tiny("--resume").code == 0
    assert fake.jobs == []


def test_a_run_cut_with_its_launcher_is_abandoned_and_repeated(run_tiny, fake, tmp_path):
    run_tiny("--seeds", "4")
    record = tmp_path / "record"
    ledger = record / "ledger.jsonl"
    lines = ledger.read_bytes().splitlines(keepends=True)
    last = max(i for i, line in enumerate(lines) if b'"finished"' in line)
    seed = json.loads(lines[last])["seed"]
    ledger.write_bytes(b"".join(lines[:last]))
    log = record / f"logs/seed-{seed:03d}.txt"
    log.write_text(log.read_text().split("step:3/")[0])
    fake.jobs.clear()
    assert run_tiny("--resume").code == 0
    assert fake.seeds == [seed]
    assert (seed, "abandoned") in ledger_events(record)


def test_a_full_disk_ends_the_command_in_one_line_and_loses_nothing(
    run_tiny, fake, tmp_path, monkeypatch
):
    from speedcheck.errors import RecordError
    from speedcheck.records.ledger_writer import LedgerWriter

    append = LedgerWriter.append

    def full_after_one_result(self, event, seed, **rest):
        if event == "finished" and seed == 1:
            raise RecordError("cannot write (No space left on device)", where="ledger.jsonl")
        return append(self, event, seed, **rest)

    monkeypatch.setattr(LedgerWriter, "append", full_after_one_result)
    result = run_tiny("--seeds", "4", "--jobs", "2")
    assert result.code == 2
    assert result.err.count("\n") == 1
    assert "No space left" in result.err
    monkeypatch.undo()
    fake.jobs.clear()
    assert run_tiny("--resume").code == 0
    assert 1 not in fake.seeds
    assert 0 not in fake.seeds


def test_a_full_disk_at_the_end_keeps_the_earlier_evidence_whole(run_tiny, tmp_path, monkeypatch):
    run_tiny("--seeds", "4")
    record = tmp_path / "record"
    before = (record / "README.md").read_bytes()

    def full(path, *arguments, **keywords):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "write_text", full)
    result = run_tiny("--resume")
    assert result.code == 2
    assert result.err.count("\n") == 1
    assert "No space left on device; the logs and the ledger are kept" in result.err.replace(
        ")", ""
    )
    assert (record / "README.md").read_bytes() == before
    assert [path.name for path in record.iterdir() if path.name.startswith(".")] == []


def test_two_campaigns_on_one_record_are_refused(run_tiny, fake, tmp_path, capsys):
    codes = []

    def start_another(job):
        fake.on_start = None
        codes.append(
            cli.main(["run", "--resume", "--out", str(tmp_path / "record")], launcher=fake)
        )

    fake.on_start = start_another
    run_tiny("--seeds", "2")
    assert codes == [2]


def test_the_recipe_of_a_resumed_record_is_its_planned_one(run_tiny, fake, tmp_path):
    run_tiny("--seeds", "4")
    code = cli.main(["run", "--resume", "--out", str(tmp_path / "record")], launcher=fake)
    assert code == 0


def test_a_run_that_hangs_is_stopped_and_the_others_go_on(run_tiny, fake, fates, tmp_path):
    fake.fate = lambda seed: fates["hangs" if seed == 1 else "finishes"](seed)
    clock = itertools.count(0.0).__next__
    with mock.patch.object(campaign.time, "monotonic", clock):
        result = run_tiny("--seeds", "3", "--jobs", "1", "--timeout-per-run", "30")
    assert result.code == 1
    assert "seed 1: failed, stopped after 30 s without a result (--timeout-per-run)" in result.out
    assert fake.processes[1].terminated
    assert fake.processes[1].stopped
    assert [event for seed, event in ledger_events(tmp_path / "record") if seed != 1].count(
        "finished"
    ) == 2
    assert (1, "failed") in ledger_events(tmp_path / "record")


def test_the_recipe_says_how_long_a_run_may_take(run_tiny, fake, fates):
    fake.setup = replace(fake.setup, timeout_s=7)
    fake.fate = fates["hangs"]
    clock = itertools.count(0.0).__next__
    with mock.patch.object(campaign.time, "monotonic", clock):
        assert "stopped after 7 s" in run_tiny("--seeds", "1").out


def test_whatever_has_ended_is_stopped_before_its_log_is_judged(run_tiny, fake, fates):
    fake.fate = lambda seed: fates["crashes" if seed == 1 else "finishes"](seed)
    run_tiny("--seeds", "3")
    assert all(process.stopped for process in fake.processes)
    assert fake.closed == 1


@needs_proc
def test_what_a_killed_launcher_left_is_ended_on_resume_and_named(run_tiny, fake, tmp_path):
    record = tmp_path / "record"
    run_tiny("--seeds", "2")
    orphan = subprocess.Popen(
        [sys.executable, "-c", "import time; time.sleep(600)"],
        env=os.environ | dict([mark_of(record)]),
    )
    while not find_processes(mark_of(record)):
        time.sleep(0.01)
    result = run_tiny("--resume")
    assert f"ended process {orphan.pid}, left by an earlier launcher: " in result.out
    assert orphan.wait(20) == -signal.SIGKILL


@needs_proc
def test_a_launcher_that_is_refused_ends_no_process_of_the_other(run_tiny, fake, tmp_path):
    record = tmp_path / "record"
    run_tiny("--seeds", "2")
    with (
        LedgerWriter(record / "ledger.jsonl"),
        subprocess.Popen(
            [sys.executable, "-c", "import time; time.sleep(600)"],
            env=os.environ | dict([mark_of(record)]),
        ) as child,
    ):
        result = run_tiny("--resume")
        assert "another process is running this record" in result.err
        assert child.poll() is None
        child.kill()


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


def test_resume_keeps_the_changes_of_the_recipe(run_tiny, fake, fates):
    fake.fate = fates["crashes"]
    run_tiny("--seeds", "2", "--steps", "4")
    fake.fate = fates["finishes"]
    run_tiny("--resume")
    assert {job.overrides.steps for job in fake.jobs} == {4}
    refused = run_tiny("--resume", "--steps", "5")
    assert refused.code == 2
    assert "the plan has --steps 4, not --steps 5" in refused.err


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


def test_a_log_that_never_appears_is_a_failure_that_says_so(run_tiny, fake, fates, tmp_path):
    fake.fate = lambda seed: replace(fates["finishes"](seed), log="")
    result = run_tiny("--seeds", "1")
    assert "seed 0: failed, exit status 0, and its log holds no result" in result.out
    assert ledger_events(tmp_path / "record")[-1] == (0, "failed")


def test_a_run_that_is_killed_says_that_memory_may_be_short(run_tiny, fake, fates):
    fake.fate = lambda seed: replace(fates["crashes"](seed), status=-9, output="")
    assert "signal SIGKILL (often: out of memory)" in run_tiny("--seeds", "1").out
