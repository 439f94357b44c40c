"""Files that a command writes are whole or not there, and never the evidence of a record."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

import pytest

from speedcheck.errors import RecordError, UsageError
from speedcheck.whole_file import write_new, write_whole


@pytest.fixture
def full_disk(monkeypatch):
    """Let half of what is written arrive."""

    def half(path, data):
        with path.open("wb") as file:
            file.write(data[: len(data) // 2])
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "write_bytes", half)


def test_an_old_file_survives_a_full_disk_and_no_new_one_is_left(tmp_path, full_disk):
    old = tmp_path / "page.html"
    old.write_text("old")
    for path in (old, tmp_path / "new.html"):
        with pytest.raises(UsageError, match=r"cannot write \(No space left.*\); free some space"):
            write_whole(path, b"new page")
    assert [path.name for path in tmp_path.iterdir()] == ["page.html"]
    assert old.read_text() == "old"


def test_without_rights_nobody_is_told_to_free_space(tmp_path, monkeypatch):
    def refuse(path, data):
        raise OSError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr(Path, "write_bytes", refuse)
    with pytest.raises(UsageError) as caught:
        write_whole(tmp_path / "page.html", b"x")
    assert caught.value.remedy == "check its rights"


def test_links_and_rights_stay_and_pipes_are_written_to(tmp_path):
    target, link = tmp_path / "target", tmp_path / "link"
    target.write_text("old")
    target.chmod(0o640)
    link.symlink_to(target)
    write_whole(link, b"new")
    assert link.is_symlink()
    assert (target.read_bytes(), stat.S_IMODE(target.stat().st_mode)) == (b"new", 0o640)
    write_whole(Path(os.devnull), b"gone")
    assert not Path(os.devnull).is_file()


def test_a_link_in_place_of_the_partial_file_leads_nowhere(tmp_path):
    (tmp_path / "mine").write_text("mine")
    (tmp_path / ".page.html.partial").symlink_to(tmp_path / "mine")
    write_whole(tmp_path / "page.html", b"page")
    assert (tmp_path / "mine").read_text() == "mine"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mine", "page.html"]


def test_a_new_file_is_not_written_over_another(tmp_path):
    write_new(tmp_path / "record.toml", b"mine")
    with pytest.raises(RecordError, match="File exists"):
        write_new(tmp_path / "record.toml", b"other")
    assert (tmp_path / "record.toml").read_bytes() == b"mine"


EVIDENCE = (
    "record.toml",
    "ledger.jsonl",
    "certificate.json",
    "README.md",
    "logs/seed-000.txt",
    "logs/notes",
    "program/train.py",
    "program/data.bin",
)


@pytest.fixture
def record(build):
    folder = build.record()
    for name in ("certificate.json", "README.md", "logs/notes", "program/train.py"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text("x")
    (folder / "program" / "data.bin").write_text("x")
    return folder


@pytest.mark.parametrize("name", EVIDENCE)
@pytest.mark.parametrize(
    "command",
    [
        ("verify", "RECORD", "--junit"),
        ("report", "RECORD", "--html"),
        ("history", "RECORD", "--html"),
        ("gate", "--comment"),
        ("gate", "--json"),
    ],
    ids=" ".join,
)
def test_no_command_overwrites_the_evidence_of_a_record(record, cli, command, name):
    pytest.importorskip("jinja2", reason="the extra `report` is not installed")
    before = (record / name).read_bytes()
    words = [record if word == "RECORD" else word for word in command]
    result = cli(*words, record / name)
    assert (result.code, result.out) == (2, "")
    assert "is evidence of a record, and would be overwritten; name another file" in result.err
    assert (record / name).read_bytes() == before


def test_a_published_log_beside_its_readme_is_not_overwritten_either(build, cli):
    log = build.published() / "00.txt"
    assert cli("verify", log.parent, "--junit", log).code == 2


def test_a_record_keeps_its_ledger_even_where_it_is_gone(build, cli):
    ledger = build.record() / "ledger.jsonl"
    ledger.unlink()
    assert cli("verify", ledger.parent, "--junit", ledger).code == 2
    assert not ledger.exists()


def test_what_a_command_wrote_it_may_write_again(build, cli, tmp_path):
    pytest.importorskip("jinja2", reason="the extra `report` is not installed")
    folder = build.record()
    for _ in range(2):
        assert cli("verify", folder, "--junit", tmp_path / "junit.xml").code == 0
        assert cli("report", folder, "--html", folder / "report.html").code == 0
        assert cli("history", folder, "--html", tmp_path / "history.html").code == 0
