"""What record.toml says of a foreign trainer, under [script]: the program and how it is started."""

from __future__ import annotations

import hashlib
import re
import shlex
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from speedcheck import toml
from speedcheck.errors import InputError, RecordError

PROGRAM_NAME = "program"
"""The folder of a record that holds its program."""

_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Script:
    """A foreign trainer: a program that is run as it is.

    Attributes:
        file: the program's path inside the record folder, with "/"; a folder where it is a package.
        sha256: SHA-256 of the program (`program_sha256`).
        beside: the folder whose files the program finds beside it, from the record folder.
        arguments: the words that are typed after it.
        gpus: number of GPUs; 0 for a run on the CPU.
        ranks: number of processes that torchrun starts; 0 for plain Python.
        seed_env: the environment variable that carries the seed.
        seed_arg: the option that carries it; both None where the program gets no seed.
        is_package: whether it is run as `python -m NAME`.
    """

    file: str
    sha256: str
    beside: str
    arguments: tuple[str, ...] = ()
    gpus: int = 0
    ranks: int = 0
    seed_env: str | None = None
    seed_arg: str | None = None
    is_package: bool = False

    @property
    def name(self) -> str:
        """Return the program's name."""
        return PurePosixPath(self.file).name

    @property
    def is_seeded(self) -> bool:
        """Return whether the program gets the seed."""
        return self.seed_env is not None or self.seed_arg is not None

    def command(self, runs: tuple[str, ...]) -> str:
        """Return the command line that makes the same record.

        Args:
            runs: the options that say how many runs it has.
        """
        where = (
            ("--gpus", str(self.gpus))
            if not self.ranks or self.gpus
            else ("--ranks", str(self.ranks))
        )
        env = ("--seed-env", self.seed_env) if self.seed_env else ()
        arg = (f"--seed-arg={self.seed_arg}",) if self.seed_arg else ()
        words = ("speedcheck", "run", "--script", self.file, *where, *env, *arg)
        arguments = ("--", *self.arguments) if self.arguments else ()
        return shlex.join((*words, *runs, *arguments))

    def table(self) -> dict[str, Any]:
        """Return the table as it is written to record.toml."""
        fields = asdict(self) | {"arguments": list(self.arguments)}
        return {key: value for key, value in fields.items() if value not in (None, [], False)}


def read_script(table: toml.Table | None) -> Script | None:
    """Read the table [script] of record.toml.

    Raises:
        InputError: a key is unknown or missing, or a value is not what it should be.
    """
    if table is None:
        return None
    table.refuse_unknown(tuple(Script.__dataclass_fields__))
    words = toml.tuple_of(_word)
    file = table.get("file", _inside, "a path inside the record folder")
    sha256 = table.get("sha256", _sha256, "a SHA-256 in hexadecimal digits")
    if file is None or sha256 is None:
        raise InputError("file or sha256 is missing", where=table.where, remedy="give both")
    return Script(
        file=file,
        sha256=sha256,
        beside=table.get("beside", toml.text, "a folder") or ".",
        arguments=table.get("arguments", words, "a list of words") or (),
        gpus=table.get("gpus", toml.whole, "a whole number from 0") or 0,
        ranks=table.get("ranks", toml.whole, "a whole number from 0") or 0,
        seed_env=table.get("seed_env", toml.text, "the name of a variable"),
        seed_arg=table.get("seed_arg", toml.text, "an option such as --seed"),
        is_package=table.get("is_package", toml.truth, "true or false") or False,
    )


def program_of(folder: Path, script: Script) -> Path:
    """Return the program of a record; it must be the one that record.toml names.

    Raises:
        RecordError: the program is gone, or is another one.
    """
    path = folder / script.file
    remedy = "restore it, or start another record"
    try:
        found = program_sha256(path)
    except OSError as error:
        what = f"the record's program cannot be read ({error.strerror})"
        raise RecordError(what, where=str(path), remedy=remedy) from error
    if found != script.sha256:
        what = "the program is not the one that the record was started with"
        raise RecordError(what, where=str(path), remedy=remedy)
    return path


def program_sha256(path: Path) -> str:
    """Return the SHA-256 of a program: of its bytes, or of the digests of a package's files.

    Raises:
        OSError: a file cannot be read.
    """
    if not path.is_dir():
        return hashlib.sha256(path.read_bytes()).hexdigest()
    files = sorted(path.rglob("*.py"))
    lines = (f"{program_sha256(file)}  {file.relative_to(path).as_posix()}\n" for file in files)
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def has_no_link(folder: Path, file: str) -> bool:
    """Return whether a program is regular files of the folder alone: a link may lead anywhere.

    Args:
        folder: the record folder.
        file: the program's path inside it; a folder where it is a package.
    """
    path, real = folder / file, folder.resolve()
    if path.resolve() != real / file:
        return False
    files = path.rglob("*.py") if path.is_dir() else [path]
    return all(one.is_file() and not one.is_symlink() for one in files)


def _word(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


def _sha256(value: Any) -> str:
    if not _SHA256.fullmatch(toml.text(value)):
        raise ValueError
    return toml.text(value)


def _inside(value: Any) -> str:
    """Read a path that does not lead out of the record folder: a record may be a stranger's."""
    path = PurePosixPath(toml.text(value))
    if path.is_absolute() or ".." in path.parts:
        raise ValueError
    return str(path)
