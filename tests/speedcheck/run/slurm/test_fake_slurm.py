"""Campaigns with commands that play Slurm, for what a real one does not do on demand."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pytest

from speedcheck.records.log_names import log_name
from speedcheck.run.slurm import array, process, queue
from tests.speedcheck.run.waiting import meanwhile, until_training, wait_for

FAKE = Path(__file__).parent / "fake_slurm.py"


@pytest.fixture
def slurm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that scripts the fake Slurm, which is on PATH."""
    folder, commands = tmp_path / "slurm", tmp_path / "bin"
    folder.mkdir()
    commands.mkdir()
    for name in ("sbatch", "squeue", "scancel", "sacct"):
        script = commands / name
        script.write_text(f"#!{sys.executable} -S\n" + FAKE.read_text())
        script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{commands}:{os.environ['PATH']}")
    monkeypatch.setenv("FAKE_SLURM", str(folder))
    return folder


def calls(slurm: Path, name: str) -> list[str]:
    return [line for line in (slurm / "calls").read_text().splitlines() if line.startswith(name)]


def show(slurm: Path, states: dict[str, str]) -> None:
    (slurm / "states.json").write_text(json.dumps(states))


def test_the_array_gets_the_options_that_were_typed(run, slurm, record):
    result = run(
        *("--seeds", "4", "--seeds-per-task", "2", "--nodes", "3"),
        *("--partition", "p", "--time", "90"),
    )
    assert result.code == 0
    test, submission = calls(slurm, "sbatch")
    assert "--test-only" in test
    for option in ("--array=0-1%3", "--partition=p", "--time=90", "--requeue", "--mem=300M"):
        assert option in submission.split()
    assert [result.events(seed) for seed in range(4)] == [["started", "finished"]] * 4


def test_a_variable_that_asks_for_memory_is_not_hidden_by_an_option(run, slurm, monkeypatch):
    monkeypatch.setenv("SBATCH_MEM_PER_CPU", "1G")
    assert run("--seeds", "1").code == 1
    assert not [call for call in calls(slurm, "sbatch") if "--mem" in call]


def test_without_sbatch_one_line_says_so(run, monkeypatch, record, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    result = run("--seeds", "2")
    assert result.code == 2
    assert result.err == (
        "speedcheck: error: --launcher slurm: sbatch is not on PATH; run this on a login node\n"
    )
    assert not record.exists()


def test_what_sbatch_refuses_leaves_no_folder(run, slurm, record):
    (slurm / "refuse").write_text("invalid partition specified: p")
    result = run("--seeds", "2", "--partition", "p")
    assert result.code == 2
    assert result.err == "speedcheck: error: sbatch failed: invalid partition specified: p\n"
    assert not record.exists()


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (("--launcher", "pbs"), "there is no launcher 'pbs'; choose local or slurm"),
        (("--launcher", "local", "--partition", "p"), "--partition does not go with --launcher"),
        (("--jobs", "2"), "--jobs does not go with --launcher slurm"),
        (("--nodes", "0"), "--nodes is 0; give a whole number from 1"),
        (("--max-attempts", "0"), "--max-attempts is 0; give a whole number from 1"),
        (("--seeds-per-task", "-1"), "--seeds-per-task is -1; give a whole number from 1"),
        (("--time", "soon"), "'soon' is not a whole number"),
    ],
)
def test_options_that_do_not_go_together_are_one_line(run, slurm, record, options, complaint):
    result = run(*options)
    assert result.code == 2
    assert complaint in result.err
    assert len(result.err.splitlines()) == 1
    assert not record.exists()


def test_an_interval_that_is_not_a_number_is_one_line(run, slurm, monkeypatch):
    monkeypatch.setenv(queue.INTERVAL_VARIABLE, "often")
    result = run("--seeds", "1")
    assert result.code == 2
    assert "SPEEDCHECK_SQUEUE_SECONDS: 'often' is not a number of seconds" in result.err


