"""Reading a branch from git's objects, whatever the branch tries."""

from __future__ import annotations

from pathlib import PurePosixPath as P

import pytest

from speedcheck.errors import InputError, UsageError
from speedcheck.gate.changes import submissions
from speedcheck.gate.git import Repository
from speedcheck.gate.tree import read_tree
from speedcheck.records.record_files import MAX_FILE_BYTES


def exported(clone, commit, folder, destination):
    clone.repository.export(clone.repository.tree(commit, P(folder)), destination)
    return {
        path.relative_to(destination).as_posix(): path
        for path in destination.rglob("*")
        if path.is_symlink() or path.is_file()
    }


def test_a_folder_outside_any_repository_is_refused(tmp_path):
    with pytest.raises(InputError, match="is not in a git repository"):
        Repository(tmp_path)


@pytest.mark.parametrize("ref", ["nowhere", "--help", "-x", "", "main:README.md", "a\nb"])
def test_a_ref_that_names_no_commit_is_refused(clone, ref):
    with pytest.raises(UsageError, match="git knows no commit"):
        clone.repository.commit(ref)


def test_the_merge_base_is_where_the_branch_left(clone):
    left = clone.git("rev-parse", "HEAD")
    clone.branch("work")
    clone.commit("work", {"a": "1"})
    clone.git("checkout", "--quiet", "main")
    clone.commit("main goes on", {"b": "1"})
    assert clone.repository.merge_base("main", "work") == left


def test_files_come_out_of_the_commit_and_not_out_of_the_checkout(clone, tmp_path):
    commit = clone.commit("add", {"records/x/log.txt": "in the commit\r\n"})
    clone.write({"records/x/log.txt": "changed since", "records/x/new.txt": "untracked"})
    files = exported(clone, commit, "records", tmp_path / "out")
    assert list(files) == ["records/x/log.txt"]
    assert files["records/x/log.txt"].read_bytes() == b"in the commit\r\n"


def test_attributes_of_the_branch_hide_and_change_nothing(clone, tmp_path):
    attributes = "*.txt export-ignore\n*.log export-subst text eol=crlf\n"
    commit = clone.commit(
        "add",
        {
            "records/x/.gitattributes": attributes,
            "records/x/worst.txt": "loss",
            "records/x/a.log": b"$Format:%H$\n",
        },
    )
    files = exported(clone, commit, "records/x", tmp_path / "out")
    assert files["records/x/worst.txt"].read_text() == "loss"
    assert files["records/x/a.log"].read_bytes() == b"$Format:%H$\n"


def test_a_link_comes_out_as_a_link(clone, tmp_path):
    folder = clone.root / "records/x"
    folder.mkdir(parents=True)
    (folder / "log.txt").symlink_to("/etc/passwd")
    commit = clone.commit("link")
    files = exported(clone, commit, "records", tmp_path / "out")
    assert files["records/x/log.txt"].readlink() == P("/etc/passwd")


def test_a_file_too_large_to_read_comes_out_as_a_hole_of_its_size(clone, tmp_path, monkeypatch):
    monkeypatch.setattr("speedcheck.gate.objects.MAX_FILE_BYTES", 10)
    commit = clone.commit("large", {"records/x/log.txt": "x" * 11})
    files = exported(clone, commit, "records", tmp_path / "out")
    assert files["records/x/log.txt"].read_bytes() == bytes(11)
    assert MAX_FILE_BYTES > 10


@pytest.mark.parametrize("name", ["a b.txt", "tab\tname", "new\nline", ":(top)x", "-x", "ü.txt"])
def test_any_file_name_is_read(clone, tmp_path, name):
    commit = clone.commit("names", {f"records/{name}/log": "text"})
    files = exported(clone, commit, f"records/{name}", tmp_path / "out")
    assert list(files) == [f"records/{name}/log"]


