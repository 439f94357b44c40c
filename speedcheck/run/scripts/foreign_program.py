"""A foreign trainer as it was typed, and its way into a record folder."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from speedcheck.errors import InputError, LaunchError, RecordError, UsageError
from speedcheck.records.script_table import PROGRAM_NAME, Script, program_sha256
from speedcheck.run.launchers.conditions import gpus

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_NOT_COPIED = shutil.ignore_patterns("__pycache__")


@dataclass(frozen=True, slots=True)
class Start:
    """How a foreign trainer is started.

    Attributes:
        gpus: GPUs, each with a process of torchrun; None for all that nvidia-smi names, 0 for
            plain Python on the CPU.
        ranks: processes of torchrun on the CPU; None for none.
        seed_env: the environment variable that carries the seed.
        seed_arg: the option that carries it.

    Raises:
        UsageError: a value cannot be used, or two contradict each other.
    """

    gpus: int | None = None
    ranks: int | None = None
    seed_env: str | None = None
    seed_arg: str | None = None

    def __post_init__(self) -> None:
        if self.gpus is not None and self.gpus < 0:
            raise UsageError(f"--gpus is {self.gpus}", remedy="give a whole number from 0")
        if self.ranks is not None and self.ranks < 1:
            raise UsageError(f"--ranks is {self.ranks}", remedy="give a whole number from 1")
        if self.gpus and self.ranks:
            remedy = "give --gpus for a run on GPUs, --ranks for one on the CPU"
            raise UsageError("--gpus and --ranks contradict each other", remedy=remedy)
        if self.seed_env is not None and self.seed_arg is not None:
            remedy = "name the one way in which the script takes its seed"
            raise UsageError("--seed-env and --seed-arg are both given", remedy=remedy)
        if self.seed_env is not None and not _VARIABLE.fullmatch(self.seed_env):
            remedy = "give the name of an environment variable, such as SEED"
            raise UsageError(f"--seed-env is {self.seed_env!r}", remedy=remedy)
        if self.seed_arg is not None and not self.seed_arg.startswith("-"):
            remedy = "give an option of the script, such as --seed"
            raise UsageError(f"--seed-arg is {self.seed_arg!r}", remedy=remedy)

    def by_option(self) -> dict[str, object]:
        """Return the values by their options; None where one was not given."""
        return {
            "--gpus": self.gpus,
            "--ranks": self.ranks,
            "--seed-env": self.seed_env,
            "--seed-arg": self.seed_arg,
        }

    def processes(self) -> tuple[int, int]:
        """Return the numbers of GPUs and of processes under torchrun; 0 for plain Python."""
        if self.ranks is not None:
            return 0, self.ranks
        found = len(gpus()) if self.gpus is None else self.gpus
        return found, found


def check_machine(gpus_used: int, ranks: int) -> None:
    """Refuse a start that this machine cannot make.

    Raises:
        LaunchError: torchrun or a GPU is missing.
    """
    if ranks and importlib.util.find_spec("torch") is None:
        remedy = "pip install torch beside speedcheck, or run on plain Python with --gpus 0"
        raise LaunchError("torchrun needs PyTorch, which is not installed", remedy=remedy)
    available = len(gpus()) if gpus_used else 0
    if gpus_used > available:
        what = f"a run takes {gpus_used} GPUs, and nvidia-smi names {available}"
        remedy = "give fewer, or --ranks N for processes on the CPU"
        raise LaunchError(what, where="--gpus", remedy=remedy)


def check_script(path: Path) -> Path:
    """Return the script if it can be run.

    Raises:
        InputError: it is missing, a folder, or not a regular file.
    """
    if path.is_file():
        return path
    if path.is_dir():
        what, remedy = "is a folder", "name the script in it, such as train_gpt.py"
    else:
        what = "is not a regular file" if path.exists() else "does not exist"
        remedy = "name a Python script"
    raise InputError(f"the script {what}", where=str(path), remedy=remedy)


def put_program(
    program: Path,
    folder: Path,
    start: Start,
    *,
    arguments: tuple[str, ...] = (),
    beside: Path | None = None,
) -> Script:
    """Copy a program into a record folder, and return what record.toml says of it.

    All runs of the record train this copy, whatever becomes of the original.

    Args:
        program: a script, or the folder of a package.
        folder: the record folder.
        start: how it is started.
        arguments: the words that are typed after it.
        beside: the folder whose files it finds beside it; its own unless given.

    Raises:
        RecordError: it cannot be copied.
    """
    copy = folder / PROGRAM_NAME / program.name
    is_package = program.is_dir()
    try:
        copy.parent.mkdir(parents=True, exist_ok=True)
        if is_package:
            shutil.copytree(program, copy, ignore=_NOT_COPIED)
        else:
            shutil.copyfile(program, copy)
        sha256 = program_sha256(copy)
    except OSError as error:
        what = f"the program cannot be copied ({error.strerror or error})"
        raise RecordError(what, where=str(copy), remedy="check both, or free some space") from error
    gpus_used, ranks = start.processes()
    return Script(
        file=copy.relative_to(folder).as_posix(),
        sha256=sha256,
        beside=_relative(beside or program.parent, folder),
        arguments=arguments,
        gpus=gpus_used,
        ranks=ranks,
        seed_env=start.seed_env,
        seed_arg=start.seed_arg,
        is_package=is_package,
    )


def is_changed(folder: Path, script: Script) -> bool:
    """Return whether the program that was copied into a record is another one by now.

    Args:
        folder: the record folder.
        script: what its record.toml says of the program.
    """
    try:
        return program_sha256(folder / script.beside / script.name) != script.sha256
    except OSError:  # gone, or never there: a challenge runs a program out of logs
        return False


def _relative(target: Path, folder: Path) -> str:
    return Path(os.path.relpath(target.resolve(), folder.resolve())).as_posix()
