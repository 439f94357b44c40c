"""`python -m trainer survey`: what this machine has for a recipe, as a line of JSON."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from trainer.config import Recipe
from trainer.data.sources import find_data
from trainer.errors import TrainerError


def survey(recipe: Recipe, data_dir: Path) -> dict[str, Any]:
    """Look at everything that a run needs; a thing that is missing is a sentence, not an error."""
    return {
        "torch": _torch(recipe),
        "device": _complaint(lambda: _check_device(recipe)),
        "data": _complaint(lambda: find_data(recipe, data_dir)),
        "data_dir": str(data_dir),
        "data_free_gib": _free_gib(data_dir),
        "kernel_cache": _kernel_cache(recipe),
    }


def _torch(recipe: Recipe) -> dict[str, Any]:
    import torch  # noqa: PLC0415 - takes seconds

    gpus = range(torch.cuda.device_count() if recipe.device == "cuda" else 0)
    return {
        "version": torch.__version__,
        "cuda": torch.version.cuda,
        "gpus": [torch.cuda.get_device_name(gpu) for gpu in gpus],
    }


def _check_device(recipe: Recipe) -> None:
    if recipe.device == "cuda":
        from trainer.runtime.device import check_device  # noqa: PLC0415

        check_device(recipe, whole_machine=True)


def _complaint(check: Callable[[], object]) -> str | None:
    """What a check has to say; None where it is content."""
    try:
        check()
    except TrainerError as error:
        return str(error)
    return None


def _kernel_cache(recipe: Recipe) -> dict[str, Any] | None:
    """Where Triton keeps compiled kernels, and how many; None where no kernel is compiled."""
    if recipe.device == "cpu":
        return None
    folder = Path(os.environ.get("TRITON_CACHE_DIR") or "~/.triton/cache").expanduser()
    kernels = sum(1 for _ in folder.glob("*/*.cubin")) if folder.is_dir() else 0
    return {"folder": str(folder), "kernels": kernels, "writable": _is_writable(folder)}


def _free_gib(folder: Path) -> float | None:
    there = _existing(folder)
    return round(shutil.disk_usage(there).free / (1 << 30), 1) if there else None


def _is_writable(folder: Path) -> bool:
    there = _existing(folder)
    return there is not None and os.access(there, os.W_OK)


def _existing(folder: Path) -> Path | None:
    """The folder, or the one in which it would be made."""
    return next((path for path in (folder, *folder.absolute().parents) if path.is_dir()), None)
