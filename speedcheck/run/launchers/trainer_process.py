"""How the installed trainer is asked and started: its command lines, its answer to --prepare."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from speedcheck.errors import LaunchError
from speedcheck.records.overrides import RecipeOverrides
from speedcheck.rules.tracks import TRACK_OF_RECIPE
from speedcheck.run.launchers.child import TRAINER_SAYS
from speedcheck.run.launchers.launcher import Job, Setup

GPUS_VARIABLE = "CUDA_VISIBLE_DEVICES"

# -P: a folder that happens to be called `trainer` where the user stands is not the trainer.
_PYTHON = (sys.executable, "-P", "-m")


def data_options(data_dir: Path | None) -> tuple[str, ...]:
    """Return the trainer's options for the folder of the data."""
    return () if data_dir is None else ("--data-dir", str(data_dir))


def trainer_words(*words: str) -> tuple[str, ...]:
    """Return the words that run the installed trainer in one process."""
    return (*_PYTHON, "trainer", *words)


def ask_trainer(
    recipe: str,
    overrides: RecipeOverrides,
    data: tuple[str, ...],
    gpus_per_run: int | None = None,
    *,
    elsewhere: bool = False,
) -> Setup:
    """Let the trainer make or check the data of a recipe, and return what it says of it.

    Args:
        recipe: its name.
        overrides: what is changed in it.
        data: the trainer's options for the folder of the data.
        gpus_per_run: for runs side by side; None for one run on as many GPUs as it can use.
        elsewhere: whether other machines train, so that this one needs no GPU.

    Raises:
        LaunchError: the recipe cannot be trained here.
    """
    if recipe not in TRACK_OF_RECIPE:
        remedy = f"choose one of {', '.join(TRACK_OF_RECIPE)}"
        raise LaunchError(f"there is no recipe {recipe!r}", where="--recipe", remedy=remedy)
    if importlib.util.find_spec("torch") is None:
        raise LaunchError(
            "training needs PyTorch, which is not installed",
            remedy="pip install 'speedcheck[train]'",
        )
    gpus = () if gpus_per_run is None else ("--gpus", str(gpus_per_run))
    place = ("--elsewhere",) if elsewhere else ()
    options = ("--recipe", recipe, *overrides.options(), *gpus, *data, "--prepare", *place)
    done = subprocess.run(trainer_words(*options), capture_output=True, text=True, check=False)
    if done.returncode == 0:
        return replace(_read_setup(done.stdout), overrides=overrides, gpus_per_run=gpus_per_run)
    lines = done.stderr.strip().splitlines() or [f"the trainer ended with {done.returncode}"]
    raise LaunchError(lines[-1].removeprefix(TRAINER_SAYS))


def trainer_command(job: Job, command: str, data: tuple[str, ...]) -> tuple[str, ...]:
    """Return the words that start a command of the trainer on all ranks of a job."""
    torchrun = (*_PYTHON, "trainer.torchrun", "--standalone", f"--nproc-per-node={job.ranks}")
    start = (*torchrun, "-m") if job.ranks > 1 else _PYTHON
    beside = ("--side-by-side", str(job.side_by_side)) if job.side_by_side > 1 else ()
    recipe = ("--recipe", job.recipe, *job.overrides.options())
    return (*start, "trainer", command, *recipe, *data, *beside, "--tethered")


def environment_of(job: Job) -> dict[str, str]:
    """Return the variables that a job's processes need: their threads, and their GPUs."""
    threads = {"OMP_NUM_THREADS": str(job.threads)}
    if not job.gpus:
        return threads
    # Of the GPUs that this process may use, which another variable may have chosen.
    visible = [name for name in os.environ.get(GPUS_VARIABLE, "").split(",") if name]
    names = [visible[gpu] if visible else str(gpu) for gpu in job.gpus]
    return threads | {GPUS_VARIABLE: ",".join(names)}


def _read_setup(output: str) -> Setup:
    try:
        raw: Any = json.loads(output.strip().splitlines()[-1])
        return Setup(
            recipe=str(raw["recipe"]),
            device=str(raw["device"]),
            ranks=int(raw["ranks"]),
            threads=int(raw["threads"]),
            steps=int(raw["steps"]),
            memory_mib=int(raw["memory_mib"]),
            gpus=int(raw["gpus"]),
            timeout_s=int(raw["timeout_s"]),
        )
    except (IndexError, KeyError, TypeError, ValueError) as error:
        raise LaunchError(
            "the trainer's --prepare printed no setup",
            remedy="install speedcheck and its trainer from the same source",
        ) from error
