"""Campaigns on a real Slurm, which tests/reference/slurm_cluster.py starts on this machine."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from slurm_cluster import Cluster, Unavailable

from speedcheck.run.slurm import queue
from tests.speedcheck.run.waiting import meanwhile, until_training, wait_for

pytestmark = [pytest.mark.slow, pytest.mark.slurm]


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    try:
        started = Cluster(tmp_path_factory.mktemp("slurm") / "cluster")
        started.start()
    except Unavailable as reason:
        pytest.skip(f"Slurm cannot be started here: {reason}")
    yield started
    started.stop()


@pytest.fixture(autouse=True)
def slurm(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> Cluster:
    for name, value in cluster.variables.items():
        monkeypatch.setenv(name, value)
    return cluster


def array_id(slurm: Cluster) -> str:
    return slurm.call("squeue", "--noheader", "--format=%F").split()[0]


def hasten(slurm: Cluster) -> None:
    """Let what was requeued start at once: Slurm holds it back for two minutes."""
    waiting = ("squeue", "--noheader", "--states=PENDING", "--format=%A")
    wait_for(lambda: slurm.call(*waiting).strip())
    for job in slurm.call(*waiting).split():
        slurm.call("scontrol", "update", f"JobId={job}", "StartTime=now")


def queued(slurm: Cluster) -> str:
    return slurm.call("squeue", "--noheader", "--format=%j %T")


def test_an_array_of_finished_runs_is_certified(run, slurm):
    result = run("--seeds", "4", "--partition", "main", "--nodes", "2", "--time", "5")
    assert result.code == 0
    assert "CERTIFIED" in result.out
    assert "in partition main" in result.out
    for seed in range(4):
        assert result.events(seed) == ["started", "finished"]


def test_a_block_of_seeds_is_one_task(run, slurm, record):
    result = run("--seeds", "5", "--seeds-per-task", "3")
    assert result.code == 0
    outputs = sorted((record / ".slurm").glob("*.out"))
    assert [path.name.rpartition("_")[2] for path in outputs] == ["0.out", "1.out"]


def test_a_failed_run_costs_no_other_and_is_tried_again_on_resume(run, slurm, fates):
    fates({1: "fail finish"})
    result = run("--seeds", "3")
    assert result.code == 1
    assert result.events(1) == ["started", "failed"]
    assert "exit status 2: trainer: shard 3 is broken" in result.entries(1)[-1].reason
    assert run("--resume").code == 0
    assert result.events(1) == ["started", "failed", "started", "finished"]
    assert result.events(0) == ["started", "finished"]


def test_a_task_that_somebody_cancels_is_a_failed_run(run, slurm, fates, record):
    fates({1: "hang"})
    meanwhile(
        until_training(record, "seed-001.txt"),
        lambda: slurm.call("scancel", f"{array_id(slurm)}_1"),
    )
    result = run("--seeds", "3")
    assert result.events(1) == ["started", "failed"]
    assert "somebody cancelled it (CANCELLED)" in result.entries(1)[-1].reason
    assert result.events(0) == result.events(2) == ["started", "finished"]


def test_ctrl_c_cancels_the_array_and_the_ledger_says_abandoned(run, slurm, fates, record):
    fates(dict.fromkeys(range(6), "hang finish"))
    meanwhile(until_training(record, "seed-000.txt"), lambda: os.kill(os.getpid(), signal.SIGINT))
    result = run("--seeds", "6", "--partition", "main", "--nodes", "2")
    assert result.code == 130
    assert f"speedcheck run --resume --out {record} --launcher slurm --partition main" in result.err
    assert result.events(0) == result.events(5) == ["started", "abandoned"]
    assert queued(slurm) == ""
    assert run("--resume").code == 0
    assert result.events(5) == ["started", "abandoned", "started", "finished"]


def test_a_requeued_task_is_another_attempt(run, slurm, fates, record):
    fates({0: "hang finish"})
    meanwhile(
        until_training(record, "seed-000.txt"),
        lambda: slurm.call("scontrol", "requeue", f"{array_id(slurm)}_0"),
        lambda: hasten(slurm),
    )
    result = run("--seeds", "2")
    assert result.events(0) == ["started", "abandoned", "started", "finished"]
    assert "back into the queue" in result.entries(0)[2].reason
    assert (record / "logs" / "seed-000.attempt-2.txt").exists()


def test_a_preempted_task_is_requeued(run, slurm, fates, record, tmp_path):
    fates({0: "hang finish"})
    script = tmp_path / "urgent.sh"
    script.write_text("#!/bin/sh\nsleep 2\n")
    meanwhile(
        until_training(record, "seed-000.txt"),
        lambda: slurm.call(
            "sbatch", "--output=/dev/null", "--partition=urgent", "--exclusive", str(script)
        ),
        lambda: wait_for(lambda: "urgent" not in slurm.call("squeue", "--noheader")),
        lambda: hasten(slurm),
    )
    result = run("--seeds", "1", "--partition", "main")
    assert result.events(0) == ["started", "abandoned", "started", "finished"]


def test_a_task_past_its_time_limit_is_a_failed_run(run, slurm, fates):
    fates({0: "hang"})
    result = run("--seeds", "2", "--time", "1")
    assert result.events(0) == ["started", "failed"]
    assert "time limit is over (TIMEOUT); raise --time" in result.entries(0)[-1].reason
    assert result.events(1) == ["started", "finished"]


def test_a_node_whose_daemons_are_killed_gives_the_run_back(run, slurm, fates, record):
    fates({0: "hang finish"})

    def kill_node() -> None:
        steps = slurm.step_daemons()
        slurm.kill("slurmd")
        for pid in steps:
            os.kill(pid, signal.SIGKILL)
        wait_for(lambda: not processes_about(record))

    meanwhile(
        until_training(record, "seed-000.txt"),
        kill_node,
        lambda: slurm.wait_for_node("down"),
        slurm.start_node,
        lambda: slurm.wait_for_node("idle"),
        # The node is still told to kill what it ran before the failure.
        lambda: time.sleep(10),
        lambda: hasten(slurm),
    )
    result = run("--seeds", "1")
    assert result.events(0) == ["started", "abandoned", "started", "finished"]


def test_a_killed_trainer_is_a_failed_run(run, slurm, fates):
    fates({1: "killed"})
    result = run("--seeds", "2")
    assert result.events(1) == ["started", "failed"]
    assert result.entries(1)[-1].reason.startswith("signal SIGKILL")


def test_a_run_that_slurm_kills_for_its_memory_is_a_failed_run(run, slurm, fates):
    fates({1: "swell finish"})
    result = run("--seeds", "3")
    assert result.events(1) == ["started", "failed"]
    reason = result.entries(1)[-1].reason
    assert re.search(r"used more memory than it may \(StepId=.* exceeded memory limit", reason)
    assert reason.endswith("; raise SBATCH_MEM_PER_NODE")
    assert result.events(0) == result.events(2) == ["started", "finished"]
    assert run("--resume").code == 0
    assert result.events(1) == ["started", "failed", "started", "finished"]
    assert result.events(0) == result.events(2) == ["started", "finished"]


def test_runs_behind_one_that_is_killed_for_its_memory_are_trained(run, slurm, fates):
    fates({1: "swell"})
    result = run("--seeds", "4", "--seeds-per-task", "4")
    assert result.events(0) == ["started", "finished"]
    assert result.events(1) == ["started", "failed"]
    for seed in (2, 3):
        assert result.events(seed) == ["started", "abandoned", "started", "finished"]
        assert "before this run began" in result.entries(seed)[2].reason


def test_a_run_gets_the_memory_that_the_users_variable_asks_for(run, slurm, fates, monkeypatch):
    monkeypatch.setenv("SBATCH_MEM_PER_NODE", "1000M")
    fates({0: "swell"})
    assert run("--seeds", "1").events(0) == ["started", "finished"]


def test_a_partition_that_does_not_exist_leaves_no_folder(run, slurm, record):
    result = run("--seeds", "2", "--partition", "nosuch")
    assert result.code == 2
    assert "nvalid partition" in result.err
    assert len(result.err.splitlines()) == 1
    assert not record.exists()


def test_a_controller_that_is_away_for_a_while_is_waited_for(
    run, slurm, fates, record, home, monkeypatch
):
    monkeypatch.setattr(queue, "SILENCE_SECONDS", 2.0)
    fates({0: "wait"})
    meanwhile(
        until_training(record, "seed-000.txt"),
        lambda: slurm.stop_daemon("slurmctld"),
        lambda: time.sleep(30),
        slurm.start_controller,
        lambda: slurm.wait_for_node(""),
        lambda: time.sleep(3),
        (home / "go").touch,
    )
    result = run("--seeds", "1")
    assert result.events(0) == ["started", "finished"]
    assert "squeue has failed for" in result.err
    assert "squeue answers again" in result.err


def processes_about(record: Path) -> list[str]:
    """Return the commands of the tasks and trainers of a record."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            command = path.read_bytes().decode(errors="replace")
            if f"{record}/" in command:
                found.append(command)
    return found


