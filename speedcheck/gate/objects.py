"""Git's objects as files: never through a link, and never two of one name."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from speedcheck.errors import InputError
from speedcheck.records.record_files import MAX_FILE_BYTES

_LINK = "120000"
_SUBMODULE = "160000"


@dataclass(frozen=True, slots=True)
class Blob:
    """One entry of a commit's tree.

    Attributes:
        path: path inside the repository.
        mode: git's mode, such as "100644", or "120000" for a link.
        object_id: the object's name.
        size: bytes; 0 for a submodule.
    """

    path: PurePosixPath
    mode: str
    object_id: str
    size: int

    @property
    def is_link(self) -> bool:
        """Return whether it is a symbolic link."""
        return self.mode == _LINK

    @property
    def is_submodule(self) -> bool:
        """Return whether it is a commit of another repository."""
        return self.mode == _SUBMODULE


def write_blob(batch: subprocess.Popen[bytes], blob: Blob, destination: Path) -> None:
    """Write a blob below `destination` under its path in the repository.

    Args:
        batch: `git cat-file --batch`, with pipes.
        blob: the blob.
        destination: the folder.

    Raises:
        InputError: git cannot give it, or it would be written through a link.
        OSError: it cannot be written.
    """
    target = destination / blob.path
    if not target.parent.resolve().is_relative_to(destination.resolve()):
        # A forged tree can hold a link and a folder of one name.
        raise InputError("is below a link", where=str(blob.path), remedy="refuse it")
    target.parent.mkdir(parents=True, exist_ok=True)
    if blob.is_submodule:
        target.mkdir(exist_ok=True)
    elif blob.is_link:
        target.symlink_to(os.fsdecode(_read(batch, blob)))
    elif blob.size > MAX_FILE_BYTES:
        with target.open("xb") as file:
            file.truncate(blob.size)
    else:
        # "x": of two entries of one name the second must not go through a link of that name.
        with target.open("xb") as file:
            file.write(_read(batch, blob))


def _read(batch: subprocess.Popen[bytes], blob: Blob) -> bytes:
    """Read one object; `git cat-file --batch` answers each name with a head line and the bytes."""
    if batch.stdin is None or batch.stdout is None:
        raise InputError("git cat-file has no pipes")
    batch.stdin.write(blob.object_id.encode() + b"\n")
    batch.stdin.flush()
    head = batch.stdout.readline().split()
    if len(head) != 3 or head[1:] != [b"blob", str(blob.size).encode()]:
        raise InputError("git does not have this file", where=str(blob.path), remedy="fetch it")
    data = batch.stdout.read(blob.size)
    batch.stdout.read(1)
    return data
