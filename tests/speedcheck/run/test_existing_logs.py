"""A log that is there is never taken for a new run's, whatever the ledger and the trainer say."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from tests.speedcheck.run.conftest import ledger_events


def contents(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def refused(run_tiny, record: Path, *words: str) -> None:
    """Resume, and expect one line with these words, exit code 2, and nothing changed."""
    before = contents(record)
    result = run_tiny("--resume")
    assert result.code == 2
    assert result.err.count("\n") == 1
    for word in words:
        assert word in result.err
    assert contents(record) == before


@pytest.fixture
def record(run_tiny, tmp_path, fake) -> Path:
    """A finished record whose last log was edited."""
    run_tiny("--seeds", "4", "--jobs", "1")
    fake.jobs.clear()
    log = tmp_path / "record/logs/seed-003.txt"
    log.write_text(log.read_text().replace("val_loss:1.21", "val_loss:1.01"))
    return tmp_path / "record"


def test_without_its_ledger_a_record_is_not_resumed(run_tiny, record, fake):
    (record / "ledger.jsonl").unlink()
    refused(run_tiny, record, "record/ledger.jsonl: the ledger is missing; restore it")
    assert fake.jobs == []


def test_a_ledger_cut_before_any_start_does_not_let_the_logs_behind_it_in(run_tiny, record, fake):
    path = record / "ledger.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    for number, line in enumerate(lines):
        if b'"started"' in line:
            path.write_bytes(b"".join(lines[:number]))
            refused(run_tiny, record, "record/ledger.jsonl: the ledger does not know logs/seed-00")
    assert fake.jobs == []


def test_a_ledger_cut_behind_a_start_does_not_make_a_judged_log_a_found_one(run_tiny, record, fake):
    path = record / "ledger.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    for number, line in enumerate(lines):
        if b'"started"' in line and b'"seed": 3' in line:
            path.write_bytes(b"".join(lines[: number + 1]))
    refused(run_tiny, record, "certificate.json was written after seed 3 had ended")
    assert fake.jobs == []


def test_an_emptied_ledger_knows_no_log(run_tiny, record, fake):
    (record / "ledger.jsonl").write_bytes(b"")
    refused(run_tiny, record, "does not know logs/seed-000.txt, logs/seed-001.txt")
    assert fake.jobs == []


def test_the_ledger_of_another_campaign_does_not_vouch_for_the_logs(
    run_tiny, record, fake, tmp_path
):
    run_tiny("--seeds", "4", out=tmp_path / "other")
    log = tmp_path / "other/logs/seed-000.txt"
    shutil.copy(tmp_path / "other/ledger.jsonl", record / "ledger.jsonl")
    refused(run_tiny, record, "seed 3 finished, and its log was changed since; restore the log")
    assert log.exists()


def test_a_finished_log_that_is_gone_is_called_missing(run_tiny, record):
    (record / "logs/seed-001.txt").unlink()
    refused(run_tiny, record, "seed 1 finished, and its log is missing; restore the log")


def test_a_log_that_appears_before_its_run_starts_stops_the_campaign(run_tiny, fake, tmp_path):
    logs = tmp_path / "record/logs"

    def copy(job):
        if job.seed == 0:
            (logs / "seed-002.txt").write_text("somebody's")

    fake.on_start = copy
    result = run_tiny("--seeds", "3", "--jobs", "1")
    assert result.code == 2
    assert "logs/seed-002.txt: is there before its run has started; move it away" in result.err
    assert (logs / "seed-002.txt").read_text() == "somebody's"
    assert (2, "started") not in ledger_events(tmp_path / "record")
    (logs / "seed-002.txt").unlink()
    fake.on_start = None
    assert run_tiny("--resume").code == 0
    assert fake.seeds == [0, 1, 2]


@pytest.mark.parametrize("status", [0, 2, -9])
def test_a_whole_log_that_the_run_did_not_write_is_not_its_result(
    run_tiny, fake, fates, tmp_path, make_log_text, status
):
    """It came while the trainer started: only the trainer can say that the file is its own."""
    fake.fate = lambda seed: replace(fates["finishes"](seed), log="", status=status)
    fake.on_start = lambda job: job.log.write_text(make_log_text(job.seed, "1.000000"))
    result = run_tiny("--seeds", "2", "--jobs", "1")
    assert result.code == 1
    assert "seed-000.txt was not written by this run" in result.out
    events = ledger_events(tmp_path / "record")
    assert [event for _, event in events if event == "finished"] == []
    fake.fate, fake.on_start = fates["finishes"], None
    fake.jobs.clear()
    run_tiny("--resume")
    assert [job.log.name for job in fake.jobs] == [
        "seed-000.attempt-2.txt",
        "seed-001.attempt-2.txt",
    ]


def test_a_run_that_failed_after_its_last_validation_is_not_lost(run_tiny, fake, fates, tmp_path):
    fake.fate = lambda seed: replace(fates["finishes"](seed), status=2)
    assert run_tiny("--seeds", "4").code == 0
    assert [e for _, e in ledger_events(tmp_path / "record")].count("finished") == 4


def test_a_start_that_fails_leaves_nothing_and_can_be_typed_again(run_tiny, tmp_path, monkeypatch):
    from speedcheck.errors import RecordError
    from speedcheck.run import record_campaign

    def full(path, plan):
        raise RecordError("cannot write (No space left on device)", where=str(path))

    with monkeypatch.context() as patch:
        patch.setattr(record_campaign, "replace_plan", full)
        result = run_tiny("--seeds", "4")
    assert (result.code, result.err.count("\n")) == (2, 1)
    assert not (tmp_path / "record").exists()
    assert run_tiny("--seeds", "4").code == 0


def test_a_folder_that_was_there_stays_when_its_start_fails(run_tiny, tmp_path, monkeypatch):
    from speedcheck.run import record_campaign

    def stop(path, plan):
        raise KeyboardInterrupt

    (tmp_path / "record").mkdir()
    monkeypatch.setattr(record_campaign, "replace_plan", stop)
    assert run_tiny("--seeds", "4").code == 130
    assert list((tmp_path / "record").iterdir()) == []
