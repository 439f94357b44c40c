"""`speedcheck race` with trainers that print scripted times, and once with the bundled one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from foreign_scripts import FINAL, printing

from speedcheck.records.ledger import parse_ledger
from speedcheck.run.campaign import campaign

# Prints the time that the file of its first argument has for its seed.
TRAINER = "times = open(f'data/{sys.argv[1]}').read().split()\nms = times[int(seed)]\n"
PROGRAM = printing(FINAL.format(4, "3.27{seed}", "{ms}")).replace("print", TRAINER + "print", 1)

FAST = "9612 9725 9581 9664 9638 9703 9597 9642 9650 9611"
SLOW = "10021 9954 10013 9932 10044 9981 10035 10006 9990 9970"


@pytest.fixture
def race(cli, tmp_path, monkeypatch):
    """`speedcheck race` of trainers that print the times of two files, into race/."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(campaign, "POLL_SECONDS", 0.01)
    (tmp_path / "data").mkdir()
    (tmp_path / "train.py").write_text(PROGRAM)
    (tmp_path / "data" / "fast").write_text(FAST)
    (tmp_path / "data" / "slow").write_text(SLOW)

    def call(*arguments: str):
        options = ("--gpus", "0", "--seed-env", "SEED", "--out", "race")
        return cli("race", *arguments, *(() if "--resume" in arguments else options))

    return call


def started() -> list[str]:
    entries = parse_ledger(Path("race/ledger.jsonl").read_bytes()).entries
    return [f"{e.details['folder']} {e.seed}" for e in entries if e.event == "started"]


def test_a_difference_is_found_and_the_race_stops_there(race, cli):
    result = race("train.py fast", "train.py slow", "--pairs", "10")
    assert result.code == 0, result.err
    assert "BETTER: A is 0.3" in result.out
    stated = json.loads(Path("race/race.json").read_text())
    assert stated["outcome"] == "better"
    assert stated["pairs_counted"] == stated["decided_at"] < 10
    runs = started()
    assert runs[:6] == ["warm-up/a 0", "warm-up/b 0", "a 0", "b 0", "b 1", "a 1"]
    assert len(runs) == 2 + 2 * stated["decided_at"]
    assert cli("verify", "race").code == 0
    assert json.loads(cli("compare", "race", "--json").out) == stated


def test_quiet_prints_the_verdict_alone(race):
    result = race("train.py fast", "train.py slow", "--pairs", "10", "--quiet")
    assert (result.code, result.err) == (0, "")
    assert result.out.startswith("BETTER: A is 0.3")
    assert result.out.count("\n") == 1


def test_the_display_says_what_is_decided_so_far_after_each_block(race):
    out = race("train.py slow", "train.py fast", "--pairs", "4").out
    assert "pair 1/4 A: 10.021 s" in out
    assert "after 2 pairs: A - B +0.3" in out
    assert "confidence sequence" in out
    assert "after 3 pairs" not in out


def test_none_is_found_between_equals(race, tmp_path):
    (tmp_path / "data" / "other").write_text(" ".join(FAST.split()[::-1]))
    result = race("train.py fast", "train.py other", "--pairs", "4")
    assert result.code == 3
    assert "UNDECIDED: A is" in result.out


def test_a_against_a_runs_all_pairs_and_is_a_report(race):
    result = race("train.py fast", "--aa", "--pairs", "2", "--json")
    assert result.code == 0
    found = json.loads(result.out)
    assert (found["aa"], found["pairs_counted"]) == (True, 2)
    assert "pair 2/2" in result.err


