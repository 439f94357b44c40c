"""`speedcheck run --resume`: what is repeated, what is kept, what is refused."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from speedcheck import cli
from speedcheck.records.ledger_writer import LedgerWriter
from speedcheck.run.launchers.processes import find_processes, mark_of
from tests.speedcheck.run.conftest import ledger_events

needs_proc = pytest.mark.skipif(
    not Path("/proc/self/environ").exists(), reason="finds processes under /proc"
)


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


def test_a_run_that_finished_after_its_launcher_died_is_not_lost(run_tiny, fake, tmp_path):
    run_tiny("--seeds", "3")
    # It died before it could judge.
    (tmp_path / "record/certificate.json").unlink()
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
    (record / "certificate.json").unlink()
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


def test_resume_keeps_the_changes_of_the_recipe(run_tiny, fake, fates):
    fake.fate = fates["crashes"]
    run_tiny("--seeds", "2", "--steps", "4")
    fake.fate = fates["finishes"]
    run_tiny("--resume")
    assert {job.overrides.steps for job in fake.jobs} == {4}
    refused = run_tiny("--resume", "--steps", "5")
    assert refused.code == 2
    assert "the plan has --steps 4, not --steps 5" in refused.err
