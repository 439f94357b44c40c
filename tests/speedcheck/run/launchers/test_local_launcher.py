"""The local launcher, with a script in the trainer's place."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pytest

from speedcheck.errors import LaunchError
from speedcheck.records.overrides import RecipeOverrides
from speedcheck.run.launchers import child, trainer_process
from speedcheck.run.launchers.launcher import Job, Setup
from speedcheck.run.launchers.local_launcher import LocalLauncher
from tests.speedcheck.run.waiting import is_alive, wait_for

SETUP_LINE = (
    '{"device": "cpu", "gpus": 0, "memory_mib": 7, "ranks": 1, "recipe": "tiny", "steps": 9, '
    '"threads": 2, "timeout_s": 60}'
)


@pytest.fixture
def stand_in(tmp_path, monkeypatch):
    """Put a script in the place of `python -P -m`; it gets `trainer --recipe ...` as arguments."""

    def install(body: str) -> None:
        script = tmp_path / "stand_in.py"
        script.write_text("import os, signal, subprocess, sys, time\n" + body)
        monkeypatch.setattr(trainer_process, "_PYTHON", (sys.executable, str(script)))

    return install


@pytest.fixture
def job(tmp_path):
    return Job("tiny", 3, tmp_path / "logs" / "seed-003.txt", ranks=1, threads=2)


def test_prepare_reads_the_trainers_setup(stand_in):
    stand_in(f"print('a warning of some library')\nprint('''{SETUP_LINE}''')")
    assert LocalLauncher().prepare("tiny") == Setup("tiny", "cpu", 1, 2, 9, 7, 0, 60)


def test_prepare_passes_on_the_trainers_own_complaint(stand_in):
    stand_in("sys.exit(print('trainer: no CUDA here; try tiny', file=sys.stderr) or 2)")
    with pytest.raises(LaunchError, match=r"^no CUDA here; try tiny$"):
        LocalLauncher().prepare("sub3")


def test_prepare_without_a_setup_says_what_to_do(stand_in):
    stand_in("print('hello')")
    with pytest.raises(LaunchError, match="install speedcheck and its trainer from the same"):
        LocalLauncher().prepare("tiny")


def test_a_missing_torch_is_named_with_the_extra_that_brings_it(monkeypatch):
    monkeypatch.setattr(trainer_process.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(LaunchError, match=r"pip install 'speedcheck\[train\]'"):
        LocalLauncher().prepare("tiny")


def test_a_run_gets_its_seed_log_threads_and_data(stand_in, job, tmp_path):
    stand_in("print(' '.join(sys.argv[1:]), os.environ['OMP_NUM_THREADS'])")
    process = LocalLauncher(Path("shards")).start(job)
    wait_for(lambda: process.poll() is not None)
    assert process.last_lines() == (
        "trainer train --recipe tiny --data-dir shards --tethered "
        f"--seed 3 --log-dir {tmp_path}/logs --log-name seed-003.txt 2"
    )


def test_several_ranks_start_under_torchrun():
    job = Job("sub3", 0, Path("logs/seed-000.txt"), ranks=8, threads=1)
    command = trainer_process.trainer_command(job, "worker", ())
    assert command[3:7] == ("trainer.torchrun", "--standalone", "--nproc-per-node=8", "-m")
    assert command[7:9] == ("trainer", "worker")


def test_the_end_of_a_failed_runs_output_is_kept(stand_in, job):
    stand_in("[print('line', i) for i in range(1000)]\nsys.exit(1)")
    process = LocalLauncher().start(job)
    wait_for(lambda: process.poll() is not None)
    assert process.poll() == 1
    assert process.last_lines().splitlines()[-1] == "line 999"
    assert len(process.last_lines().splitlines()) == child.TAIL_LINES


def test_terminate_ends_the_run_and_its_children(stand_in, job, tmp_path):
    pids = tmp_path / "pids"
    stand_in(
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
        f"open({str(pids)!r}, 'w').write(f'{{os.getpid()}} {{child.pid}}\\n')\n"
        "time.sleep(600)"
    )
    process = LocalLauncher().start(job)
    wait_for(lambda: pids.exists() and pids.read_text().endswith("\n"))
    process.terminate()
    process.stop()
    for pid in map(int, pids.read_text().split()):
        wait_for(lambda pid=pid: not is_alive(pid))


def test_a_run_that_ignores_the_request_is_killed(stand_in, job, tmp_path, monkeypatch):
    monkeypatch.setattr(child, "STOP_SECONDS", 0.2)
    ready = tmp_path / "ready"
    stand_in(
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        f"open({str(ready)!r}, 'w').close()\ntime.sleep(600)"
    )
    process = LocalLauncher().start(job)
    wait_for(ready.exists)
    process.terminate()
    process.stop()
    assert process.poll() == -9


def test_of_what_several_ranks_and_torchrun_print_the_trainers_own_line_is_told(stand_in, job):
    stand_in(
        "for rank in range(2): print('trainer: GPU 0: too little memory', file=sys.stderr)\n"
        "print('=' * 60 + '\\n host : someone\\n' + '=' * 60, file=sys.stderr)\n"
        "sys.exit(1)"
    )
    process = LocalLauncher().start(job)
    wait_for(lambda: process.poll() is not None)
    assert process.last_lines() == "trainer: GPU 0: too little memory"


@pytest.mark.parametrize(
    ("visible", "expected"),
    [(None, "2,3"), ("4,5,6,7", "6,7"), ("GPU-a,GPU-b,GPU-c,GPU-d", "GPU-c,GPU-d")],
)
def test_a_run_sees_its_own_gpus_among_those_of_the_launcher(monkeypatch, job, visible, expected):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if visible:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert "CUDA_VISIBLE_DEVICES" not in trainer_process.environment_of(job)
    shared = replace(job, gpus=(2, 3), side_by_side=4)
    assert trainer_process.environment_of(shared)["CUDA_VISIBLE_DEVICES"] == expected
    assert " ".join(trainer_process.trainer_command(shared, "worker", ())).endswith(
        "--side-by-side 4 --tethered"
    )


def test_the_changes_of_the_recipe_reach_the_trainer(job):
    changed = replace(job, overrides=RecipeOverrides(steps=9, sequence_length=64))
    words = " ".join(trainer_process.trainer_command(changed, "train", ()))
    assert "--recipe tiny --steps 9 --sequence-length 64 --tethered" in words
