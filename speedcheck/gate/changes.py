"""What a branch does below the folders that hold records, by submission.

A submission is the outermost folder that the branch adds, or the record folder in which it changes
something that was there before.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath

from speedcheck.errors import InputError
from speedcheck.gate.git import Repository
from speedcheck.gate.objects import Blob
from speedcheck.records.files import LOGS_NAME
from speedcheck.records.plan import PLAN_NAME

Tree = Mapping[PurePosixPath, Blob]
"""The files of a commit by their paths."""


@dataclass(frozen=True, slots=True)
class Submission:
    """A folder in which the branch changes something.

    Attributes:
        folder: path of the folder inside the repository.
        root: the folder of records that it is in; it may be that folder itself.
        changed: the paths that the branch adds, changes or removes in it.
    """

    folder: PurePosixPath
    root: PurePosixPath
    changed: tuple[PurePosixPath, ...]


def read_tree(repository: Repository, commit: str, roots: Iterable[PurePosixPath]) -> Tree:
    """Return the files of a commit below `roots`.

    Raises:
        InputError: there are too many, git cannot list them, or two have one path.
    """
    tree: dict[PurePosixPath, Blob] = {}
    for root in roots:
        for blob in repository.tree(commit, root):
            if tree.setdefault(blob.path, blob) != blob:
                # git itself makes no such tree.
                what = "two files of the commit have this path"
                raise InputError(what, where=str(blob.path), remedy="refuse it")
    return tree


def submissions(
    before: Tree, after: Tree, roots: Iterable[PurePosixPath]
) -> tuple[Submission, ...]:
    """Return what differs between two trees, by submission, in the order of the folders."""
    deepest_first = sorted(roots, key=lambda root: len(root.parts), reverse=True)
    plans = {path.parent for path in (*before, *after) if path.name == PLAN_NAME}
    old = {parent for path in before for parent in path.parents}
    found: dict[PurePosixPath, tuple[PurePosixPath, list[PurePosixPath]]] = {}
    for path in sorted({*before, *after}):
        if _content(before.get(path)) == _content(after.get(path)):
            continue
        root = next(root for root in deepest_first if is_inside(path, root))
        folder = _outermost_new(owner(path, root, plans), root, old)
        found.setdefault(folder, (root, []))[1].append(path)
    return tuple(_nested_joined(found))


def owner(
    path: PurePosixPath, root: PurePosixPath, plans: Iterable[PurePosixPath]
) -> PurePosixPath:
    """Return the record folder that a file would belong to.

    It is the nearest folder with a record.toml, else the file's own; `logs` and hidden folders
    belong to the folder that they are in.

    Args:
        path: the file.
        root: the folder of records that it is in.
        plans: the folders with a record.toml.
    """
    with_plan = set(plans)
    parents = [parent for parent in path.parents if is_inside(parent, root)]
    for parent in parents:
        if parent in with_plan:
            return parent
    for parent in reversed(parents):
        if parent != root and (parent.name == LOGS_NAME or parent.name.startswith(".")):
            return parent.parent
    return path.parent


def is_inside(path: PurePosixPath, folder: PurePosixPath) -> bool:
    """Return whether `path` is `folder` or below it."""
    return folder == PurePosixPath() or path == folder or folder in path.parents


def _content(blob: Blob | None) -> tuple[str, str] | None:
    return None if blob is None else (blob.mode, blob.object_id)


def _outermost_new(
    folder: PurePosixPath, root: PurePosixPath, old: set[PurePosixPath]
) -> PurePosixPath:
    new = [
        place
        for place in (folder, *folder.parents)
        if place != root and is_inside(place, root) and place not in old
    ]
    return new[-1] if new else folder


def _nested_joined(
    found: Mapping[PurePosixPath, tuple[PurePosixPath, list[PurePosixPath]]],
) -> Iterable[Submission]:
    """Join each submission with those inside it; the folder of all records holds no others."""
    outermost: list[PurePosixPath] = []
    joined: dict[PurePosixPath, list[PurePosixPath]] = {}
    for folder in sorted(found):
        changed = found[folder][1]
        outer = next((o for o in outermost if o != found[o][0] and is_inside(folder, o)), None)
        if outer is None:
            outermost.append(folder)
        joined.setdefault(folder if outer is None else outer, []).extend(changed)
    for folder in outermost:
        yield Submission(folder, found[folder][0], tuple(sorted(joined[folder])))
