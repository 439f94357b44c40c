"""What a branch does below the folders that hold records, by submission.

A submission is the outermost folder that the branch adds, or the record folder in which it changes
something that was there before.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import PurePosixPath

from speedcheck.gate.objects import Blob
from speedcheck.gate.tree import Tree, is_inside
from speedcheck.records.record_files import LOGS_NAME

_Change = tuple[PurePosixPath, PurePosixPath]
_Changes = dict[tuple[PurePosixPath, PurePosixPath], list[_Change]]


@dataclass(frozen=True, slots=True)
class Submission:
    """A folder in which the branch changes something.

    Attributes:
        folder: path of the folder inside the repository.
        root: the folder of records that it is in; it may be that folder itself.
        changed: the paths that the branch adds, changes or removes in it.
        owners: the record folders that these belong to, or did.
    """

    folder: PurePosixPath
    root: PurePosixPath
    changed: tuple[PurePosixPath, ...]
    owners: frozenset[PurePosixPath]


def submissions(
    before: Tree, after: Tree, roots: Iterable[PurePosixPath]
) -> tuple[Submission, ...]:
    """Return what differs between two trees, by submission, in the order of the folders."""
    deepest_first = sorted(roots, key=lambda root: len(root.parts), reverse=True)
    plans = before.plans | after.plans
    changes: dict[tuple[PurePosixPath, PurePosixPath], list[_Change]] = {}
    for path in {*before, *after}:
        if _content(before.get(path)) == _content(after.get(path)):
            continue
        root = next(root for root in deepest_first if is_inside(path, root))
        owned_by = owner(path, root, plans)
        folder = _outermost_new(owned_by, root, before)
        changes.setdefault((folder, root), []).append((path, owned_by))
    return tuple(
        Submission(
            folder,
            root,
            tuple(sorted(path for path, _ in found)),
            frozenset(owned_by for _, owned_by in found),
        )
        for (folder, root), found in _nested_joined(changes).items()
    )


def owner(
    path: PurePosixPath, root: PurePosixPath, plans: frozenset[PurePosixPath]
) -> PurePosixPath:
    """Return the record folder that a file would belong to.

    It is the nearest folder with a record.toml, else the file's own; `logs` and hidden folders
    belong to the folder that they are in.

    Args:
        path: the file.
        root: the folder of records that it is in.
        plans: the folders with a record.toml.
    """
    parents = [parent for parent in path.parents if is_inside(parent, root)]
    for parent in parents:
        if parent in plans:
            return parent
    for parent in reversed(parents):
        if parent != root and (parent.name == LOGS_NAME or parent.name.startswith(".")):
            return parent.parent
    return path.parent


def _content(blob: Blob | None) -> tuple[str, str] | None:
    return None if blob is None else (blob.mode, blob.object_id)


def _outermost_new(folder: PurePosixPath, root: PurePosixPath, before: Tree) -> PurePosixPath:
    new = [
        place
        for place in (folder, *folder.parents)
        if place != root and is_inside(place, root) and not before.below(place)
    ]
    return new[-1] if new else folder


def _nested_joined(changes: _Changes) -> _Changes:
    """Join each submission with those inside it; the folder of all records holds no others."""
    joined: _Changes = {}
    outer: tuple[PurePosixPath, PurePosixPath] | None = None
    # In this order a folder follows the one that it is in.
    for folder, root in sorted(changes):
        if outer is None or not is_inside(folder, outer[0]):
            joined[folder, root] = []
            outer = None if folder == root else (folder, root)
        joined[outer or (folder, root)] += changes[folder, root]
    return joined
