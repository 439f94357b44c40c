"""Git as a stranger, or a careless environment, would have it: none of it steers the gate."""

from __future__ import annotations

import hashlib
import os
import subprocess
import zlib
from pathlib import PurePosixPath as P

import pytest

from speedcheck.errors import InputError
from speedcheck.gate import git
from speedcheck.gate.git import Repository
from speedcheck.gate.git_environment import git_environment, git_program
from speedcheck.gate.tree import read_tree


def mktree(clone, entries: list[tuple[str, str, str]]) -> str:
    """Write a tree, sorted or not, as (mode, object, name); git's own check is left out."""
    body = b"".join(
        f"{mode} {name}".encode() + b"\0" + bytes.fromhex(object_id)
        for mode, object_id, name in entries
    )
    data = f"tree {len(body)}".encode() + b"\0" + body
    object_id = hashlib.sha1(data).hexdigest()
    path = clone.root / ".git/objects" / object_id[:2] / object_id[2:]
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(zlib.compress(data))
    return object_id


def commit_tree(clone, tree: str) -> str:
    return clone.git("commit-tree", tree, "-m", "forged")


def blob(clone, text: str) -> str:
    path = clone.root / "loose"
    path.write_text(text)
    return clone.git("hash-object", "-w", str(path))


def test_a_million_entries_in_a_small_repository_are_refused(clone):
    content = blob(clone, "x")
    inner = mktree(clone, [("100644", content, f"{i:04d}") for i in range(1000)])
    outer = mktree(clone, [("40000", inner, f"{i:04d}") for i in range(1000)])
    records = mktree(clone, [("40000", outer, "records")])
    commit = commit_tree(clone, records)
    with pytest.raises(InputError, match="P025 too-many-files: more than 50,000 files"):
        read_tree(clone.repository, commit, [P("records")])


def test_a_listing_ends_git_as_soon_as_it_is_too_long(clone, monkeypatch):
    """Four levels of 1,000 are 10^12 entries: nobody could wait for the end of that listing."""
    monkeypatch.setattr(git, "MAX_ENTRIES", 5_000)
    tree = mktree(clone, [("100644", blob(clone, "x"), f"{i:04d}") for i in range(1000)])
    for _ in range(3):
        tree = mktree(clone, [("40000", tree, f"{i:04d}") for i in range(1000)])
    commit = commit_tree(clone, tree)
    with pytest.raises(InputError, match="more than 5,000 files"):
        clone.repository.tree(commit, P())


@pytest.mark.parametrize(
    "forge",
    [
        lambda c, b: [("100644", b, "a"), ("100644", blob(c, "other"), "a")],
        lambda c, b: [("100644", b, "a"), ("40000", mktree(c, [("100644", b, "x")]), "a")],
        lambda c, b: [("120000", blob(c, "/tmp"), "a"), ("100644", b, "a")],
        lambda c, b: [("40000", mktree(c, [("100644", b, "x")]), "..")],
        lambda c, b: [("100644", b, "../../x")],
        lambda c, b: [("40000", mktree(c, [("100644", b, "x")]), ".GIT")],
        lambda c, b: [("100644", "0" * 39 + "1", "missing")],
        lambda c, b: [("40000", b, "blob-as-folder")],
        lambda c, b: [("100644", mktree(c, [("100644", b, "x")]), "folder-as-blob")],
        lambda c, b: [
            ("120000", blob(c, "a"), "a"),
            ("40000", mktree(c, [("100644", b, "b")]), "a"),
        ],
        lambda c, b: [("100644", b, "n" * 9_000)],
        lambda c, b: [("120000", blob(c, "x" * 9_000), "a")],
    ],
)
def test_a_forged_tree_is_an_error_of_one_line_and_writes_nothing_outside(clone, tmp_path, forge):
    tree = mktree(clone, [("40000", mktree(clone, forge(clone, blob(clone, "text"))), "records")])
    commit = commit_tree(clone, tree)
    (tmp_path / "in").mkdir()
    destination = tmp_path / "in" / "out"
    with pytest.raises(InputError):
        clone.repository.export(
            read_tree(clone.repository, commit, [P("records")]).values(), destination
        )
    assert [path.name for path in (tmp_path / "in").iterdir()] in ([], ["out"])


def test_a_replaced_object_is_not_read_in_place_of_the_commit_s(clone, tmp_path):
    commit = clone.commit("bad", {"records/x/log": "bad"})
    better = blob(clone, "good")
    clone.git("replace", clone.git("rev-parse", f"{commit}:records/x/log"), better)
    clone.repository.export(clone.repository.tree(commit, P("records")), tmp_path / "out")
    assert (tmp_path / "out/records/x/log").read_text() == "bad"


def test_variables_of_the_caller_lead_git_nowhere_else(clone, tmp_path, monkeypatch):
    other = tmp_path / "other"
    subprocess.run(["git", "init", "--quiet", str(other)], check=True)
    for name, value in {
        "GIT_DIR": other / ".git",
        "GIT_WORK_TREE": other,
        "GIT_OBJECT_DIRECTORY": other / ".git/objects",
        "GIT_INDEX_FILE": other / "index",
        "GIT_NAMESPACE": "x",
        "GIT_CONFIG_COUNT": "nonsense",
    }.items():
        monkeypatch.setenv(name, str(value))
    repository = Repository(clone.root)
    assert repository.root == clone.root
    assert [blob.path for blob in repository.tree("main", P())] == [P("README.md")]
    assert not [name for name in git_environment() if name.startswith("GIT_CONFIG")]


@pytest.mark.parametrize("entry", [".", "", "{checkout}", "{checkout}/bin"])
def test_git_is_never_a_program_of_the_checkout(clone, monkeypatch, entry):
    for place in (clone.root / "git", clone.root / "bin/git"):
        place.parent.mkdir(exist_ok=True)
        place.write_text("#!/bin/sh\ntouch ran\n")
        place.chmod(0o755)
    monkeypatch.chdir(clone.root)
    path = entry.format(checkout=clone.root)
    monkeypatch.setenv("PATH", os.pathsep.join([path, os.environ["PATH"]]))
    assert clone.root not in P(git_program(clone.root)).parents
    Repository(clone.root).tree("main", P())
    assert not (clone.root / "ran").exists()


def test_a_bare_repository_among_the_files_is_not_taken_for_the_clone(clone):
    inner = clone.root / "records/x"
    subprocess.run(["git", "init", "--quiet", "--bare", str(inner)], check=True)
    with pytest.raises(InputError, match="is not in a git repository"):
        Repository(inner)


def test_new_files_of_the_checkout_are_listed_and_no_filter_runs(clone, tmp_path):
    proof = tmp_path / "ran"
    clone.commit("old", {"records/x/log": "1", ".gitattributes": "* filter=f\n"})
    clone.git("config", "filter.f.clean", f"touch {proof}; cat")
    clone.git("config", "core.fsmonitor", f"touch {proof}")
    clone.write({"records/x/log": "changed", "records/y/new": "", "other": ""})
    assert clone.repository.uncommitted(P("records")) == (P("records/y/new"),)
    assert not proof.exists()
