"""Folders that cannot be judged: what is refused is a finding, and every output has the rest."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from markdown_it import MarkdownIt

from speedcheck.api import verify
from speedcheck.checks import codes
from speedcheck.errors import InputError, Unusable
from speedcheck.records import record_folder as folder_module
from speedcheck.records.record_files import MAX_FILE_BYTES
from speedcheck.report.certificate_markdown import MAX_CHARACTERS, certificates_markdown


@pytest.fixture
def few_files(monkeypatch):
    """Let a folder have no more than ten files."""
    monkeypatch.setattr(folder_module, "MAX_FILES", 10)


def linked(folder: Path, name: str) -> Path:
    (folder / name).rename(folder.parent / "elsewhere")
    (folder / name).symlink_to(folder.parent / "elsewhere")
    return folder


def refusals(certificate):
    wanted = (codes.TOO_MANY_FILES, codes.FILE_REFUSED)
    return [f for f in certificate.verdicts.provenance.findings if f.code in wanted]


@pytest.mark.parametrize("name", ["record.toml", "ledger.jsonl"])
def test_a_plan_or_ledger_that_is_a_link_is_a_finding_and_not_followed(build, cli, name):
    folder = linked(build.record(), name)
    certificate = verify(folder)
    (finding,) = refusals(certificate)
    assert (finding.code, finding.severity, finding.where) == (codes.FILE_REFUSED, "fail", name)
    assert finding.message == "is a link: links are not followed"
    assert not certificate.certified
    assert cli("verify", folder).code == 1


def test_a_ledger_that_would_fill_the_memory_is_a_finding(build):
    folder = build.record()
    with (folder / "ledger.jsonl").open("r+b") as file:
        file.truncate(MAX_FILE_BYTES + 1)
    (finding,) = refusals(verify(folder))
    assert finding.message == f"is larger than {MAX_FILE_BYTES >> 20} MiB"


@pytest.mark.parametrize("make", ["record", "published"])
def test_a_folder_with_too_many_files_is_a_finding_and_nothing_of_it_is_read(
    build, few_files, monkeypatch, make
):
    folder = getattr(build, make)()
    for index in range(10):
        (folder / f"x{index}").touch()
    monkeypatch.setattr(folder_module, "read_log", None)
    certificate = verify(folder)
    (finding,) = refusals(certificate)
    assert (finding.code, finding.severity) == (codes.TOO_MANY_FILES, "fail")
    assert finding.message == "the folder holds more than 10 files: none was read"
    assert (certificate.certified, certificate.runs) == (False, ())


def test_one_folder_with_too_many_files_hides_no_other(build, cli, few_files):
    build.published(name="good")
    build.folder({f"{i:02d}.txt": "words" for i in range(11)}, name="many")
    result = cli("verify", build.path)
    assert (result.code, result.err) == (1, "")
    assert ": mean loss 3.2782 is below 3.28" in result.out
    assert "NOT CERTIFIED: the folder holds more than 10 files" in result.out


def test_as_many_files_as_are_allowed_are_read(build, few_files):
    folder = build.published()
    for index in range(4):
        (folder / f"x{index}").touch()
    assert verify(folder).certified


@pytest.mark.parametrize("refused", ["link", "many"])
def test_what_was_not_read_whole_is_no_baseline(build, cli, few_files, refused):
    baseline = build.published(name="baseline")
    (baseline / "record.toml").write_text("")
    if refused == "link":
        linked(baseline, "record.toml")
    else:
        for index in range(10):
            (baseline / f"x{index}").touch()
    result = cli("verify", build.published(), "--baseline", baseline)
    assert result.code == 2
    assert "the baseline cannot be used: " in result.err


@pytest.fixture
def half_usable(build, cli, tmp_path):
    """Judge a good record, one with a broken plan and no folder at all, in every form."""
    good = build.published(name="good")
    bad = build.folder({"record.toml": "track = 3\n<b>&|`"}, name="b|d")
    junit = tmp_path / "junit.xml"

    def judge(*options):
        return cli("verify", good, bad, build.path / "none", "--junit", junit, *options)

    return judge, junit, bad


def test_a_folder_that_cannot_be_judged_is_an_error_in_junit_and_hides_no_other(half_usable):
    judge, junit, bad = half_usable
    result = judge()
    assert result.code == 2
    assert result.err.count("speedcheck: error: ") == 2
    good, *errors = ET.fromstring(junit.read_bytes())
    assert good.get("name") == "good"
    assert [suite.get("errors") for suite in (good, *errors)] == ["0", "1", "1"]
    assert [Path(suite.get("name")).name for suite in errors] == ["none", "b|d"]
    assert [suite.find("testcase/error").get("type") for suite in errors] == ["InputError"] * 2
    message = errors[1].find("testcase/error").get("message")
    assert message.startswith(f"{bad / 'record.toml'}: is not TOML")


def test_a_folder_that_cannot_be_judged_is_an_annotation(half_usable):
    judge, _, bad = half_usable
    lines = [line for line in judge("--annotations").out.splitlines() if "NOT JUDGED" in line]
    assert all(line.startswith("::error ") for line in lines)
    assert len(lines) == 2
    assert any(f"file={bad / 'record.toml'}" in line for line in lines)
    assert any("the record folder does not exist" in line for line in lines)


def test_a_folder_that_cannot_be_judged_stands_in_the_comment_as_text(half_usable):
    judge, *_ = half_usable
    result = judge("--markdown")
    html = MarkdownIt("commonmark").enable("table").render(result.out)
    assert html.index("Not judged") < html.index("good")
    assert "b</code>|<code>d" in html
    assert "<b>" not in html
    assert "is not TOML" in html


@pytest.mark.parametrize("count", [1, 30, 3_000])
@pytest.mark.parametrize("text", ["why", "|" * 10_000])
def test_any_number_of_folders_that_cannot_be_judged_fits(build, count, text):
    error = InputError(text, where="folder/record.toml")
    unusable = [Unusable(Path(f"folder-{index}-"), error) for index in range(count)]
    for certificates in ([], [verify(build.published())]):
        body = certificates_markdown(certificates, unusable=unusable)
        assert len(body) <= MAX_CHARACTERS
        shown = body.count("folder-")
        missing = body.partition(" more, left out")[0].rpartition("| ")[2]
        assert shown + (int(missing) if shown < count else 0) == count
        assert ("CERTIFIED" in body) == bool(certificates)


def test_json_of_several_folders_is_a_list_though_one_alone_can_be_judged(half_usable, cli, build):
    judge, *_ = half_usable
    (certificate,) = json.loads(judge("--json").out)
    assert certificate["record"] == "good"
    assert json.loads(cli("verify", build.path / "good", "--json").out) == certificate


@pytest.mark.parametrize("kind", ["pipe", "folder", "/dev/zero"])
def test_a_configuration_that_is_no_file_is_refused_and_not_waited_for(build, cli, kind):
    path = build.path / "config"
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    else:
        path = kind
    result = cli("verify", build.published(), "--config", path)
    assert result.code == 2
    assert result.err == f"speedcheck: error: {path}: is not a regular file; name a TOML file\n"


def test_a_folder_that_may_not_be_looked_into_is_named_with_advice(build, cli, monkeypatch):
    folder = build.record(name="inner/a")
    closed, is_file, scandir = folder / "logs", Path.is_file, os.scandir

    def refused(path):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))

    def no_file(path):
        return refused(path) if path.parent == closed else is_file(path)

    monkeypatch.setattr(Path, "is_file", no_file)
    monkeypatch.setattr(
        os, "scandir", lambda at: refused(at) if Path(at) == closed else scandir(at)
    )
    said = f"speedcheck: error: {closed}: cannot be read (Permission denied); check its rights\n"
    assert cli("verify", folder.parent).err == said
    assert cli("report", closed, "--png", build.path / "png").err == said


@pytest.mark.parametrize("words", ["parse nope", "verify RECORD --config nope"])
def test_a_file_that_does_not_exist_is_named_with_advice(build, cli, monkeypatch, words):
    build.record(name="RECORD")
    monkeypatch.chdir(build.path)
    result = cli(*words.split())
    assert result.err == "speedcheck: error: nope: does not exist; name one that does\n"


def test_a_first_side_that_does_not_exist_is_not_a_missing_second_one(cli):
    assert "nope: is not a folder; name two record folders" in cli("compare", "nope").err
