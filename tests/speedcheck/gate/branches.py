"""Branches of a repository with one merged record, and what the gate says of them."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import PurePosixPath as P

from speedcheck.gate.decide import decide
from speedcheck.gate.workplace import Commits
from tests.speedcheck.gate.conftest import Clone
from tests.speedcheck.gate.submissions import (
    Files,
    Options,
    make_log,
    make_logs,
)

RULES = """
[gate]
track = "gpt2-small"
[gate.paths."records/systems/**"]
systems = {}
[gate.paths."records/open/**"]
track = ["gpt2-small", "gpt2-small-steps"]
may_add_runs = true
artifacts = ["*.zip"]
allow_unknown = ["rules", "hardware"]
"""


GOOD, BAD = 3.2765, 3.2830


NEW, OLD = "records/new", "records/2026-01-01_old"


PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 8


def below(folder: str, files: Files) -> dict[str, str | bytes]:
    return {f"{folder}/{name}": content for name, content in files.items()}


def outcome(clone: Clone, change: Callable[[Clone], None]) -> dict[str, str]:
    """Make a branch, and return why each of its records is rejected; "" for one that passes."""
    clone.git("checkout", "--quiet", "--force", "-B", "work", "main")
    clone.git("clean", "-ffdqx")
    change(clone)
    clone.git("add", "--all", "--force")
    if clone.git("status", "--porcelain"):
        clone.git("commit", "--quiet", "--message", "work")
    commits = [clone.repository.commit(ref) for ref in ("main", "main", "work")]
    decisions = decide(clone.repository, Commits(*commits), [P("records")])
    return {str(d.folder): "; ".join(map(str, d.objections)) for d in decisions}


def submit(files: Files, folder: str = NEW) -> Callable[[Clone], None]:
    return lambda clone: clone.write(below(folder, files))


def honest_logs(rng: random.Random, n: int = 6, **options) -> Files:
    return make_logs(rng, n, GOOD, Options(**options))


def bad_log(rng: random.Random, **options) -> bytes:
    """A run so bad that the record fails with it."""
    return make_log(rng, 3.36, Options(**options))


def change_merged(change: Callable[[Files], Files | None]) -> Callable[[Clone], None]:
    """Rewrite the merged record's files; names that are left out are removed."""

    def apply(clone: Clone) -> None:
        root = clone.root / OLD
        old = {p.relative_to(root).as_posix(): p.read_bytes() for p in root.rglob("*")}
        new = change(dict(old))
        for name in old:
            (root / name).unlink()
        clone.write(below(OLD, new))

    return apply


def move(target: str) -> Callable[[Clone], None]:
    def apply(clone: Clone) -> None:
        (clone.root / target).parent.mkdir(parents=True, exist_ok=True)
        clone.git("mv", OLD, target)

    return apply


def both(*changes: Callable[[Clone], None]) -> Callable[[Clone], None]:
    return lambda clone: [change(clone) for change in changes] and None