@pytest.mark.slow
@pytest.mark.parametrize(
    ("state", "reason"),
    [
        ("OUT_OF_MEMORY", "it used more memory than it may (OUT_OF_MEMORY)"),
        ("TIMEOUT", "its time limit is over (TIMEOUT); raise --time"),
        ("NODE_FAIL", "its node failed (NODE_FAIL)"),
        ("FAILED", "left no exit status, Slurm says FAILED"),
    ],
)
def test_what_slurm_says_of_a_task_is_the_reason(run, slurm, fates, record, state, reason):
    fates({0: "hang"})
    meanwhile(until_training(record), lambda: kill(slurm, 0), lambda: show(slurm, {"0": state}))
    result = run("--seeds", "2")
    assert result.events(0) == ["started", "failed"]
    assert reason in result.entries(0)[-1].reason
    assert result.events(1) == ["started", "finished"]


@pytest.mark.slow
def test_a_trainer_that_a_cgroup_kills_for_its_memory_is_said_to_be(run, slurm, fates, record):
    """Its task lives on, says how the trainer ended, and Slurm says why only then."""
    fates({0: "killed"})
    show(slurm, {"0": "RUNNING"})
    ended = record / ".slurm" / "seed-000.txt.ended"
    meanwhile(
        lambda: wait_for(ended.exists),
        lambda: time.sleep(0.7),
        lambda: show(slurm, {"0": "OUT_OF_MEMORY"}),
    )
    result = run("--seeds", "2")
    assert result.events(0) == ["started", "failed"]
    reason = result.entries(0)[-1].reason
    assert reason.startswith("signal SIGKILL")
    assert reason.endswith("more memory than it may (OUT_OF_MEMORY); raise SBATCH_MEM_PER_NODE")


@pytest.mark.slow
def test_a_killed_trainer_is_not_waited_for_where_slurm_says_nothing(run, slurm, fates, record):
    fates({0: "killed"})
    show(slurm, {"0": "RUNNING"})
    assert run("--seeds", "2").entries(0)[-1].reason.startswith("signal SIGKILL")


def kill(slurm: Path, task: int) -> None:
    os.killpg(int((slurm / f"pid-{task}").read_text()), signal.SIGKILL)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("sacct", "reason"),
    [("77_0|CANCELLED by 0", "somebody cancelled it"), ("", "Slurm does not know it any more")],
)
def test_accounting_is_asked_where_squeue_has_forgotten(run, slurm, fates, record, sacct, reason):
    fates({0: "hang"})
    if sacct:
        (slurm / "sacct").write_text(sacct)
    meanwhile(until_training(record), lambda: kill(slurm, 0))
    result = run("--seeds", "1")
    assert result.events(0) == ["started", "failed"]
    assert reason in result.entries(0)[-1].reason


def test_a_failing_squeue_costs_nothing_and_is_said(run, slurm, fates, record, home, monkeypatch):
    monkeypatch.setattr(queue, "SILENCE_SECONDS", 0.5)
    fates({0: "wait"})
    (slurm / "squeue-fails").write_text("Unable to contact slurm controller")
    meanwhile(
        until_training(record),
        lambda: time.sleep(1.5),
        (slurm / "squeue-fails").unlink,
        lambda: time.sleep(1),
        (home / "go").touch,
    )
    result = run("--seeds", "1")
    assert result.events(0) == ["started", "finished"]
    assert "(Unable to contact slurm controller); the runs go on" in result.err
    assert "squeue answers again" in result.err


@pytest.mark.slow
def test_a_node_that_does_not_see_the_folder_is_named(run, slurm, fates, record, monkeypatch):
    monkeypatch.setattr(array, "HERE_SECONDS", 0.5)
    fates({0: "hang"})

    def hide() -> None:
        for path in (record / ".slurm").glob("*.here"):
            path.unlink()

    meanwhile(
        until_training(record),
        hide,
        lambda: time.sleep(2),
        lambda: os.kill(os.getpid(), signal.SIGINT),
    )
    result = run("--seeds", "1")
    assert f"nothing came into {record}: does that node see the folder?" in result.err
    assert "task 77_0 has run on node1" in result.err
    assert result.code == 130


@pytest.mark.slow
def test_a_task_that_slurm_holds_is_named(run, slurm, fates, record):
    fates({0: "hang"})
    show(slurm, {"0": "PENDING JobHeldAdmin"})
    meanwhile(
        until_training(record),
        lambda: time.sleep(1),
        lambda: show(slurm, {"0": "CANCELLED"}),
        lambda: kill(slurm, 0),
    )
    result = run("--seeds", "1")
    assert "Slurm lets task 77_0 wait: JobHeldAdmin" in result.err