def test_a_forged_path_cannot_leave_the_export():
    from speedcheck.gate.git import _blob

    for path in (b"../../x", b"/etc/x"):
        with pytest.raises(InputError, match="leaves the repository"):
            _blob(b"100644 blob " + b"0" * 40 + b" 3\t" + path)


def test_a_file_below_a_link_of_a_forged_tree_is_not_written(clone, tmp_path):
    from speedcheck.gate.objects import Blob

    outside = tmp_path / "outside"
    outside.mkdir()
    clone.commit("link", {"text": str(outside)})
    (link,) = clone.repository.tree("HEAD", P())[1:]
    forged = [Blob(P("a"), "120000", link.object_id, link.size)]
    forged.append(Blob(P("a/b/file"), "100644", link.object_id, link.size))
    with pytest.raises(InputError, match="is below a link"):
        clone.repository.export(forged, tmp_path / "out")
    assert list(outside.iterdir()) == []


def found(clone, *roots):
    base = clone.repository.merge_base("main", "HEAD")
    places = tuple(map(P, roots or ("records",)))
    trees = [read_tree(clone.repository, commit, places) for commit in (base, "HEAD")]
    return {
        str(submission.folder): [
            str(path.relative_to(submission.folder)) for path in submission.changed
        ]
        for submission in submissions(*trees, places)
    }


def test_added_changed_and_removed_records_are_submissions(clone):
    clone.commit("old", {"records/a/log.txt": "1", "records/b/log.txt": "1", "records/c/x": "1"})
    clone.branch("work")
    clone.git("rm", "-r", "--quiet", "records/b")
    clone.commit("work", {"records/a/log.txt": "2", "records/d/log.txt": "1", "src/x": "1"})
    assert found(clone) == {
        "records/a": ["log.txt"],
        "records/b": ["log.txt"],
        "records/d": ["log.txt"],
    }


def test_a_changed_log_counts_for_the_folder_of_its_record(clone):
    clone.commit("old", {"records/a/record.toml": "", "records/a/logs/seed-000.txt": "1"})
    clone.branch("work")
    clone.commit("work", {"records/a/logs/seed-000.txt": "2", "records/b/logs/1.txt": "1"})
    assert found(clone) == {"records/a": ["logs/seed-000.txt"], "records/b": ["logs/1.txt"]}


def test_a_folder_that_the_branch_adds_is_one_submission_however_deep_its_files_are(clone):
    clone.commit("old", {"records/t/old/1.txt": ""})
    clone.branch("work")
    clone.commit("work", {"records/t/a/pr/1.txt": "", "records/t/a/b/2": "", "records/t/c/1": ""})
    assert found(clone) == {"records/t/a": ["b/2", "pr/1.txt"], "records/t/c": ["1"]}


def test_a_file_in_a_hidden_folder_belongs_to_the_folder_around_it(clone):
    clone.commit("old", {"records/a/1.txt": ""})
    clone.branch("work")
    clone.commit("work", {"records/a/.more/2.txt": "", "records/a/logs/deep/3.txt": ""})
    assert found(clone) == {"records/a": [".more/2.txt", "logs/deep/3.txt"]}


def test_a_new_folder_below_a_record_toml_belongs_to_its_record(clone):
    clone.commit("old", {"records/a/record.toml": "", "records/a/1.txt": ""})
    clone.branch("work")
    clone.commit("work", {"records/a/more/2.txt": ""})
    assert found(clone) == {"records/a": ["more/2.txt"]}


def test_what_changes_elsewhere_is_not_a_submission(clone):
    clone.branch("work")
    clone.commit("work", {"src/main.py": "", "recordsets/a/log.txt": ""})
    assert found(clone) == {}


def test_a_file_of_another_mode_is_a_change(clone):
    clone.commit("old", {"records/a/log": "x"})
    clone.branch("work")
    (clone.root / "records/a/log").unlink()
    (clone.root / "records/a/log").symlink_to("x")
    clone.commit("link")
    assert found(clone) == {"records/a": ["log"]}
