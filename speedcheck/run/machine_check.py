"""What this machine has for training and judging: what is missing, and what mends it."""

from __future__ import annotations

import importlib.util
import json
import platform
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from speedcheck.run.launchers.trainer_process import trainer_words

State = Literal["ok", "missing", "note"]

# Logs of 32 runs are about 15 MB; the trainer's output goes to the same disk or to another.
LEAST_GIB = 1.0
INSTALL = "pip install 'speedcheck[train]'"


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at.

    Attributes:
        name: of the thing.
        state: "missing" where the recipe needs it and cannot have it; "note" where it does not.
        found: what was found.
        remedy: what to do where something is missing; "" elsewhere.
    """

    name: str
    state: State
    found: str
    remedy: str = ""


def examine(recipe: str, folder: Path, data: tuple[str, ...]) -> tuple[Check, ...]:
    """Look at everything that runs of a recipe need on this machine.

    Args:
        recipe: its name.
        folder: where records are written.
        data: the trainer's options for the folder of the data.
    """
    return (
        Check("Python", "ok", platform.python_version()),
        *_trainer(recipe, data),
        _disk(folder),
        _git(folder),
        _slurm(),
    )


def _trainer(recipe: str, data: tuple[str, ...]) -> Iterator[Check]:
    """What only the trainer knows, since speedcheck itself needs no PyTorch."""
    if importlib.util.find_spec("torch") is None:
        yield Check("PyTorch", "missing", "is not installed", INSTALL)
        return
    command = trainer_words("survey", "--recipe", recipe, *data)
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    try:
        found: Any = json.loads(done.stdout.strip().splitlines()[-1])
    except (IndexError, ValueError):
        said = done.stderr.strip().splitlines() or ["it said nothing"]
        yield Check("PyTorch", "missing", f"the trainer cannot start ({said[-1]})", INSTALL)
        return
    yield from _found_by_trainer(found)


def _found_by_trainer(found: Mapping[str, Any]) -> Iterator[Check]:
    torch = found["torch"]
    built_for = f"for CUDA {torch['cuda']}" if torch["cuda"] else "for CPUs"
    yield Check("PyTorch", "ok", f"{torch['version']} {built_for}")
    yield _gpus(torch["gpus"], found["device"])
    yield _driver()
    cache = found["kernel_cache"]
    if cache is not None:
        yield _kernel_cache(cache)
    free = found["data_free_gib"]
    where = found["data_dir"] + ("" if free is None else f", {free:g} GiB free")
    yield _or_complaint("data", where, found["data"])


def _gpus(names: list[str], complaint: str | None) -> Check:
    kinds = ", ".join(f"{names.count(name)} x {name}" for name in dict.fromkeys(names))
    return _or_complaint("GPUs", kinds or "none needed", complaint)


def _driver() -> Check:
    program = shutil.which("nvidia-smi")
    if program is None:
        return Check("driver", "note", "nvidia-smi is not installed")
    query = ("--query-gpu=driver_version", "--format=csv,noheader")
    done = subprocess.run((program, *query), capture_output=True, text=True, check=False)
    lines = (done.stdout if done.returncode == 0 else done.stderr or done.stdout).splitlines()
    found = lines[0].strip() if lines else "nvidia-smi says nothing"
    return Check("driver", "ok" if done.returncode == 0 else "note", found)


def _kernel_cache(cache: Mapping[str, Any]) -> Check:
    folder, kernels = cache["folder"], cache["kernels"]
    if not cache["writable"]:
        remedy = "export TRITON_CACHE_DIR=/tmp/triton"
        return Check("kernels", "missing", f"{folder} cannot be written", remedy)
    state = f"{kernels} compiled" if kernels else "none compiled; the first run takes a minute more"
    return Check("kernels", "ok", f"{folder}: {state}")


def _or_complaint(name: str, found: str, complaint: str | None) -> Check:
    """A complaint of the trainer says what to do behind its last semicolon."""
    if complaint is None:
        return Check(name, "ok", found)
    what, _, remedy = complaint.rpartition("; ")
    return Check(name, "missing", what, remedy) if what else Check(name, "missing", remedy)


def _disk(folder: Path) -> Check:
    there = next(path for path in (folder, *folder.absolute().parents) if path.is_dir())
    free = shutil.disk_usage(there).free / (1 << 30)
    found = f"{free:.1f} GiB free at {there}"
    if free < LEAST_GIB:
        return Check("disk", "missing", found, f"free {LEAST_GIB:g} GiB there")
    return Check("disk", "ok", found)


def _git(folder: Path) -> Check:
    program = shutil.which("git")
    if program is None:
        return Check("git", "note", "is not installed: logs name no commit, and no gate works")
    inside = subprocess.run(
        (program, "-C", str(folder), "rev-parse", "--is-inside-work-tree"),
        capture_output=True,
        text=True,
        check=False,
    )
    if inside.returncode != 0:
        return Check("git", "note", f"{folder.absolute()} is not in a repository")
    return Check("git", "ok", "installed, and this is a repository")


def _slurm() -> Check:
    found = [name for name in ("sbatch", "squeue", "scancel") if shutil.which(name)]
    if len(found) == 3:
        return Check("Slurm", "ok", "sbatch, squeue and scancel are here")
    return Check("Slurm", "note", "is not here: runs train on this machine")


def doctor_text(recipe: str, checks: tuple[Check, ...]) -> str:
    """Return a line for each check, the remedies under those that miss something, and the end."""
    lines = []
    for check in checks:
        lines.append(f" {check.state:<8} {check.name:<8} {check.found}")
        if check.remedy:
            lines.append(f"{'':19}{check.remedy}")
    missing = [check.name for check in checks if check.state == "missing"]
    end = f"missing for {recipe}: {', '.join(missing)}" if missing else f"{recipe} can be trained"
    return "\n".join([*lines, end]) + "\n"
