"""What the gate asks of git: commits, changed paths, and files out of a commit.

Files are read as git's objects. A checkout would run the filters and a `git archive` obey the
attributes that the branch itself brings, and so show the gate something else than the branch.

Trees come from strangers: a repository of some hundred KB can hold a million entries, and a tree
can be forged. Listings are read as git prints them, and git is stopped where they become too long.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO

from speedcheck.errors import InputError, UsageError
from speedcheck.gate.environment import git_environment, git_program
from speedcheck.records.files import MAX_FILE_BYTES

# The largest public repository of records has some 2,000 files; a branch with more than this is
# not a submission.
MAX_ENTRIES = 50_000
# The longest path that Linux opens has 4 KiB.
_MAX_ENTRY_BYTES = 8 << 10
_READ_BYTES = 64 << 10

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


class Repository:
    """A git repository, read only.

    Args:
        folder: a folder inside it.

    Raises:
        InputError: git is not installed, or the folder is not in a repository.
    """

    def __init__(self, folder: Path) -> None:
        self.root = folder.resolve()
        self._program = git_program(self.root)
        try:
            self.root = Path(os.fsdecode(self._git("rev-parse", "--show-toplevel").rstrip(b"\n")))
        except (subprocess.CalledProcessError, OSError) as error:
            # git may also refuse a clone that belongs to somebody else, and says so.
            raise InputError(
                f"is in no git repository ({_said(error)})",
                where=str(folder),
                remedy="run the gate in a clone",
            ) from error

    def commit(self, ref: str) -> str:
        """Return the commit that `ref` names.

        Raises:
            UsageError: it does not name one.
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

    def changed(
        self, base: str, head: str, folder: PurePosixPath = PurePosixPath()
    ) -> tuple[PurePosixPath, ...]:
        """Return the paths below `folder` that differ between two commits; a move is two of them.

        Raises:
            InputError: there are more than `MAX_ENTRIES`, or git cannot read a tree.
        """
        options = ("-r", "-z", "--name-only", "--no-renames")
        names = self._entries(folder, "diff-tree", *options, base, head)
        return tuple(_inside(name) for name in names)

    def tree(self, commit: str, folder: PurePosixPath) -> tuple[Blob, ...]:
        """Return everything below `folder` in `commit`; empty where it does not exist.

        Raises:
            InputError: it is more than `MAX_ENTRIES`, or git cannot read a tree.
        """
        options = ("-r", "-l", "-z", "--full-tree")
        return tuple(map(_blob, self._entries(folder, "ls-tree", *options, commit)))

    def uncommitted(self, folder: PurePosixPath) -> tuple[PurePosixPath, ...]:
        """Return the files below `folder` that the checkout has otherwise than its commit.

        Files are compared by what git noted of them and not by their content, which a filter
        could change, so a file that was only touched is among them.
        """
        found: set[PurePosixPath] = set()
        for arguments in (
            ("ls-files", "--others", "--exclude-standard", "--full-name", "-z"),
            ("diff-files", "--name-only", "-z"),
            ("diff-index", "--cached", "--name-only", "--no-renames", "-z", "HEAD"),
        ):
            found.update(_inside(name) for name in self._entries(folder, *arguments))
        return tuple(sorted(found))

    def export(self, blobs: Iterable[Blob], destination: Path) -> None:
        """Write blobs below `destination` under their paths in the repository.

        Links are written as links, for the reader to refuse. A file that is too large to be read
        is written as a hole of its size, which the reader refuses by the size alone.

        Raises:
            InputError: git cannot give a file, or it cannot be written here.
        """
        with self._process("cat-file", "--batch") as batch:
            for blob in blobs:
                try:
                    _write(batch, blob, destination)
                except (OSError, RuntimeError, ValueError) as error:
                    reason = getattr(error, "strerror", None) or str(error)
                    what = f"cannot be written here ({reason})"
                    remedy = "shorten its name, or take it out"
                    raise InputError(what, where=str(blob.path), remedy=remedy) from error

    def _entries(self, folder: PurePosixPath, *arguments: str) -> Iterator[bytes]:
        """Yield what git lists below `folder`, as it comes.

        Raises:
            InputError: it lists more than `MAX_ENTRIES`, or fails.
        """
        # "./": a path that begins with ":" would be magic.
        where = [] if folder == PurePosixPath() else [f"./{folder}/"]
        count = 0
        with self._process(*arguments, "--", *where) as process:
            for entry in _records(process.stdout):
                count += 1
                if count > MAX_ENTRIES:
                    raise InputError(
                        f"more than {MAX_ENTRIES:,} files",
                        where="" if folder == PurePosixPath() else str(folder),
                        remedy="split the submission",
                    )
                yield entry
            if process.wait():
                remedy = "look at the commit with `git fsck`"
                raise InputError("git cannot list the files", where=str(folder), remedy=remedy)

    @contextmanager
    def _process(self, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
        """Run git with pipes, and end it whatever happens."""
        process = subprocess.Popen(
            self._command(*arguments),
            cwd=self.root,
            env=git_environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        try:
            yield process
        finally:
            process.kill()
            for pipe in (process.stdin, process.stdout):
                if pipe is not None:
                    _close(pipe)
            process.wait()

    def _command(self, *arguments: str) -> list[str]:
        # Neither a monitor nor a hook of the configuration runs, and a bare repository that the
        # branch brings as ordinary files is not taken for one.
        return [
            self._program,
            "--no-pager",
            "--literal-pathspecs",
            *("-c", "core.fsmonitor=false"),
            *("-c", f"core.hooksPath={os.devnull}"),
            *("-c", "safe.bareRepository=explicit"),
            *arguments,
        ]

    def _git(self, *arguments: str) -> bytes:
        done = subprocess.run(
            self._command(*arguments),
            cwd=self.root,
            env=git_environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=True,
        )
        return done.stdout


def _said(error: subprocess.CalledProcessError | OSError) -> str:
    if isinstance(error, OSError):
        return error.strerror or str(error)
    text: str = error.stderr.decode(errors="replace")
    return text.strip().partition("\n")[0]


def _records(pipe: IO[bytes] | None) -> Iterator[bytes]:
    """Yield what stands before each NUL byte."""
    if pipe is None:
        raise InputError("git has no pipes")
    rest = b""
    while chunk := pipe.read1(_READ_BYTES):  # type: ignore[attr-defined]
        *whole, rest = (rest + chunk).split(b"\0")
        yield from (entry for entry in whole if entry)
        if len(rest) > _MAX_ENTRY_BYTES:
            raise InputError("a path is too long", remedy="shorten it")


def _blob(entry: bytes) -> Blob:
    head, _, path = entry.partition(b"\t")
    mode, _, object_id, size = head.decode().split()
    return Blob(_inside(path), mode, object_id, int(size) if size.isdigit() else 0)


def _inside(path: bytes) -> PurePosixPath:
    inside = PurePosixPath(os.fsdecode(path))
    if inside.is_absolute() or ".." in inside.parts:
        # git itself makes no such tree; a forged one must not write outside the export.
        raise InputError("a path leaves the repository", where=str(inside), remedy="refuse it")
    return inside


def _write(batch: subprocess.Popen[bytes], blob: Blob, destination: Path) -> None:
    target = destination / blob.path
    if not target.parent.resolve().is_relative_to(destination.resolve()):
        # A forged tree can hold a link and a folder of one name.
        raise InputError("stands below a link", where=str(blob.path), remedy="refuse it")
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


def _close(pipe: IO[bytes]) -> None:
    try:
        pipe.close()
    except BrokenPipeError:
        # git ended before it read everything.
        pass
