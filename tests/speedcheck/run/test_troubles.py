"""Runs that crash, hang or diverge, signals, and full disks: nothing is lost."""

from __future__ import annotations

import errno
import itertools
import os
import signal
from dataclasses import replace
from pathlib import Path
from unittest import mock

import pytest

from speedcheck.records.ledger_writer import LedgerWriter
from speedcheck.run.campaign import campaign
from tests.speedcheck.run.conftest import certificate, ledger_events


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


def test_a_full_disk_ends_the_command_in_one_line_and_loses_nothing(
    run_tiny, fake, tmp_path, monkeypatch
):
    from speedcheck.errors import RecordError

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

    monkeypatch.setattr(Path, "write_bytes", full)
    result = run_tiny("--resume")
    assert result.code == 2
    assert result.err.count("\n") == 1
    assert "No space left on device; the logs and the ledger are kept" in result.err.replace(
        ")", ""
    )
    assert (record / "README.md").read_bytes() == before
    assert result.out.rstrip().endswith("4 runs)"), "the verdict is printed all the same"
    assert "CERTIFIED: mean loss" in run_tiny("--resume", "--quiet").out
    assert list(record.glob(".*.partial")) == []


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


def test_a_log_that_never_appears_is_a_failure_that_says_so(run_tiny, fake, fates, tmp_path):
    fake.fate = lambda seed: replace(fates["finishes"](seed), log="")
    result = run_tiny("--seeds", "1")
    assert "seed 0: failed, exit status 0, and its log holds no result" in result.out
    assert ledger_events(tmp_path / "record")[-1] == (0, "failed")


def test_a_run_that_is_killed_says_that_memory_may_be_short(run_tiny, fake, fates):
    fake.fate = lambda seed: replace(fates["crashes"](seed), status=-9, output="")
    assert "signal SIGKILL (often: out of memory)" in run_tiny("--seeds", "1").out


def test_pictures_that_do_not_fit_leave_their_room_to_the_evidence(run_tiny, tmp_path, monkeypatch):
    from speedcheck.errors import UsageError
    from speedcheck.run import record_evidence

    def full(judgement, folder):
        (folder / "images").mkdir()
        (folder / "images/losses.png").write_bytes(b"half of it")
        raise UsageError("cannot write (No space left on device)", where="record/images")

    monkeypatch.setattr(record_evidence, "keep_pictures", full)
    result = run_tiny("--seeds", "4")
    assert (result.code, result.err) == (0, "")
    assert "note: the record keeps no pictures: record/images: cannot write" in result.out
    assert "CERTIFIED" in result.out
    assert certificate(tmp_path / "record")["certified"] is True
    assert not (tmp_path / "record/images").exists()


def test_a_run_that_cannot_print_into_its_log_names_the_full_disk(
    run_tiny, fake, fates, tmp_path, monkeypatch
):
    from speedcheck.run.campaign import run_result

    fake.fate = lambda seed: replace(fates["crashes"](seed), output="")
    usage = run_result.shutil.disk_usage(tmp_path)._replace(free=4096)
    monkeypatch.setattr(run_result.shutil, "disk_usage", lambda _: usage)
    result = run_tiny("--seeds", "1")
    assert f"failed, exit status 1: the disk of {tmp_path / 'record/logs'} is full" in result.out


def test_a_killed_start_is_no_record_and_the_same_command_begins_anew(run_tiny, tmp_path):
    record = tmp_path / "record"
    (record / "logs").mkdir(parents=True)
    (record / "ledger.jsonl").touch()
    (record / ".record.toml.partial").touch()
    resumed = run_tiny("--resume")
    assert resumed.code == 2
    assert "the start was cut before the plan was written; type the command" in resumed.err
    assert run_tiny("--seeds", "4").code == 0


def test_the_command_that_continues_can_be_typed_whatever_the_folder_is_called(
    run_tiny, fake, fates, tmp_path
):
    fake.fate = fates["hangs"]
    fake.on_start = lambda job: os.kill(os.getpid(), signal.SIGTERM)
    folder = tmp_path / "two words"
    result = run_tiny("--seeds", "2", out=folder)
    assert f"speedcheck run --resume --out '{folder}'" in result.err
