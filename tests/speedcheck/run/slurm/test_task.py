"""One array task, in this process, with the stand-in trainer."""

from __future__ import annotations

import errno
import os
from dataclasses import replace
from pathlib import Path

import pytest

from speedcheck.records.log_names import log_name
from speedcheck.run.launchers.launcher import Job
from speedcheck.run.slurm import batch_files, task
from speedcheck.run.slurm.batch_files import ENDED, STARTED, Batch, marker, read_end


@pytest.fixture
def batch(home: Path, record: Path, monkeypatch: pytest.MonkeyPatch) -> Batch:
    """Two seeds, one a task, of which this is the second."""
    (record / "logs").mkdir(parents=True)
    jobs = [Job("tiny", seed, record / "logs" / log_name(seed, 0), 0, 0) for seed in range(2)]
    written = Batch(record, "array", tuple((job,) for job in jobs))
    written.write()
    monkeypatch.setenv(task.TASK_VARIABLE, "1")
    return written


def test_a_task_trains_its_own_runs_and_leaves_their_exit_status(batch, record):
    assert task.main([str(batch.path)]) == 0
    assert [path.name for path in (record / "logs").iterdir()] == ["seed-001.txt"]
    assert read_end(record / "logs" / "seed-001.txt").status == 0
    assert batch.here(1).exists()


@pytest.mark.parametrize("isolate", [True, False])
def test_a_log_that_was_there_is_not_called_the_runs_own(batch, record, isolate, monkeypatch):
    replace(batch, isolate=isolate, tasks=(batch.tasks[0] + batch.tasks[1],)).write()
    monkeypatch.setenv(task.TASK_VARIABLE, "0")
    (record / "logs" / "seed-001.txt").write_text("somebody's")
    assert task.main([str(batch.path)]) == 1
    assert read_end(record / "logs" / "seed-000.txt").wrote_log is True
    assert read_end(record / "logs" / "seed-001.txt").wrote_log is False
    assert (record / "logs" / "seed-001.txt").read_text() == "somebody's"


def test_a_failed_run_is_the_tasks_exit_status_and_its_last_words_are_kept(batch, record, fates):
    fates({1: "fail"})
    assert task.main([str(batch.path)]) == 2
    assert read_end(record / "logs" / "seed-001.txt").last_lines == "trainer: shard 3 is broken"


def test_a_full_disk_is_one_line_of_the_task_and_no_exit_status(batch, record, monkeypatch, capsys):
    def refuse(path: Path, text: str) -> None:
        if path.suffix == STARTED:
            return write(path, text)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))

    write = batch_files.write_whole
    monkeypatch.setattr(batch_files, "write_whole", refuse)
    assert task.main([str(batch.path)]) == 2
    assert "seed-001.txt.ended: No space left on device" in capsys.readouterr().err
    log = record / "logs" / "seed-001.txt"
    assert marker(log, STARTED).exists()
    assert not marker(log, ENDED).exists()


def test_without_slurm_a_task_says_what_it_needs(batch, monkeypatch, capsys):
    monkeypatch.delenv(task.TASK_VARIABLE)
    assert task.main([str(batch.path)]) == 2
    assert task.main([]) == 2
    assert capsys.readouterr().err.count("SLURM_ARRAY_TASK_ID from Slurm") == 2


def test_a_task_says_in_which_job_and_on_which_nodes_a_run_starts(batch, record, monkeypatch):
    monkeypatch.setenv("SLURM_ARRAY_JOB_ID", "77")
    monkeypatch.setenv("SLURM_JOB_NODELIST", "node[1-2]")
    assert task.main([str(batch.path)]) == 0
    log = record / "logs" / "seed-001.txt"
    assert batch_files.read_start(log) == {"job": "77_1", "nodes": "node[1-2]"}


def test_a_run_that_slurm_interrupts_again_and_again_is_given_up(batch, record, fates):
    fates({1: "finish"})
    limited = replace(batch, max_attempts=2)
    limited.write()
    log = record / "logs" / "seed-001.txt"
    for attempt in range(2):
        batch_files.write_start(log.with_name(log_name(1, attempt)), {})
    assert task.main([str(limited.path)]) == 2
    last = log.with_name(log_name(1, 2))
    assert read_end(last).last_lines.startswith("Slurm interrupted 2 attempts")
    assert not last.exists()
    # Whoever requeues the task once more finds an end, and begins nothing.
    assert task.main([str(limited.path)]) == 0
    assert not marker(log.with_name(log_name(1, 3)), STARTED).exists()