@pytest.mark.slow
def test_a_log_that_never_appears_is_said(run, slurm, fates, record, monkeypatch):
    monkeypatch.setattr(process, "LOG_SECONDS", 0.3)
    fates({0: "silent"})
    meanwhile(
        lambda: wait_for((record / ".slurm" / "seed-000.txt.started").exists),
        lambda: time.sleep(1.5),
        lambda: os.kill(os.getpid(), signal.SIGINT),
    )
    result = run("--seeds", "1")
    assert "seed 0 started in task 77_0" in result.err
    assert "has no log yet" in result.err
    assert result.events(0) == ["started", "abandoned"]


@pytest.mark.slow
def test_a_record_of_slurm_is_not_resumed_on_this_machine_while_tasks_may_train(run, slurm, record):
    from speedcheck.records.ledger_writer import LedgerWriter

    run("--seeds", "2")
    with LedgerWriter(record / "ledger.jsonl") as ledger:
        ledger.append("started", 1, log=record / "logs" / "seed-001.txt")
    before = (record / "ledger.jsonl").read_bytes()
    result = run("--resume", "--launcher", "local")
    assert result.code == 2
    assert "add --launcher slurm" in result.err
    assert (record / "ledger.jsonl").read_bytes() == before


def test_logs_of_tasks_are_not_taken_for_new_runs_when_the_ledger_is_cut(run, slurm, record):
    """Slurm's notes in the folder still say that each run ended well."""
    run("--seeds", "2")
    (record / "certificate.json").unlink()
    path = record / "ledger.jsonl"
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:2]))
    result = run("--resume")
    assert result.code == 2
    assert "the ledger does not know logs/seed-000.txt, logs/seed-001.txt" in result.err
    (record / "logs" / "seed-000.txt").unlink()
    (record / "logs" / "seed-001.txt").unlink()
    result = run("--resume")
    assert result.code == 2
    assert "seed-000.txt: is there before its run has started; add --resume" in result.err
    assert "finished" not in result.events(0)


@pytest.mark.slow
def test_a_second_launcher_on_the_folder_is_refused(run, slurm, record):
    from speedcheck.records.ledger_writer import LedgerWriter

    run("--seeds", "2")
    with LedgerWriter(record / "ledger.jsonl"):
        result = run("--resume")
    assert result.code == 2
    assert "another process is running this record" in result.err


@pytest.mark.slow
def test_a_clock_that_jumps_changes_nothing(run, slurm, fates, record, home, monkeypatch):
    fates({0: "wait"})
    times = iter(range(10**9, 0, -(10**7)))
    monkeypatch.setattr(time, "time", lambda: float(next(times, 0)))
    meanwhile(until_training(record), lambda: time.sleep(1), (home / "go").touch)
    result = run("--seeds", "1")
    assert result.events(0) == ["started", "finished"]


def start_again(
    slurm: Path, record: Path, task: int, started: list[subprocess.Popen[bytes]]
) -> None:
    """Do what Slurm does with a task that it puts back: end it, and start it anew."""
    kill(slurm, task)
    (batch,) = (record / ".slurm").glob("*.json")
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "speedcheck.run.slurm.task", str(batch)],
        env=os.environ | {"SLURM_ARRAY_TASK_ID": str(task), "SLURM_ARRAY_JOB_ID": "77"},
        stdin=subprocess.DEVNULL,
        start_new_session=True,
    )
    started.append(process)
    (slurm / f"pid-{task}").write_text(str(process.pid))


@pytest.mark.slow
def test_a_seed_that_is_requeued_forever_fails_and_the_others_finish(run, slurm, fates, record):
    fates({0: "hang"})
    started: list[subprocess.Popen[bytes]] = []
    again = partial(start_again, slurm, record, 0, started)
    for attempt in range(2):
        meanwhile(until_training(record, log_name(0, attempt)), again)
    result = run("--seeds", "2", "--max-attempts", "2")
    assert [process.wait() for process in started] == [-signal.SIGKILL, 2]
    assert result.events(0) == ["started", "abandoned"] * 2 + ["started", "failed"]
    last = result.entries(0)[-1]
    assert "Slurm interrupted 2 attempts, and --max-attempts allows no more" in last.reason
    assert last.details["job"] == "77_0"
    assert last.details["nodes"]
    assert result.events(1) == ["started", "finished"]
    assert result.code == 1
