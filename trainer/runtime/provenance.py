"""Where a log comes from: the program's text, its git state, the host and its GPUs."""

from __future__ import annotations

import hashlib
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Mapping
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
    """One GPU as nvidia-smi calls it; a figure that the card does not tell is None."""

    index: int | float | None
    id: str
    name: str
    driver: str
    power_limit_w: int | float | None
    sm_clock_mhz: int | float | None
    max_sm_clock_mhz: int | float | None
    memory_clock_mhz: int | float | None


# What nvidia-smi calls the keys of `Gpu`; the name is last, since it may hold a comma.
_COLUMNS = {
    "index": "index",
    "id": "uuid",
    "driver": "driver_version",
    "power_limit_w": "power.limit",
    "sm_clock_mhz": "clocks.sm",
    "max_sm_clock_mhz": "clocks.max.sm",
    "memory_clock_mhz": "clocks.mem",
    "name": "name",
}
# An nvidia-smi that waits for a lost GPU must not keep the run waiting.
_SECONDS = 10.0


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
    """All NVIDIA GPUs of this machine; empty where nvidia-smi is missing, fails or hangs."""
    asked = ",".join(_COLUMNS.values())
    table = nvidia_smi(f"--query-gpu={asked}", "--format=csv,noheader,nounits")
    rows = [line.split(", ", len(_COLUMNS) - 1) for line in table.splitlines()]
    return [
        _gpu(dict(zip(_COLUMNS, row, strict=True))) for row in rows if len(row) == len(_COLUMNS)
    ]


def _gpu(cells: Mapping[str, str]) -> Gpu:
    return Gpu(
        index=_figure(cells["index"]),
        id=cells["id"],
        name=cells["name"].strip(),
        driver=cells["driver"],
        power_limit_w=_figure(cells["power_limit_w"]),
        sm_clock_mhz=_figure(cells["sm_clock_mhz"]),
        max_sm_clock_mhz=_figure(cells["max_sm_clock_mhz"]),
        memory_clock_mhz=_figure(cells["memory_clock_mhz"]),
    )


def _figure(cell: str) -> int | float | None:
    """A number of nvidia-smi's table, which says "[N/A]" for what a card does not tell."""
    try:
        value = float(cell)
    except ValueError:
        return None
    return int(value) if value.is_integer() else value


def nvidia_smi(*arguments: str) -> str:
    """What nvidia-smi prints; "" where it is missing, fails or hangs."""
    return _output("nvidia-smi", *arguments, seconds=_SECONDS) or ""


def python_version() -> str:
    """`sys.version` on one line."""
    return " ".join(sys.version.split())


def _output(program: str, *arguments: str, seconds: float | None = None) -> str | None:
    """Standard output of a program; None where it is not installed, fails or takes too long."""
    path = shutil.which(program)
    if path is None:
        return None
    try:
        done = subprocess.run(
            [path, *arguments], capture_output=True, text=True, check=False, timeout=seconds
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
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
