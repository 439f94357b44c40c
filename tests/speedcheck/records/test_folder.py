"""Record folders: what belongs to a record, and what of it is read."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from speedcheck.api import verify
from speedcheck.cli import main
from speedcheck.errors import InputError, NoRecordError
from speedcheck.records.record_files import MAX_FILE_BYTES
from speedcheck.records.record_folder import find_records, read_record

QUOTATION = "The log ends with\n\nstep:1393/1393 val_loss:3.2000 train_time:100000ms\n"

NAME_A_FOLDER = "name the folder that holds the logs"
NO_LOG = "holds no log and no record.toml; name a folder with run logs"


def names(record):
    return [log.name for log in record.logs]


@pytest.mark.parametrize(
    ("make", "complaint"),
    [
        (lambda path: None, f"the record folder does not exist; {NAME_A_FOLDER}"),
        (lambda path: path.write_text(QUOTATION), f"the record folder is a file; {NAME_A_FOLDER}"),
        (lambda path: path.mkdir(), NO_LOG),
        (
            lambda path: (path.mkdir(), (path / "a.txt").write_text("nothing of interest")),
            NO_LOG.replace(";", " (a.txt: no step line);"),
        ),
    ],
    ids=["missing", "a file", "empty", "without a log"],
)
def test_a_path_without_a_record_is_one_line_of_what_where_and_what_to_do(
    tmp_path, cli, make, complaint
):
    path = tmp_path / "record"
    make(path)
    result = cli("verify", path)
    assert (result.code, result.out) == (2, "")
    assert result.err == f"speedcheck: error: {path}: {complaint}\n"
    with pytest.raises(InputError):
        verify(path)


@pytest.mark.parametrize(
    "name", ["README.md", "ReadMe.MD", "statistics.md", "train.py", "certificate.json"]
)
def test_a_document_that_quotes_step_lines_is_no_log(build, name):
    folder = build.published()
    before = verify(folder).runs
    (folder / name).write_text(QUOTATION)
    assert verify(folder).runs == before


def test_a_hidden_run_is_read_and_other_hidden_files_are_nobodys_log(build, published_log_text):
    folder = build.published()
    before = verify(folder).runs
    (folder / ".DS_Store").write_bytes(b"\0\1")
    assert verify(folder).runs == before
    (folder / ".worst.txt").write_text(published_log_text(val_loss=3.3))
    assert ".worst.txt" in [run.log for run in verify(folder).runs]


def test_a_folder_with_nothing_but_a_document_holds_no_record(build):
    folder = build.folder({"README.md": QUOTATION})
    with pytest.raises(InputError, match="holds no log"):
        find_records(folder)


def test_the_name_of_a_file_does_not_decide_whether_it_is_a_log(build, published_log_text):
    odd = ["a b.txt", "log", "run.log", "x.stdout", "seed=1.out.7", "naïve.txt"]
    texts = {
        name: published_log_text(val_loss=3.27 + index / 1000) for index, name in enumerate(odd)
    }
    record = read_record(build.folder(texts))
    assert names(record) == sorted(odd)
    assert all(len(log.runs) == 1 for log in record.logs)


def test_a_link_among_the_logs_is_said_and_not_followed(build, findings_of, published_log_text):
    outside = build.folder({"best.txt": published_log_text(val_loss=3.0)}, name="elsewhere")
    folder = build.published()
    (folder / "99.txt").symlink_to(outside / "best.txt")
    (folder / "dangling.txt").symlink_to("nothing")
    (folder / "more").symlink_to(outside)
    found = findings_of(folder)["P011 not-a-run"]
    assert {(f.where, f.message, f.severity) for f in found} == {
        (name, "is a link: links are not followed", "warn")
        for name in ("99.txt", "dangling.txt", "more")
    }
    assert len(verify(folder).runs) == 6


def test_a_folder_logs_that_is_a_link_is_not_followed(build):
    folder = build.record()
    (folder / "logs").rename(folder.parent / "elsewhere")
    (folder / "logs").symlink_to(folder.parent / "elsewhere")
    certificate = verify(folder)
    assert certificate.runs == ()
    assert not certificate.certified


def test_a_link_to_a_record_that_the_caller_names_is_followed(build):
    link = build.path / "link"
    link.symlink_to(build.record())
    assert verify(link).certified


def test_each_subfolder_with_a_log_is_a_record_of_its_own(build, published_log_text):
    text = published_log_text()
    logs = {"baseline/a.txt": text, "this_pr/runs/b.txt": text, ".git/log.txt": text}
    root = build.folder(logs | {"figures/c.csv": "1,2"})
    assert find_records(root) == (root / "baseline", root / "this_pr" / "runs")
    with pytest.raises(InputError, match=r"holds 2 records; name one, such as .*baseline"):
        verify(root)


def test_logs_belongs_to_the_record_beside_it_and_is_none_itself(build):
    folder = build.record()
    assert find_records(folder.parent) == (folder,)
    assert names(read_record(folder)) == [f"logs/seed-{seed:03d}.txt" for seed in range(8)]


def test_logs_in_logs_belong_to_the_folder_above_without_a_plan_too(build, published_log_text):
    root = build.folder({"logs/a.txt": published_log_text(), "requirements.txt": "torch"})
    assert find_records(root) == (root,)
    assert verify(root).runs[0].log == "logs/a.txt"


def test_a_record_without_a_plan_is_named_after_its_folder(build):
    assert read_record(build.published(name="2025-01-16_Sub3Min")).name == "2025-01-16_Sub3Min"


def test_a_file_that_would_fill_the_memory_is_said_and_not_read(build, findings_of):
    folder = build.published()
    with (folder / "huge.txt").open("wb") as file:
        file.truncate(MAX_FILE_BYTES + 1)
    (finding,) = findings_of(folder)["P011 not-a-run"]
    assert finding.where == "huge.txt"
    assert finding.message == f"is larger than {MAX_FILE_BYTES >> 20} MiB"
    assert verify(folder).loss.n == 6


def test_a_named_pipe_among_the_logs_is_said_and_does_not_hang(build, findings_of):
    folder = build.published()
    os.mkfifo(folder / "pipe.txt")
    (finding,) = findings_of(folder)["P011 not-a-run"]
    assert (finding.where, finding.message) == ("pipe.txt", "is not a regular file")


def test_files_that_are_not_named_as_the_logs_are_change_nothing(build, findings_of, script_text):
    folder = build.published()
    (folder / "train_gpt.py").write_text(script_text)
    (folder / "run.sh").write_text("torchrun --standalone train_gpt.py\n")
    (folder / "loss.png").write_bytes(b"\x89PNG\r\n\x1a\n\0\0")
    findings = findings_of(folder)
    assert "P011 not-a-run" not in findings
    assert [finding.where for finding in findings["P036 opaque-file"]] == ["loss.png"]
    assert verify(folder).verdicts.provenance.status == "pass"


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"", "empty file"),
        (b"just words\n", "no step line"),
    ],
)
def test_a_file_that_is_no_log_is_said_and_not_counted(build, findings_of, content, complaint):
    folder = build.published()
    (folder / "other.txt").write_bytes(content)
    (finding,) = findings_of(folder)["P011 not-a-run"]
    assert (finding.severity, finding.where, finding.message) == ("warn", "other.txt", complaint)
    certificate = verify(folder)
    assert certificate.certified
    assert certificate.loss.n == 6


def test_a_folder_deeper_than_any_submission_is_refused_before_it_costs_anything(build):
    folder = build.published()
    deep = folder
    for _ in range(300):
        deep = deep / "d"
        deep.mkdir()
    with pytest.raises(InputError, match="has folders more than 64 levels deep"):
        find_records(folder)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ("words\n", "notes.txt: no step line"),
        (b"PK\x00", "notes.txt: binary: NUL byte at byte 2"),
        (None, "notes.txt: is a link: links are not followed"),
    ],
)
def test_a_folder_without_a_log_says_what_its_first_file_lacks(build, content, why):
    folder = build.folder({} if content is None else {"notes.txt": content})
    if content is None:
        (folder / "notes.txt").symlink_to("/etc/passwd")
    with pytest.raises(NoRecordError, match=f"holds no log and no record.toml \\({why}\\)"):
        find_records(folder)


def test_a_folder_that_cannot_be_looked_into_is_said_and_hides_no_other(build, monkeypatch, capsys):
    # By a patch, since root may look into every folder.
    good, closed = build.published(name="records/a"), build.published(name="records/b")
    look, entries = os.scandir, Path.iterdir

    def refusing(read):
        def read_unless_closed(path):
            if os.fspath(path) == str(closed):
                raise PermissionError(13, "Permission denied", str(path))
            return read(path)

        return read_unless_closed

    with monkeypatch.context() as patch:
        patch.setattr("os.scandir", refusing(look))
        patch.setattr("pathlib.Path.iterdir", refusing(entries))
        assert find_records(good.parent) == (good, closed)
        assert main(["verify", "--json", str(good.parent)]) == 2
    shown = capsys.readouterr()
    assert f"{closed}: cannot be read (Permission denied)" in shown.err
    assert '"record": "a"' in shown.out


def test_probes_between_step_lines_are_neither_runs_nor_hidden_runs(build, published_log_text):
    probes = "".join(
        f"tailavg step:{step} tau:{tau} lambda:0.4 val_loss:3.2{step}\n"
        for step in (1200, 1300, 1390)
        for tau in (150, 300)
    )
    lines = published_log_text().splitlines(keepends=True)
    folder = build.folder({"a.txt": "".join([*lines[:-1], probes, lines[-1]])})
    record = read_record(folder)
    (log,) = record.logs
    assert [(run.val_loss, len(run.validations)) for run in log.runs] == [(3.2779, 3)]
    assert [problem.kind for problem in log.problems] == ["probe"]
    assert record.hidden == ()
