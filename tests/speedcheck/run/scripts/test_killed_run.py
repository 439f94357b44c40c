"""A record whose launcher is killed: one `--resume` continues it, whatever the moment."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from foreign_scripts import FINAL, printing

from speedcheck.run.campaign import campaign
from speedcheck.run.launchers.processes import find_processes, mark_of
from tests.speedcheck.run.killing import start_and_kill
from tests.speedcheck.run.waiting import wait_for

START = ("run", "--script", "train.py", "--gpus", "0", "--seed-env", "SEED", "--seeds", "2")


def continued(cli):
    """Continue the record, or start it again where the plan was not written yet."""
    if Path("record/record.toml").exists():
        return cli("run", "--resume", "--out", "record")
    return cli(*START, "--out", "record")


@pytest.mark.slow
def test_a_record_that_was_killed_at_any_moment_continues_with_one_resume(
    cli, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(campaign, "POLL_SECONDS", 0.01)
    Path("train.py").write_text(printing(FINAL.format(4, "3.20{seed}", "960{seed}")))
    moment, is_killed = 0, True
    while is_killed:
        is_killed = start_and_kill(moment, (*START, "--out", "record"))
        wait_for(lambda: not find_processes(mark_of(Path("record"))))
        result = continued(cli)
        assert (moment, result.code, result.err) == (moment, 0, "")
        runs = json.loads(Path("record/certificate.json").read_text())["runs"]
        assert [run["val_loss"] for run in runs if run["counted"]] == [3.200, 3.201]
        shutil.rmtree("record")
        moment += 1
    assert moment > 25
