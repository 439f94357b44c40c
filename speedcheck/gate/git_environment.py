"""The program and the environment that git runs in: nothing that the checkout brings.

Variables such as GIT_DIR, GIT_EXTERNAL_DIFF or GIT_CONFIG_COUNT would make git read another
repository or run a program, and an entry of PATH that is not absolute would find a `git` that the
branch brings.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from speedcheck.errors import InputError


def git_program(folder: Path) -> str:
    """Return the path of git, found outside of the checkout that `folder` is in.

    Raises:
        InputError: git is not installed.
    """
    found = shutil.which("git", path=os.pathsep.join(_places(folder)))
    if found is None:
        raise InputError("git is not installed", remedy="install git")
    return found


def git_environment() -> dict[str, str]:
    """Return the variables for git: the caller's without GIT_*, and objects as they are."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    return kept | {
        # An object of refs/replace would be read in place of the commit's.
        "GIT_NO_REPLACE_OBJECTS": "1",
        "GIT_OPTIONAL_LOCKS": "0",
        "GIT_TERMINAL_PROMPT": "0",
        "LC_ALL": "C",
    }


def _places(folder: Path) -> list[str]:
    """Return the absolute entries of PATH that are not in the checkout around `folder`."""
    around = (folder, *folder.parents)
    checkout = next((place for place in around if (place / ".git").exists()), folder)
    entries = [Path(entry) for entry in os.get_exec_path() if Path(entry).is_absolute()]
    return [str(e) for e in entries if not e.resolve().is_relative_to(checkout)]
