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
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath
from typing import IO

from speedcheck.checks import codes
from speedcheck.errors import InputError, UsageError
from speedcheck.gate.git_environment import git_environment, git_program
from speedcheck.gate.objects import Blob, write_blob

# The largest public repository of records has some 2,000 files; a branch with more than this is
# not a submission.
MAX_ENTRIES = 50_000
# The longest path that Linux opens has 4 KiB.
_MAX_ENTRY_BYTES = 8 << 10
_READ_BYTES = 64 << 10

_FOLDER = "040000"


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
                f"is not in a git repository ({_said(error)})",
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

    def tree(self, commit: str, folder: PurePosixPath) -> tuple[Blob, ...]:
        """Return everything below `folder` in `commit`; empty where it does not exist.

        Raises:
            InputError: it is more than `MAX_ENTRIES`, or git cannot read a tree.
        """
        options = ("-r", "-l", "-z", "--full-tree")
        return tuple(map(_blob, self._entries(folder, "ls-tree", *options, commit)))

    def file(self, commit: str, path: PurePosixPath) -> Blob | None:
        """Return one file of a commit; None where it is not there, or is a folder.

        Raises:
            InputError: git cannot read the tree.
        """
        listed = self._listing("ls-tree", "-l", "-z", "--full-tree", commit, "--", f"./{path}")
        return next((blob for blob in map(_blob, listed) if blob.mode != _FOLDER), None)

    def has_folder(self, commit: str, folder: PurePosixPath) -> bool:
        """Return whether a commit has a folder; the root is one."""
        if folder == PurePosixPath():
            return True
        listed = self._listing("ls-tree", "-z", "--full-tree", commit, "--", f"./{folder}")
        return any(entry.startswith(_FOLDER.encode()) for entry in listed)

    def uncommitted(self, folder: PurePosixPath) -> tuple[PurePosixPath, ...]:
        """Return the files below `folder` that are new in the checkout or in its index.

        Tracked files that were edited since are not among them: git would run the filters of its
        configuration to compare them.
        """
        found: set[PurePosixPath] = set()
        for arguments in (
            ("ls-files", "--others", "--exclude-standard", "--full-name", "-z"),
            ("diff-index", "--cached", "--name-only", "--no-renames", "-z", "HEAD"),
        ):
            found.update(_inside(name) for name in self._entries(folder, *arguments))
        return tuple(sorted(found))

    def changed(self, before: str, after: str) -> Iterator[PurePosixPath]:
        """Yield the paths of all files that differ between two commits.

        Raises:
            InputError: they are more than `MAX_ENTRIES`, or git cannot compare the commits.
        """
        options = ("-r", "--name-only", "--no-renames", "-z")
        yield from map(_inside, self._listing("diff-tree", *options, before, after))

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
                    write_blob(batch, blob, destination)
                except (OSError, RuntimeError, ValueError) as error:
                    reason = getattr(error, "strerror", None) or str(error)
                    what = f"cannot be written here ({reason})"
                    remedy = "shorten its name, or take it out"
                    raise InputError(what, where=str(blob.path), remedy=remedy) from error

    def _entries(self, folder: PurePosixPath, *arguments: str) -> Iterator[bytes]:
        # "./": a path that begins with ":" would be magic.
        where = [] if folder == PurePosixPath() else [f"./{folder}/"]
        return self._listing(*arguments, "--", *where)

    def _listing(self, *arguments: str) -> Iterator[bytes]:
        """Yield what git lists, as it comes.

        Raises:
            InputError: it lists more than `MAX_ENTRIES`, or fails.
        """
        count = 0
        with self._process(*arguments) as process:
            for entry in _records(process.stdout):
                count += 1
                if count > MAX_ENTRIES:
                    what = f"{codes.TOO_MANY_FILES}: more than {MAX_ENTRIES:,} files"
                    raise InputError(what, remedy="split the submission")
                yield entry
            if process.wait():
                remedy = "look at the commit with `git fsck`"
                raise InputError("git cannot list the files of a commit", remedy=remedy)

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
    """Yield the bytes before each NUL byte."""
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
    if inside.is_absolute() or any(part.lower() in ("..", ".git") for part in inside.parts):
        # git itself makes no such tree; a forged one must not write outside the export.
        raise InputError("a path leaves the repository", where=str(inside), remedy="refuse it")
    return inside


def _close(pipe: IO[bytes]) -> None:
    # git may have ended before it read everything.
    with suppress(BrokenPipeError):
        pipe.close()
