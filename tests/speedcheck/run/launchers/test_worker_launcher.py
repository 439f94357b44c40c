"""The launcher of workers, with a script in the trainer's place."""

from __future__ import annotations

import os
import sys

import pytest

from speedcheck.run.launchers import child, trainer_process
from speedcheck.run.launchers.launcher import Job
from speedcheck.run.launchers.worker_launcher import WorkerLauncher
from tests.speedcheck.run.waiting import is_alive, wait_for

# A worker that does what the seed asks for; each run leaves its worker's process id in its log.
WORKER = """
import json, os, pathlib, signal, socket, sys, time
answers = socket.socket(fileno=0)
for line in answers.makefile():
    job = json.loads(line)
    seed = job["seed"]
    pathlib.Path(job["log"]).write_text(str(os.getpid()))
    print("run of seed", seed, flush=True)
    if seed == 13:
        sys.exit(print("trainer: out of memory", file=sys.stderr) or 1)
    if seed == 14:
        time.sleep(600)
    if seed == 15:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        time.sleep(600)
    # In two pieces, as a socket may deliver it.
    answer = json.dumps({"seed": seed, "status": 3 if seed == 16 else 0, "seconds": 0.1}) + "\\n"
    answers.sendall(answer[:7].encode())
    answers.sendall(answer[7:].encode())
"""


@pytest.fixture
def launcher(tmp_path, monkeypatch):
    script = tmp_path / "worker.py"
    script.write_text(WORKER)
    monkeypatch.setattr(trainer_process, "_PYTHON", (sys.executable, str(script)))
    monkeypatch.setattr(child, "STOP_SECONDS", 0.3)
    (tmp_path / "logs").mkdir()
    workers = WorkerLauncher()
    yield workers
    workers.close()


@pytest.fixture
def job(tmp_path):
    def make(seed: int, slot: int = 0) -> Job:
        log = tmp_path / "logs" / f"seed-{seed:03d}.txt"
        return Job("tiny", seed, log, ranks=1, threads=1, slot=slot)

    return make


def status_of(process) -> int:
    wait_for(lambda: process.poll() is not None)
    return process.poll()


def worker_of(job: Job) -> int:
    wait_for(lambda: job.log.exists() and job.log.read_text())
    return int(job.log.read_text())


def train(launcher, job: Job) -> int:
    process = launcher.start(job)
    status = status_of(process)
    process.stop()
    return status


def test_the_runs_of_a_slot_share_a_worker_and_those_of_two_do_not(launcher, job):
    jobs = [job(0), job(1), job(2, slot=1)]
    assert [train(launcher, each) for each in jobs] == [0, 0, 0]
    first, second, other = map(worker_of, jobs)
    assert first == second != other


def test_a_diverged_run_does_not_end_its_worker(launcher, job):
    jobs = [job(16), job(0)]
    assert [train(launcher, each) for each in jobs] == [3, 0]
    assert worker_of(jobs[0]) == worker_of(jobs[1])


def test_a_worker_that_fails_costs_its_own_run_and_another_takes_the_next(launcher, job):
    jobs = [job(0), job(13), job(1)]
    assert [train(launcher, each) for each in jobs] == [0, 1, 0]
    pids = [worker_of(each) for each in jobs]
    assert pids[0] == pids[1] != pids[2]


def test_the_last_lines_are_those_of_the_run_that_failed(launcher, job):
    train(launcher, job(0))
    process = launcher.start(job(13))
    assert status_of(process) == 1
    assert process.last_lines() == "trainer: out of memory"
    process.stop()
    process = launcher.start(job(1))
    assert status_of(process) == 0
    assert process.last_lines() == "run of seed 1"


def test_a_worker_that_is_killed_while_idle_is_replaced(launcher, job):
    train(launcher, job(0))
    os.kill(worker_of(job(0)), 9)
    launcher._workers[0].child.wait(20)
    assert train(launcher, job(1)) == 0
    assert worker_of(job(0)) != worker_of(job(1))


@pytest.mark.parametrize("seed", [14, 15])
def test_a_run_that_is_stopped_takes_its_worker_along_even_if_it_ignores_the_request(
    launcher, job, seed
):
    process = launcher.start(job(seed))
    pid = worker_of(job(seed))
    assert process.poll() is None
    process.terminate()
    process.stop()
    assert process.poll() in (-15, -9)
    assert not is_alive(pid)
    assert train(launcher, job(1)) == 0


def test_closing_ends_idle_workers(launcher, job):
    jobs = [job(0), job(1, slot=1)]
    assert [train(launcher, each) for each in jobs] == [0, 0]
    launcher.close()
    assert not any(is_alive(worker_of(each)) for each in jobs)
