"""Where a log comes from: the program's text, its git state, the host and its GPUs."""

from __future__ import annotations

import hashlib
import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TypedDict

PACKAGE = Path(__file__).resolve().parents[1]

# No run executes these: they make, fetch and check shards, study the tiny corpus, time the step,
# look at the machine.
TOOLS = frozenset(
    {
        "bench.py",
        "survey.py",
        "data/corpus/entropy.py",
        *(
            f"data/fineweb/{name}.py"
            for name in (
                *("__main__", "check", "documents", "encode", "extras", "fetch", "hub"),
                *("ranks", "synth", "tokenize"),
            )
        ),
    }
)


class GitState(TypedDict):
    """The commit that is checked out, and whether the tree holds nothing else."""

    commit: str
    clean: bool


class Host(TypedDict):
    """The machine; `id` tells two apart without naming either."""

    id: str
    cores: int
    cpu: str
    os: str


class Gpu(TypedDict):
    """One GPU as nvidia-smi calls it."""

    name: str
    driver: str


def program_text(package: Path = PACKAGE) -> str:
    """The source files of the package in the order of their paths, each behind a comment line.

    Without the `TOOLS`, which a reader of a log need not look at.
    """
    parts = []
    for path in sorted(package.rglob("*.py")):
        if path.relative_to(package).as_posix() in TOOLS:
            continue
        name = path.relative_to(package.parent).as_posix()
        parts.append(f"# file: {name}\n{path.read_text(encoding='utf-8').rstrip()}\n")
    return "\n".join(parts)


def sha256(text: str) -> str:
    """Hexadecimal digest of the text's UTF-8 bytes."""
    return hashlib.sha256(text.encode()).hexdigest()


def git_state(package: Path = PACKAGE) -> GitState | None:
    """The state of the repository that tracks the package; None where none does.

    Records and data are left out: writing them is what a run is for.
    """
    commit = _output("git", "-C", str(package), "rev-parse", "HEAD")
    tracked = _output("git", "-C", str(package), "ls-files", "--error-unmatch", "__init__.py")
    if not commit or not tracked:
        return None
    changes = _output(
        *("git", "-C", str(package), "status", "--porcelain", "--", ":/"),
        *(":(top,exclude)records", ":(top,exclude)data"),
    )
    return GitState(commit=commit.strip(), clean=changes == "")


def host() -> Host:
    """This machine."""
    machine_id = _first_line(Path("/etc/machine-id"))
    return Host(
        id=sha256(platform.node() + machine_id)[:12],
        cores=os.cpu_count() or 1,
        cpu=_cpu_name(),
        os=platform.system(),
    )


def gpus() -> list[Gpu]:
    """All NVIDIA GPUs of this machine; empty where nvidia-smi is missing or fails."""
    table = nvidia_smi("--query-gpu=name,driver_version", "--format=csv,noheader")
    rows = [line.rsplit(",", 1) for line in table.splitlines()]
    return [Gpu(name=row[0].strip(), driver=row[1].strip()) for row in rows if len(row) == 2]


def nvidia_smi(*arguments: str) -> str:
    """What nvidia-smi prints; "" where it is missing or fails."""
    return _output("nvidia-smi", *arguments) or ""


def python_version() -> str:
    """`sys.version` on one line."""
    return " ".join(sys.version.split())


def _output(program: str, *arguments: str) -> str | None:
    """Standard output of a program; None where it is not installed or fails."""
    path = shutil.which(program)
    if path is None:
        return None
    done = subprocess.run([path, *arguments], capture_output=True, text=True, check=False)
    return done.stdout if done.returncode == 0 else None


def _first_line(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").partition("\n")[0]
    except OSError:
        return ""


def _cpu_name() -> str:
    """The model name that Linux tells; elsewhere what Python knows."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()
