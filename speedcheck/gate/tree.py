"""The files of a commit, found by the folders that they are in."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from pathlib import PurePosixPath

from speedcheck.errors import InputError
from speedcheck.gate.git import Repository
from speedcheck.gate.objects import Blob
from speedcheck.records.record_toml import PLAN_NAME


class Tree(Mapping[PurePosixPath, Blob]):
    """The files of a commit by their paths.

    Args:
        blobs: the files.

    Attributes:
        plans: the folders that hold a record.toml.

    Raises:
        InputError: two files have one path.
    """

    def __init__(self, blobs: Iterable[Blob]) -> None:
        self._blobs: dict[PurePosixPath, Blob] = {}
        self._below: dict[PurePosixPath, list[PurePosixPath]] = defaultdict(list)
        self._documents: dict[PurePosixPath, list[PurePosixPath]] = defaultdict(list)
        for blob in blobs:
            if blob.path not in self._blobs:
                self._blobs[blob.path] = blob
                for parent in blob.path.parents:
                    self._below[parent].append(blob.path)
                if is_document(blob.path):
                    self._documents[blob.path.parent].append(blob.path)
            elif self._blobs[blob.path] != blob:
                # git itself makes no such tree.
                what = "two files of the commit have this path"
                raise InputError(what, where=str(blob.path), remedy="refuse it")
        self.plans = frozenset(path.parent for path in self._blobs if path.name == PLAN_NAME)

    def __getitem__(self, path: PurePosixPath) -> Blob:
        return self._blobs[path]

    def __iter__(self) -> Iterator[PurePosixPath]:
        return iter(self._blobs)

    def __len__(self) -> int:
        return len(self._blobs)

    def below(self, folder: PurePosixPath) -> tuple[PurePosixPath, ...]:
        """Return the files below a folder, whatever their depth."""
        return tuple(self._below.get(folder, ()))

    def objects(self, folder: PurePosixPath) -> frozenset[str]:
        """Return the objects of the files below a folder."""
        return frozenset(self._blobs[path].object_id for path in self.below(folder))

    def documents_above(self, folder: PurePosixPath) -> tuple[PurePosixPath, ...]:
        """Return the Markdown files that are directly in a folder around `folder`."""
        return tuple(path for parent in folder.parents for path in self._documents.get(parent, ()))


def read_tree(repository: Repository, commit: str, roots: Iterable[PurePosixPath]) -> Tree:
    """Return the files of a commit below `roots`.

    Raises:
        InputError: there are too many, git cannot list them, or two have one path.
    """
    return Tree(blob for root in roots for blob in repository.tree(commit, root))


def is_document(path: PurePosixPath) -> bool:
    """Return whether a file is Markdown, which may speak of the records below its folder."""
    return path.suffix.lower() == ".md"


def is_inside(path: PurePosixPath, folder: PurePosixPath) -> bool:
    """Return whether `path` is `folder` or below it."""
    return path.parts[: len(folder.parts)] == folder.parts
