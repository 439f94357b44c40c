"""Which record folders a branch adds, changes or removes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import PurePosixPath

from speedcheck.gate.git import Blob, Repository
from speedcheck.records.files import LOGS_NAME
from speedcheck.records.plan import PLAN_NAME


@dataclass(frozen=True, slots=True)
class Change:
    """A folder below which the branch changes something.

    Attributes:
        folder: path of the folder inside the repository.
        existed: whether anything stood there before.
        exists: whether anything stands there now.
    """

    folder: PurePosixPath
    existed: bool
    exists: bool


def changed_folders(
    repository: Repository, base: str, head: str, paths: Iterable[PurePosixPath]
) -> tuple[Change, ...]:
    """Return the folders below `paths` that differ between the commits `base` and `head`.

    A folder is that of the changed file; with a record.toml above it, it is the folder of that
    file, so that a changed log counts for its record.
    """
    roots = tuple(paths)
    changed = [p for p in repository.changed(base, head) if any(_inside(p, r) for r in roots)]
    before, after = (
        {root: repository.tree(commit, root) for root in roots} for commit in (base, head)
    )
    files_before = {blob.path for blobs in before.values() for blob in blobs}
    files_after = {blob.path for blobs in after.values() for blob in blobs}
    folders = {_owner(path, files_before | files_after) for path in changed}
    # A folder inside another changed one is judged with it; not so the folder of all records.
    records = folders - set(roots)
    outermost = sorted(f for f in folders if not any(_inside(f, g) for g in records if g != f))
    return tuple(
        Change(
            folder,
            existed=any(_inside(path, folder) for path in files_before),
            exists=any(_inside(path, folder) for path in files_after),
        )
        for folder in outermost
    )


def files_for(repository: Repository, commit: str, folder: PurePosixPath) -> tuple[Blob, ...]:
    """Return the blobs that judging `folder` takes: its own, and the documents above it."""
    own = repository.tree(commit, folder)
    parents = [parent for parent in folder.parents if parent != PurePosixPath()]
    documents = [
        blob
        for parent in parents
        for blob in repository.tree(commit, parent)
        if blob.path.parent == parent and blob.path.suffix.lower() == ".md"
    ]
    return (*own, *documents)


def _owner(path: PurePosixPath, files: set[PurePosixPath]) -> PurePosixPath:
    """Return the record folder that a changed file belongs to."""
    for parent in path.parents:
        if parent / PLAN_NAME in files:
            return parent
    return path.parent.parent if path.parent.name == LOGS_NAME else path.parent


def _inside(path: PurePosixPath, folder: PurePosixPath) -> bool:
    return folder == PurePosixPath() or path == folder or folder in path.parents
