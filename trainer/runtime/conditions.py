"""Under which conditions a run is made: its command, its environment, the compile cache.

They can change a run's time and its last digits, and the program's text does not show them.
"""

from __future__ import annotations

import getpass
import os
import re
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal, TypedDict

VARIABLES = re.compile(r"(?:TORCH(?:INDUCTOR|DYNAMO)?|PYTORCH|NCCL|CUDA|TRITON)_")
"""How the names of the environment variables begin that go into the log; no other ones do."""


class Conditions(TypedDict):
    """What the log says of the conditions of a run.

    `argv` are the words of this process, with "python" for the path of the interpreter;
    `environment` is empty where none of the `VARIABLES` is set.
    """

    argv: list[str]
    environment: dict[str, str]
    compile_cache: Literal["cold", "warm"]


def conditions(variables: Mapping[str, str]) -> Conditions:
    """The conditions of a run that is about to start in this process.

    Args:
        variables: the environment that the process started with, before PyTorch added to it.
    """
    return Conditions(
        argv=command(sys.orig_argv),
        environment=logged_variables(variables),
        compile_cache=compile_cache(variables),
    )


def command(words: Sequence[str]) -> list[str]:
    """The words that started a Python process, without the path of the interpreter."""
    return ["python", *map(_readable, words[1:])]


def logged_variables(variables: Mapping[str, str]) -> dict[str, str]:
    """The environment variables that can change a run."""
    return {name: _readable(variables[name]) for name in sorted(variables) if VARIABLES.match(name)}


def compile_cache(variables: Mapping[str, str]) -> Literal["cold", "warm"]:
    """Whether PyTorch's or Triton's compiler has left anything to be used again."""
    folders = (
        variables.get("TORCHINDUCTOR_CACHE_DIR")
        or Path(tempfile.gettempdir()) / f"torchinductor_{_user()}",
        variables.get("TRITON_CACHE_DIR") or Path.home() / ".triton" / "cache",
    )
    return "warm" if any(_has_entries(Path(folder)) for folder in folders) else "cold"


def _readable(text: str) -> str:
    """The text, with bytes that are not UTF-8 shown as escapes."""
    return text.encode("utf-8", "backslashreplace").decode()


def _has_entries(folder: Path) -> bool:
    try:
        return any(folder.iterdir())
    except OSError:
        return False


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())
