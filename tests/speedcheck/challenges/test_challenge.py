"""`speedcheck challenge`: the record's own program, shown, confirmed, and run again."""

from __future__ import annotations

import ast
import io
import json
from importlib.resources import files
from pathlib import Path

import pytest
from foreign_scripts import FINAL, PUBLIC
from jsonschema import Draft202012Validator
from scipy import stats

from speedcheck.challenges.own_program import program_of_record, write_program
from speedcheck.rules.rule import Overrides
from speedcheck.run.campaign import campaign

ROOT = Path(__file__).parents[3]


@pytest.fixture
def record(cli, tmp_path, monkeypatch):
    """A record of three runs of a public program, made beside its data."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(campaign, "POLL_SECONDS", 0.02)
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "shift.txt").write_text("-1.0")
    (tmp_path / "train.py").write_text(PUBLIC)
    cli("run", "--script", "train.py", "--gpus", "0", "--seed-env", "SEED", "--seeds", "3",
        "--out", "theirs")  # fmt: skip
    return Path("theirs")


def challenge(cli, *options):
    return cli(
        "challenge", "theirs", "--gpus", "0", "--seed-env", "SEED", "--out", "ours", *options
    )


def losses(folder: str) -> list[float]:
    certificate = json.loads(Path(folder, "certificate.json").read_text())
    return [run["val_loss"] for run in certificate["runs"]]


def test_the_program_is_shown_and_does_not_run_before_somebody_agrees(record, cli, monkeypatch):
    shown = challenge(cli, "--show")
    assert shown.code == 0
    assert shown.out == PUBLIC
    monkeypatch.setattr("sys.stdin", io.StringIO("y\n"))
    refused = challenge(cli)
    assert refused.code == 2
    assert "The program of 3 of 3 counted runs of theirs" in refused.out
    assert f"{len(PUBLIC.splitlines())} lines" in refused.out
    assert "logs/seed-000.txt, line 1" in refused.out
    assert "nobody is there to confirm" in refused.err
    assert not Path("ours").exists()


@pytest.mark.parametrize(
    ("options", "why"),
    [
        (("--seeds", "0"), "--seeds is 0; give a whole number from 1"),
        (("--out", "theirs"), "theirs: the folder exists"),
        (("--gpus", "99"), "a run takes 99 GPUs"),
    ],
)
def test_what_cannot_be_run_is_refused_before_the_program_is_shown(record, cli, options, why):
    result = challenge(cli, "--yes", *options)
    assert (result.code, result.out) == (2, "")
    assert why in result.err


def test_its_own_runs_decide_and_the_pool_is_information(record, cli):
    result = challenge(cli, "--yes", "--seeds", "4", "--json")
    assert result.code == 0, result.err
    found = json.loads(result.out)
    schema = files("speedcheck").joinpath("schema/challenge.schema.json").read_text()
    Draft202012Validator(json.loads(schema)).validate(found)
    ours, theirs = losses("ours"), losses("theirs")
    assert (len(ours), len(theirs)) == (4, 3)
    assert found["certified"] is found["certificate"]["certified"] is True
    assert found["certificate"]["loss"]["n"] == 4
    assert found["pooled"]["n"] == 7
    pooled = stats.ttest_1samp([*theirs, *ours], 3.28, alternative="less")
    assert found["pooled"]["p_one_sided"] == pytest.approx(pooled.pvalue, rel=1e-9)
    interval = stats.ttest_ind(ours, theirs, equal_var=False).confidence_interval(0.95)
    assert found["difference"]["low"] == pytest.approx(interval.low, rel=1e-6)


def test_quiet_prints_the_verdict_alone_and_the_program_only_where_it_asks(
    record, cli, monkeypatch
):
    monkeypatch.setattr("sys.stdin", io.StringIO("y\n"))
    asked = challenge(cli, "--quiet")
    assert (asked.code, asked.out) == (2, "")
    assert "The program of 3 of 3 counted runs of theirs" in asked.err
    result = challenge(cli, "--quiet", "--yes", "--seeds", "4")
    assert (result.code, result.err) == (0, "")
    assert result.out.startswith("CERTIFIED (loss only; rules unknown): mean loss ")
    assert result.out.count("\n") == 1


def test_a_record_without_its_program_cannot_be_challenged(cli, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("theirs").mkdir()
    for seed in range(2):
        Path("theirs", f"{seed}.txt").write_text(FINAL.format(4, f"3.2{seed}", 5) + "\n")
    result = challenge(cli, "--yes")
    assert result.code == 2
    assert "its logs hold no program" in result.err


def test_a_program_that_needs_what_is_not_there_fails_and_says_why(record, cli):
    Path("data", "shift.txt").unlink()
    result = challenge(cli, "--yes", "--seeds", "1")
    assert result.code == 1
    assert "No such file or directory: 'data/shift.txt'" in result.out


def test_the_bundled_trainer_comes_out_of_its_log_as_the_package_that_it_was(tmp_path):
    program = program_of_record(ROOT / "records" / "2026-11-21_tiny", Overrides())
    package = write_program(program, tmp_path)
    assert package == tmp_path / "trainer"
    modules = sorted(path.relative_to(tmp_path).as_posix() for path in package.rglob("*.py"))
    assert {"trainer/__init__.py", "trainer/__main__.py", "trainer/train.py"} <= set(modules)
    for name in modules:
        ast.parse((tmp_path / name).read_text())
        assert f"# file: {name}\n{(tmp_path / name).read_text()}" in program.text


def test_a_package_that_would_lie_outside_of_its_folder_is_refused(build, cli, tmp_path):
    log = (ROOT / "records/2026-11-21_tiny/logs/seed-000.txt").read_text()
    record = tmp_path / "record"
    (record / "logs").mkdir(parents=True)
    evil = log.replace("# file: trainer/train.py", "# file: ../evil.py", 1)
    (record / "logs" / "seed-000.txt").write_text(evil)
    program = program_of_record(record, Overrides())
    with pytest.raises(Exception, match=r"\.\./evil\.py"):
        write_program(program, tmp_path / "out")
    assert not (tmp_path / "evil.py").exists()


def test_the_gate_cannot_reach_what_runs_a_program():
    import subprocess
    import sys

    code = (
        "import sys, speedcheck.gate.gate_command, speedcheck.gate\n"
        "sys.exit('speedcheck.run' in sys.modules)"
    )
    assert subprocess.run((sys.executable, "-c", code), check=False).returncode == 0


@pytest.mark.slow
def test_the_tiny_record_is_challenged_with_its_own_program(cli, tmp_path):
    pytest.importorskip("torch")
    folder = ROOT / "records" / "2026-11-21_tiny"
    options = ("--yes", "--gpus", "0", "--seeds", "2", "--json", "--out", tmp_path / "ours")
    found = json.loads(cli("challenge", folder, *options).out)
    assert found["published"]["n"] == 32
    assert [run["seed"] for run in found["certificate"]["runs"]] == [32, 33]
