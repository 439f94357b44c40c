"""A real git repository, made in the test."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from speedcheck import cli
from speedcheck.gate.git import Repository

IDENTITY = {
    f"GIT_{who}_{what}": text
    for who in ("AUTHOR", "COMMITTER")
    for what, text in (("NAME", "A Test"), ("EMAIL", "test@example.invalid"))
}


class Clone:
    """A repository with a branch `main`, and short words for what tests do to it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        root.mkdir()
        self.git("init", "--quiet", "--initial-branch=main")
        self.commit("begin", {"README.md": "# A repository\n"})

    @property
    def repository(self) -> Repository:
        return Repository(self.root)

    def git(self, *arguments: str) -> str:
        done = subprocess.run(
            ["git", *arguments],
            cwd=self.root,
            env=os.environ | IDENTITY | {"GIT_CONFIG_GLOBAL": os.devnull},
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout.strip()

    def branch(self, name: str) -> None:
        self.git("checkout", "--quiet", "-b", name)

    def write(self, files: dict[str, str | bytes]) -> None:
        for name, content in files.items():
            path = self.root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content if isinstance(content, bytes) else content.encode())

    def commit(self, message: str, files: dict[str, str | bytes] | None = None) -> str:
        self.write(files or {})
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", message)
        return self.git("rev-parse", "HEAD")


@pytest.fixture
def clone(tmp_path: Path) -> Clone:
    return Clone(tmp_path / "clone")


# The logs of these tests hold no whole program; what is asked of one is test_submissions.py's.
LAX = """
[gate]
track = ["gpt2-small", "tiny"]
allow_unknown = ["rules", "hardware"]
"""


@pytest.fixture
def gate(clone, capsys, monkeypatch):
    """Run `speedcheck gate` in the clone and return (exit code, output, errors)."""
    monkeypatch.chdir(clone.root)
    clone.commit("rules", {"speedcheck.toml": LAX})
    for name in ("GITHUB_BASE_REF", "GITHUB_STEP_SUMMARY"):
        monkeypatch.delenv(name, raising=False)

    def run(*arguments: str) -> tuple[int, str, str]:
        code = cli.main(["gate", *arguments])
        return (code, *capsys.readouterr())

    return run


def files_of(folder: Path, below: str) -> dict[str, str | bytes]:
    return {
        f"{below}/{path.relative_to(folder).as_posix()}": path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }
