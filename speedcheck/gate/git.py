"""What the gate asks of git: commits, changed paths, and files out of a commit.

Files are read as git's objects. A checkout would run the filters and a `git archive` obey the
attributes that the branch itself brings, and so show the gate something else than the branch.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from speedcheck.errors import InputError, UsageError
from speedcheck.records.files import MAX_FILE_BYTES

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


class Repository:
    """A git repository, read only.

    Args:
        folder: a folder inside it.

    Raises:
        InputError: git is not installed, or the folder is in no repository.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        try:
            self.root = Path(os.fsdecode(self._git("rev-parse", "--show-toplevel").rstrip(b"\n")))
        except FileNotFoundError as error:
            raise InputError("git is not installed", remedy="install git") from error
        except subprocess.CalledProcessError as error:
            # git may also refuse a clone that belongs to somebody else, and says so.
            said = error.stderr.decode(errors="replace").strip().partition("\n")[0]
            raise InputError(
                f"is in no git repository ({said})",
                where=str(folder),
                remedy="run the gate in a clone",
            ) from error

    def commit(self, ref: str) -> str:
        """Return the commit that `ref` names.

        Raises:
            UsageError: it names none.
        """
        try:
            found = self._git("rev-parse", "--verify", "--end-of-options", f"{ref}^{{commit}}")
        except (subprocess.CalledProcessError, ValueError) as error:
            raise UsageError(
                f"git knows no commit {ref!r}", remedy="fetch it (in CI: fetch-depth: 0)"
            ) from error
        return found.decode().strip()

    def merge_base(self, base: str, head: str) -> str:
        """Return the commit where `head` left `base`.

        Raises:
            UsageError: they have no common history, or it was not fetched.
        """
        try:
            return self._git("merge-base", base, head).decode().strip()
        except subprocess.CalledProcessError as error:
            raise UsageError(
                "base and head have no common commit here",
                remedy="fetch the whole history (in CI: fetch-depth: 0)",
            ) from error

    def changed(self, base: str, head: str) -> tuple[PurePosixPath, ...]:
        """Return the paths that differ between two commits, in order; a move is two of them."""
        names = self._git("diff-tree", "-r", "-z", "--name-only", "--no-renames", base, head)
        return tuple(PurePosixPath(os.fsdecode(name)) for name in names.split(b"\0") if name)

    def tree(self, commit: str, folder: PurePosixPath) -> tuple[Blob, ...]:
        """Return everything below `folder` in `commit`; empty where it does not exist."""
        # "./": a path of git's own that begins with ":" would be magic.
        where = [] if folder == PurePosixPath() else [f"./{folder}/"]
        listing = self._git(
            "ls-tree", "-r", "-l", "-z", "--full-tree", commit, "--", *where, literal=True
        )
        return tuple(_blob(entry) for entry in listing.split(b"\0") if entry)

    def export(self, blobs: Iterable[Blob], destination: Path) -> None:
        """Write blobs below `destination` under their paths in the repository.

        Links are written as links, for the reader to refuse. A file that is too large to be read
        is written as a hole of its size, which the reader refuses by the size alone.

        Raises:
            InputError: git cannot give a file, or it cannot be written here.
        """
        with _batch(self._command("cat-file", "--batch"), self._folder) as batch:
            for blob in blobs:
                try:
                    _write(batch, blob, destination)
                except OSError as error:
                    what = f"cannot be written here ({error.strerror})"
                    remedy = "shorten its name, or take it out"
                    raise InputError(what, where=str(blob.path), remedy=remedy) from error

    def _command(self, *arguments: str, literal: bool = False) -> list[str]:
        options = ["--literal-pathspecs"] if literal else []
        return ["git", "--no-pager", *options, *arguments]

    def _git(self, *arguments: str, literal: bool = False) -> bytes:
        done = subprocess.run(
            self._command(*arguments, literal=literal),
            cwd=self._folder,
            capture_output=True,
            check=True,
        )
        return done.stdout


def _blob(entry: bytes) -> Blob:
    head, _, path = entry.partition(b"\t")
    mode, _, object_id, size = head.decode().split()
    inside = PurePosixPath(os.fsdecode(path))
    if inside.is_absolute() or ".." in inside.parts:
        # git itself makes no such tree; a forged one must not write outside the export.
        raise InputError("a path leaves the repository", where=str(inside), remedy="refuse it")
    return Blob(inside, mode, object_id, 0 if size == "-" else int(size))


def _batch(command: list[str], folder: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen(command, cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE)


def _write(batch: subprocess.Popen[bytes], blob: Blob, destination: Path) -> None:
    target = destination / blob.path
    if not target.parent.resolve().is_relative_to(destination.resolve()):
        # A forged tree can hold a link and a folder of one name.
        raise InputError("stands below a link", where=str(blob.path), remedy="refuse it")
    target.parent.mkdir(parents=True, exist_ok=True)
    if blob.mode == _SUBMODULE:
        target.mkdir(exist_ok=True)
    elif blob.mode == _LINK:
        target.symlink_to(os.fsdecode(_read(batch, blob)))
    elif blob.size > MAX_FILE_BYTES:
        with target.open("wb") as file:
            file.truncate(blob.size)
    else:
        target.write_bytes(_read(batch, blob))


def _read(batch: subprocess.Popen[bytes], blob: Blob) -> bytes:
    """Read one object; `git cat-file --batch` answers each name with a head line and the bytes."""
    if batch.stdin is None or batch.stdout is None:
        raise InputError("git cat-file has no pipes")
    batch.stdin.write(blob.object_id.encode() + b"\n")
    batch.stdin.flush()
    head = batch.stdout.readline().split()
    if len(head) != 3:
        raise InputError("git does not have this file", where=str(blob.path), remedy="fetch it")
    data = batch.stdout.read(int(head[2]))
    batch.stdout.read(1)
    return data
