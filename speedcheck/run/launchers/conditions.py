"""Under which conditions a run is made: the machine, its GPUs, the environment, the compile cache.

Levers that a log does not show: the ledger notes them before each run starts.
"""

from __future__ import annotations

import getpass
import hashlib
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

PYTHON = "python"
VARIABLES = re.compile(r"(?:TORCH(?:INDUCTOR|DYNAMO)?|PYTORCH|NCCL|CUDA|TRITON)_")
"""How the names of the environment variables begin that can change a run."""

# What nvidia-smi calls a figure, and what the ledger does; the name is last, since it may hold a
# comma.
_FIGURES = {
    "index": "index",
    "uuid": "id",
    "power.limit": "power_limit_w",
    "clocks.sm": "sm_clock_mhz",
    "clocks.max.sm": "max_sm_clock_mhz",
    "clocks.mem": "memory_clock_mhz",
    "name": "name",
}
_TEXTS = ("id", "name")
# An nvidia-smi that waits for a lost GPU must not keep the runs waiting.
_SECONDS = 10.0


def conditions(command: Sequence[str], changed: Mapping[str, str]) -> dict[str, Any]:
    """Return the conditions of a run that is about to start on this machine, as JSON values.

    Args:
        command: the words that start it.
        changed: the environment variables that it gets beside those of this process.

    Returns:
        `argv`: the words, with "python" for the Python of this process; `host`: id (a digest, as
        in the log of the bundled trainer), cpu and cores; `gpus`: a table for each that
        nvidia-smi names; `environment`: the variables that can change a run; `compile_cache`:
        "cold" or "warm".
    """
    variables = os.environ | changed
    return {
        "argv": [PYTHON if word == sys.executable else word for word in command],
        "host": host(),
        "gpus": gpus(),
        "environment": logged_variables(variables),
        "compile_cache": compile_cache(variables),
    }


def host() -> dict[str, Any]:
    """Return this machine; `id` tells two apart without naming either."""
    name = platform.node() + _first_line(Path("/etc/machine-id"))
    return {
        "id": hashlib.sha256(name.encode()).hexdigest()[:12],
        "cpu": _processor(),
        "cores": os.cpu_count() or 1,
    }


def gpus() -> list[dict[str, Any]]:
    """Return what nvidia-smi says of each GPU; empty where it is missing, fails or hangs."""
    program = shutil.which("nvidia-smi")
    if program is None:
        return []
    options = (f"--query-gpu={','.join(_FIGURES)}", "--format=csv,noheader,nounits")
    try:
        done = subprocess.run(
            (program, *options), capture_output=True, text=True, check=False, timeout=_SECONDS
        )
    except (OSError, subprocess.TimeoutExpired):
        return []
    rows = (
        [line.split(", ", len(_FIGURES) - 1) for line in done.stdout.splitlines()]
        if not done.returncode
        else []
    )
    return [
        {name: _figure(name, cell) for name, cell in zip(_FIGURES.values(), row, strict=True)}
        for row in rows
        if len(row) == len(_FIGURES)
    ]


def logged_variables(variables: Mapping[str, str]) -> dict[str, str]:
    """Return the environment variables that can change a run."""
    return {name: variables[name] for name in sorted(variables) if VARIABLES.match(name)}


def compile_cache(variables: Mapping[str, str]) -> str:
    """Return "warm" where PyTorch's or Triton's compiler has left anything to be used again."""
    folders = (
        variables.get("TORCHINDUCTOR_CACHE_DIR")
        or Path(tempfile.gettempdir()) / f"torchinductor_{_user()}",
        variables.get("TRITON_CACHE_DIR") or Path.home() / ".triton" / "cache",
    )
    return "warm" if any(_has_entries(Path(folder)) for folder in folders) else "cold"


def _figure(name: str, cell: str) -> str | float | None:
    """Return a cell of nvidia-smi's table, which says "[N/A]" for what a card does not know."""
    if name in _TEXTS:
        return cell
    try:
        value = float(cell)
    except ValueError:
        return None
    return int(value) if value.is_integer() else value


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


def _first_line(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").partition("\n")[0]
    except OSError:
        return ""


def _processor() -> str:
    """Return the processor's name as Linux gives it; elsewhere what Python knows."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()
