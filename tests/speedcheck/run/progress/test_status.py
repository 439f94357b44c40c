"""`speedcheck status` reads a campaign from the files of its folder."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from speedcheck import cli
from speedcheck.cli import status as status_command
from speedcheck.records import ledger_writer as ledgers
from speedcheck.records.ledger_writer import LedgerWriter
from speedcheck.run.progress.campaign_status import read_status

PLAN = 'recipe = "tiny"\ntrack = "tiny"\nruns = 4\nseeds = [0, 1, 2, 3]\n'
NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)


@pytest.fixture
def campaign(tmp_path, make_log_text, monkeypatch):
    """Build a folder: of four runs, `done` have finished in 60 s each, `going` are at step 2."""

    def build(done: int, going: int, *, losses=("1.100000", "1.200000")) -> Path:
        folder = tmp_path / "record"
        (folder / "logs").mkdir(parents=True)
        (folder / "record.toml").write_text(PLAN)
        (folder / "ledger.jsonl").touch()
        with LedgerWriter(folder / "ledger.jsonl") as ledger:
            ledger.append_planned(range(4))
            for seed in range(done + going):
                log = folder / f"logs/seed-{seed:03d}.txt"
                is_done = seed < done
                ago = 60 if is_done else 30
                monkeypatch.setattr(ledgers, "utc_now", lambda ago=ago: utc(ago))
                ledger.append("started", seed, log=log)
                text = make_log_text(seed, losses[seed] if is_done else "9")
                log.write_text(text if is_done else text.split("step:3/")[0])
                monkeypatch.setattr(ledgers, "utc_now", lambda: utc(0))
                if is_done:
                    ledger.append("finished", seed, log=log)
        return folder

    return build


def utc(seconds_ago: float) -> str:
    return (NOW - timedelta(seconds=seconds_ago)).strftime("%Y-%m-%dT%H:%M:%SZ")


def test_the_counts_are_those_of_the_ledger(campaign):
    status = read_status(campaign(2, 1))
    assert (status.planned, status.finished, len(status.under_way), status.waiting) == (4, 2, 1, 1)
    assert status.mean == pytest.approx(1.15)
    assert status.sd == pytest.approx(0.0707, abs=1e-4)
    assert status.target == 1.3


def test_a_run_under_way_is_compared_with_the_finished_ones_at_its_step(campaign):
    (run,) = read_status(campaign(1, 1), NOW).under_way
    assert (run.seed, run.step, run.steps, run.step_ms) == (1, 2, 4, 10)
    # Every log of the fixture has a training loss of 4 at step 2.
    assert (run.loss, run.difference) == (4, 0)
    assert run.seconds == 30


def test_the_time_left_follows_from_the_time_of_finished_runs(campaign):
    # Half of a run of 60 s, then the one that waits.
    assert read_status(campaign(2, 1), NOW).seconds_left == pytest.approx(90, abs=1)


def test_before_the_first_result_the_time_left_is_that_of_the_run_under_way(campaign):
    # It took 30 s for half of its steps, and three more are to follow.
    assert read_status(campaign(0, 1), NOW).seconds_left == pytest.approx(30 + 180)


def test_a_clock_that_was_set_back_makes_no_negative_time(campaign, monkeypatch):
    folder = campaign(0, 1)
    text = (folder / "ledger.jsonl").read_text().replace(utc(30), utc(-3600))
    (folder / "ledger.jsonl").write_text(text)
    status = read_status(folder, NOW)
    assert status.under_way[0].seconds == 0
    assert status.seconds_left == 0


def test_the_lock_tells_whether_the_launcher_lives(campaign):
    folder = campaign(1, 1)
    assert read_status(folder).launcher == "gone"
    with LedgerWriter(folder / "ledger.jsonl"):
        status = read_status(folder)
        assert status.launcher == "running"
        assert not status.is_over


def test_an_interrupted_campaign_says_how_to_continue(campaign, capsys):
    folder = campaign(1, 1)
    assert cli.main(["status", str(folder)]) == 0
    out = capsys.readouterr().out
    assert f"interrupted; to continue: speedcheck run --resume --out {folder}" in out
    assert "1 of 4 runs finished, 1 under way, 2 to start" in out
    assert "2/4" in out


def test_a_running_campaign_fits_a_screen(campaign, capsys):
    folder = campaign(2, 1)
    with LedgerWriter(folder / "ledger.jsonl"):
        cli.main(["status", str(folder)])
    out = capsys.readouterr().out
    assert ": running\n" in out
    assert "about 2 min left" in out
    assert len(out.splitlines()) <= 24


def test_json_has_the_same_figures(campaign, capsys):
    folder = campaign(2, 1)
    cli.main(["status", str(folder), "--json"])
    out = capsys.readouterr().out
    assert out.count("\n") == 1
    found = json.loads(out)
    assert (found["finished"], found["waiting"], found["under_way"][0]["step"]) == (2, 1, 2)


def test_a_diverged_run_leaves_valid_json(campaign, capsys):
    folder = campaign(2, 0, losses=("1.1", "nan"))
    cli.main(["status", str(folder), "--json"])
    assert json.loads(capsys.readouterr().out)["mean"] is None


def test_watching_ends_with_the_campaign(campaign, capsys, monkeypatch):
    folder = campaign(2, 1)
    with LedgerWriter(folder / "ledger.jsonl") as ledger:

        def end(_seconds: float) -> None:
            ledger.append("failed", 2)
            ledger.append("failed", 3)

        monkeypatch.setattr(status_command.time, "sleep", end)
        assert cli.main(["status", str(folder), "--watch"]) == 0
    out = capsys.readouterr().out
    assert out.index(": running") < out.index(": ended; to repeat 2: speedcheck run --resume")
    assert "\x1b" not in out


def test_a_folder_without_a_campaign_is_one_line(tmp_path, capsys):
    assert cli.main(["status", str(tmp_path)]) == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert "there is no campaign here" in err


def test_nothing_in_the_folder_changes(campaign):
    folder = campaign(2, 1)
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    read_status(folder)
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before


def test_a_finished_log_that_is_gone_is_named_and_in_no_figure(campaign, capsys):
    folder = campaign(2, 0)
    (folder / "logs/seed-001.txt").unlink()
    assert cli.main(["status", str(folder)]) == 0
    out = capsys.readouterr().out
    assert "mean 1.1000, sd -" in out
    assert "missing from the figures, since their logs are gone: seed-001.txt" in out
