"""Line ends that git or an editor converted: they are prevented, and named where they happened."""

from __future__ import annotations

import hashlib
import subprocess
from pathlib import Path

import pytest

from speedcheck.api import verify
from speedcheck.races.read_race import read_race
from speedcheck.records.line_ends import CONVERTED

ROOT = Path(__file__).parents[3]


def convert(path):
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))


def git(folder, *words):
    who = ("-c", "user.name=a", "-c", "user.email=a@b")
    subprocess.run(["git", *who, *words], cwd=folder, check=True, capture_output=True)


def test_converted_line_ends_of_a_ledger_are_named_as_its_one_problem(build, findings_of):
    folder = build.record()
    convert(folder / "ledger.jsonl")
    (finding,) = findings_of(folder)["P001 ledger-broken"]
    assert (finding.message, finding.where) == (CONVERTED, "ledger.jsonl")
    assert "git config core.autocrlf false" in finding.remedy
    assert not verify(folder).certified


def test_a_ledger_that_was_edited_too_is_said_to_be_changed(build, findings_of):
    ledger = build.record() / "ledger.jsonl"
    convert(ledger)
    ledger.write_bytes(ledger.read_bytes().replace(b'"seed": 2', b'"seed": 1', 1))
    assert any("was changed" in f.message for f in findings_of(ledger.parent)["P001 ledger-broken"])


def test_converted_line_ends_of_a_log_are_told_from_an_edit(build, findings_of):
    folder = build.record()
    convert(folder / "logs" / "seed-001.txt")
    other = folder / "logs" / "seed-002.txt"
    other.write_bytes(other.read_bytes() + b"\n")
    converted, edited = findings_of(folder)["P010 log-changed"]
    assert converted.message.endswith(CONVERTED)
    assert edited.message.endswith("it was changed")


def test_converted_line_ends_of_a_program_are_told_from_an_edit(build, findings_of):
    text = "print(1)\n"
    script = {"file": "program/a.py", "sha256": hashlib.sha256(text.encode()).hexdigest()}
    folder = build.record(plan={"recipe": None, "script": script | {"beside": "."}})
    (folder / "program").mkdir()
    (folder / "program" / "a.py").write_text(text)
    assert "P013 source-changed" not in findings_of(folder)
    convert(folder / "program" / "a.py")
    (finding,) = findings_of(folder)["P013 source-changed"]
    assert finding.message.endswith(CONVERTED)


def test_a_race_names_converted_line_ends_too(make_race):
    folder = make_race([10.0 + i / 50 for i in range(8)], [9.0 + i / 50 for i in range(8)])
    convert(folder / "ledger.jsonl")
    assert any(problem.endswith(CONVERTED) for problem in read_race(folder).problems)


def test_git_converts_no_line_end_of_a_record_that_init_made(build, cli, tmp_path):
    folder = build.published(name="repository/mine")
    assert cli("init", folder).code == 0
    assert "P011" not in cli("verify", folder).out
    git(folder.parent, "init", "-q")
    git(folder.parent, "add", "-A")
    git(folder.parent, "commit", "-qm", "a")
    git(tmp_path, "-c", "core.autocrlf=true", "clone", "-q", "repository", "clone")
    for file in folder.iterdir():
        assert (tmp_path / "clone" / "mine" / file.name).read_bytes() == file.read_bytes()


def test_attributes_that_are_there_already_stay(build, cli):
    folder = build.published()
    (folder / ".gitattributes").write_text("*.txt -diff\n")
    assert cli("init", folder).code == 0
    assert (folder / ".gitattributes").read_text() == "*.txt -diff\n"


def test_git_converts_no_line_end_of_the_records_of_this_repository():
    if not (ROOT / ".git").exists():
        pytest.skip("not a clone")
    names = [str(path.relative_to(ROOT)) for path in (ROOT / "records").rglob("*.txt")]
    said = subprocess.run(
        ["git", "check-attr", "text", "--", *names],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    assert {line.rpartition(": ")[2] for line in said.stdout.splitlines()} == {"unset"}
