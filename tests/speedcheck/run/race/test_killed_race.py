"""A race whose launcher is killed: one `--resume` continues it, whatever the moment."""

from __future__ import annotations

import errno
import os
import shutil
import time
from pathlib import Path

import pytest
from foreign_scripts import FINAL, printing

from speedcheck.run.campaign import campaign
from speedcheck.run.launchers.processes import find_processes, mark_of
from tests.speedcheck.run import killing

# Runs on for a moment when its launcher is gone, and comes to its result.
KILL = "import time\nif os.path.exists(f'data/{sys.argv[1]}{seed}'): os.kill(os.getppid(), 9)\n"
TRAINER = printing(FINAL.format(4, "3.27{seed}", "960{seed}")).replace(
    "print", f"{KILL}time.sleep(0.05)\nprint", 1
)
START = ("race", "train.py a", "train.py b", "--pairs", "2", "--gpus", "0", "--seed-env", "SEED")


def start_and_kill(moment: int) -> bool:
    return killing.start_and_kill(moment, (*START, "--out", "race"))


def wait_for_orphans() -> None:
    """Let what the launcher left behind come to its end, which is the harder case."""
    folders = [Path("race", name) for name in ("a", "b", "warm-up/a", "warm-up/b")]
    limit = time.monotonic() + 30
    while any(find_processes(mark_of(folder)) for folder in folders):
        assert time.monotonic() < limit
        time.sleep(0.02)


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(campaign, "POLL_SECONDS", 0.01)
    (tmp_path / "train.py").write_text(TRAINER)
    (tmp_path / "data").mkdir()
    return tmp_path


@pytest.mark.parametrize("trap", ["b1", "a1"])
def test_a_run_that_ends_after_its_launcher_was_killed_does_not_count(here, cli, trap):
    (here / "data" / trap).touch()
    assert start_and_kill(10_000)
    (here / "data" / trap).unlink()
    wait_for_orphans()
    assert "val_loss" in (here / "race" / trap[0] / "logs" / f"seed-00{trap[1]}.txt").read_text()
    result = cli("race", "--resume", "--out", "race")
    assert (result.code, result.err) == (3, "")
    assert "1 pair had to be started again" in result.out
    assert cli("verify", "race").code == 0


def continued(cli):
    """Continue the race, or start it again where the plan was not written yet."""
    if Path("race/race.toml").exists():
        return cli("race", "--resume", "--out", "race")
    return cli(*START, "--out", "race")


@pytest.mark.slow
def test_a_race_that_was_killed_at_any_moment_continues_with_one_resume(here, cli):
    moment, is_killed = 0, True
    while is_killed:
        is_killed = start_and_kill(moment)
        wait_for_orphans()
        result = continued(cli)
        assert (moment, result.code, result.err) == (moment, 3, "")
        assert "UNDECIDED" in result.out
        assert cli("verify", "race").code == 0
        shutil.rmtree("race")
        moment += 1
    print(moment)
    assert moment > 50


def test_a_start_that_was_cut_before_its_plan_was_written_is_typed_again(here, cli):
    assert start_and_kill(6)
    assert not Path("race/race.toml").exists()
    result = cli("race", "--resume", "--out", "race")
    assert result.code == 2
    assert "type the command again as before, without --resume" in result.err
    assert cli(*START, "--out", "race").code == 3


def test_a_start_that_fails_leaves_nothing_behind(here, cli, monkeypatch):
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(shutil, "copyfile", full)
        result = cli(*START, "--out", "race")
    assert result.code == 2
    assert "the program cannot be copied (No space left on device)" in result.err
    assert not Path("race").exists()


def test_a_race_whose_evidence_was_changed_is_not_continued(here, cli):
    assert start_and_kill(10_000) is False
    Path("race/race.json").unlink()
    Path("race/b/logs/seed-000.txt").unlink()
    before = Path("race/ledger.jsonl").read_bytes()
    result = cli("race", "--resume", "--out", "race")
    assert result.code == 2
    assert "b/logs/seed-000.txt: the log is gone; restore it, or start another" in result.err
    assert Path("race/ledger.jsonl").read_bytes() == before