def launch(record: Path, *options: str) -> subprocess.Popen[bytes]:
    words = ("run", "--launcher", "slurm", "--recipe", "tiny", "--out", str(record), *options)
    return subprocess.Popen(
        (sys.executable, "-m", "speedcheck", *words),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def test_resume_takes_over_the_tasks_of_a_launcher_that_was_killed(run, slurm, fates, record, home):
    fates({0: "wait", 1: "wait", 2: "finish"})
    launcher = launch(record, "--seeds", "3")
    until_training(record, "seed-000.txt")()
    until_training(record, "seed-001.txt")()
    launcher.kill()
    launcher.wait()
    before = queued(slurm)
    meanwhile(lambda: time.sleep(2), (home / "go").touch)
    result = run("--resume")
    assert before.count("RUNNING") >= 2
    assert result.code == 0
    assert [result.events(seed) for seed in range(3)] == [["started", "finished"]] * 3


def test_resume_starts_again_what_was_lost_while_no_launcher_was_there(run, slurm, fates, record):
    fates({0: "hang finish", 1: "fail finish"})
    launcher = launch(record, "--seeds", "3")
    until_training(record, "seed-000.txt")()
    wait_for((record / ".slurm" / "seed-001.txt.ended").exists)
    launcher.kill()
    launcher.wait()
    slurm.call("scancel", array_id(slurm))
    wait_for(lambda: queued(slurm) == "")
    result = run("--resume")
    assert result.code == 0
    assert result.events(0) == ["started", "abandoned", "started", "finished"]
    assert result.events(1) == ["started", "failed", "started", "finished"]


def test_a_task_that_is_requeued_again_and_again_is_given_up(run, slurm, fates, record):
    fates({0: "hang"})

    def requeue() -> None:
        slurm.call("scontrol", "requeue", f"{array_id(slurm)}_0")
        hasten(slurm)

    meanwhile(until_training(record, "seed-000.txt"), requeue)
    meanwhile(until_training(record, "seed-000.attempt-2.txt"), requeue)
    result = run("--seeds", "2", "--max-attempts", "2")
    assert result.events(0) == ["started", "abandoned"] * 2 + ["started", "failed"]
    last = result.entries(0)[-1]
    assert "Slurm interrupted 2 attempts" in last.reason
    assert last.details["nodes"]
    assert last.details["job"].endswith("_0")
    assert result.events(1) == ["started", "finished"]