def test_a_race_broken_in_the_middle_of_a_pair_repeats_that_pair_alone(race, tmp_path):
    trap = "import os\nif os.path.exists('data/trap') and sys.argv[1] == 'slow' and seed == '1':"
    (tmp_path / "train.py").write_text(
        PROGRAM.replace("times =", f"{trap}\n    raise SystemExit('boom')\ntimes =", 1)
    )
    (tmp_path / "data" / "trap").touch()
    broken = race("train.py slow", "train.py fast", "--pairs", "2")
    assert broken.code == 2
    assert "the race stops, because a run of A has no time (exit status 1: boom)" in broken.err
    assert "speedcheck race --resume --out race continues; otherwise start" in broken.err
    (tmp_path / "data" / "trap").unlink()
    result = race("--resume", "--out", "race")
    assert result.code == 3, result.err
    assert "1 pair had to be started again" in result.out
    after = started()
    assert after[:6] == ["warm-up/a 0", "warm-up/b 0", "a 0", "b 0", "b 1", "a 1"]
    assert after[6:] == ["warm-up/a 1", "warm-up/b 1", "b 1", "a 1"]
    assert json.loads(Path("race/race.json").read_text())["pairs_counted"] == 2


def test_a_run_without_a_time_ends_the_race(race, tmp_path):
    (tmp_path / "untimed.py").write_text(printing("step:4/4 val_loss:3.2{seed} a:1"))
    result = race("untimed.py", "train.py slow", "--pairs", "2")
    assert result.code == 2
    assert "the log does not say how long the run trained" in result.err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "A is missing"),
        (("tiny",), "B is missing"),
        (("tiny", "tiny"), "A and B are the same trainer"),
        (("tiny", "sub3"), "different tracks (A of tiny, B of gpt2-small)"),
        (("sub3", "tiny"), "different tracks (A of gpt2-small, B of tiny)"),
        (("tiny", "sub3", "--aa"), "--aa races A against itself"),
        (("tiny 3", "sub3"), "the recipe tiny takes no arguments"),
        ((" ", "tiny"), "a trainer is empty"),
        (("'train.py", "tiny"), "cannot be split"),
        (("missing.py", "tiny"), "missing.py: the script does not exist"),
        (("train.py", "data"), "data: the script is a folder"),
        (("train.py", "tiny", "--pairs", "3"), "--pairs is 3"),
        (("train.py", "tiny", "--pairs", "1002"), "--pairs is 1002; give an even number from 2 to"),
        (("train.py", "tiny", "--alpha", "1"), "--alpha is 1"),
        (("--resume",), "--resume without --out"),
        (("--resume", "--out", "race", "--pairs", "4"), "its plan does not change"),
        (("--resume", "--out", "data"), "data: holds no race.toml"),
    ],
)
def test_a_call_that_cannot_be_met_is_one_line_and_leaves_nothing_behind(
    race, tmp_path, arguments, message
):
    result = race(*arguments)
    assert result.code == 2
    assert message in result.err
    assert result.err.count("\n") == 1
    assert not (tmp_path / "race").exists()


@pytest.mark.slow
def test_tiny_races_against_a_short_run_of_itself(cli, tmp_path):
    pytest.importorskip("torch")
    result = cli("race", "tiny", "--aa", "--pairs", "2", "--out", tmp_path / "race", "--json")
    assert result.code == 0, result.err
    found = json.loads(result.out)
    assert found["pairs_counted"] == 2
    assert found["problems"] == []
    # Equal seeds of one recipe: every pair has the same losses.
    assert all(pair["a_loss"] == pair["b_loss"] for pair in found["pairs"])
    assert cli("verify", tmp_path / "race").code == 0


def test_a_race_without_its_ledger_is_not_resumed_and_nothing_is_written(race):
    race("train.py fast", "train.py slow", "--pairs", "2")
    ledger = Path("race/ledger.jsonl")
    whole = ledger.read_bytes()
    ledger.unlink()
    before = sorted(Path("race").rglob("*"))
    result = race("--resume", "--out", "race")
    assert (result.code, result.err.count("\n")) == (2, 1)
    assert "race/ledger.jsonl: the ledger is missing; restore it" in result.err
    assert sorted(Path("race").rglob("*")) == before
    ledger.write_bytes(b"".join(whole.splitlines(keepends=True)[:4]))
    assert "the ledger does not know a/logs/seed-000.txt" in race("--resume", "--out", "race").err
    ledger.write_bytes(whole[: whole.rindex(b"\n", 0, -1) + 1])
    assert "race.json was written after all runs had ended" in race("--resume", "--out", "race").err
