"""Whether this machine can train a recipe, and with how many ranks."""

from __future__ import annotations

import os

import torch

from trainer.config import RANKS, Recipe
from trainer.errors import TrainerError

TINY = "train on the CPU with: speedcheck run --recipe tiny"
# Compute capability from which on GPUs multiply bfloat16 matrices.
BFLOAT16_CAPABILITY = (8, 0)

# Peak of one rank of sub3 on an H200: 29,342 MiB with sequences of 65,536 tokens and 16,251 with
# 32,768, and 1 GiB for CUDA itself (docs/performance-log.md).
FIXED_MIB = 4_184
KIB_PER_TOKEN = 410


def check_device(recipe: Recipe, *, whole_machine: bool) -> None:
    """Check that this machine can train the recipe.

    Looking at a GPU's free memory takes some of it, so that a rank looks at its own alone.

    Args:
        recipe: to be trained.
        whole_machine: look at every GPU, not only at that of this rank.

    Raises:
        TrainerError: it cannot; says why, and what it could train.
    """
    if recipe.device == "cpu":
        return
    if not torch.cuda.is_available():
        raise TrainerError(f"recipe {recipe.name} needs a CUDA GPU, none is here", remedy=TINY)
    gpus = range(torch.cuda.device_count())
    # Another text than a number is refused where the ranks meet.
    number = os.environ.get("LOCAL_RANK", "0")
    own = int(number) if number.isdecimal() else 0
    for index in gpus if whole_machine else gpus[own : own + 1]:
        _check_gpu(recipe, index)


def _check_gpu(recipe: Recipe, index: int) -> None:
    gpu = torch.cuda.get_device_properties(index)
    if (gpu.major, gpu.minor) < BFLOAT16_CAPABILITY:
        raise TrainerError(
            f"{gpu.name} (compute capability {gpu.major}.{gpu.minor}) has no bfloat16 products, "
            f"recipe {recipe.name} needs compute capability 8.0",
            where=f"GPU {index}",
            remedy=TINY,
        )
    free, _total = torch.cuda.mem_get_info(index)
    check_memory(recipe, free >> 20, f"GPU {index} ({gpu.name})")


def check_memory(recipe: Recipe, free_mib: int, where: str) -> None:
    """Check that a rank of the recipe fits into what is free of a GPU's memory.

    Raises:
        TrainerError: it does not; says the sequence length that fits.
    """
    needed = memory_mib(recipe.data.sequence_length)
    if needed <= free_mib:
        return
    fitting = [length for length in _shorter_lengths(recipe) if memory_mib(length) <= free_mib]
    remedy = f"add --sequence-length {fitting[0]}" if fitting else TINY
    raise TrainerError(
        f"{free_mib:,} MiB of free memory are too few for sequences of "
        f"{recipe.data.sequence_length:,} tokens, which need {needed:,} MiB",
        where=where,
        remedy=remedy,
    )


def memory_mib(sequence_length: int) -> int:
    """GPU memory that a rank of sub3 needs for sequences of this length."""
    return FIXED_MIB + sequence_length * KIB_PER_TOKEN // 1024


def gpus_here() -> int:
    """The number of GPUs that this process may use."""
    return torch.cuda.device_count()


def ranks_here(recipe: Recipe, asked: int | None = None) -> int:
    """The number of ranks of one run: those asked for, else as many as a step divides over.

    Raises:
        TrainerError: this machine has fewer GPUs than are asked for, or they cannot share a step.
    """
    gpus = gpus_here() if recipe.device == "cuda" else 1
    possible = [ranks for ranks in RANKS if recipe.data.sequences_per_step % ranks == 0]
    if asked is None:
        return max(ranks for ranks in possible if ranks <= max(gpus, 1))
    where = "--gpus-per-run"
    if asked not in possible:
        choices = ", ".join(map(str, possible))
        raise TrainerError(
            f"{asked} GPUs cannot share a step of {recipe.name}",
            where=where,
            remedy=f"choose one of {choices}",
        )
    if asked > gpus:
        raise TrainerError(
            f"{asked} GPUs are asked for, {gpus} are here",
            where=where,
            remedy=f"choose at most {gpus}",
        )
    return asked


def _shorter_lengths(recipe: Recipe) -> list[int]:
    """Halves of the recipe's sequence length, the longest first, down to one attention block."""
    lengths = [recipe.data.sequence_length // 2]
    while lengths[-1] // 2 >= recipe.model.block_size:
        lengths.append(lengths[-1] // 2)
    return lengths
