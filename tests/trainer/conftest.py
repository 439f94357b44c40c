"""A recipe small enough to train in a test, and the means to run it without files."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from trainer.config import RECIPES, Recipe
from trainer.data.stream import TokenStream, ValidationSet
from trainer.runtime.distributed import SINGLE
from trainer.train import Run

INTERPRETED_BELOW = (3, 7)

# Triton reads this when a kernel is declared: without a GPU, kernels run on CPU tensors.
if not torch.cuda.is_available():
    os.environ["TRITON_INTERPRET"] = "1"


@pytest.fixture
def device() -> torch.device:
    """The GPU where there is one, else the CPU, where Triton interprets its kernels.

    The test is skipped where the interpreter cannot: PyTorch for CUDA brings a Triton of its own.
    """
    if torch.cuda.is_available():
        return torch.device("cuda")
    release = pytest.importorskip("triton").__version__
    if tuple(map(int, release.split(".")[:2])) >= INTERPRETED_BELOW:
        pytest.skip(f"Triton {release} does not interpret all kernels: needs a GPU or triton<3.7")
    return torch.device("cpu")


@pytest.fixture
def cuda() -> torch.device:
    """The GPU; the test is skipped where there is none."""
    if not torch.cuda.is_available():
        pytest.skip("needs a CUDA device")
    return torch.device("cuda")


@pytest.fixture
def mini() -> Recipe:
    """Tiny's little sister: 5 steps of 4 sequences of 32 tokens, width 16, two heads."""
    tiny = RECIPES["tiny"]
    return replace(
        tiny,
        model=replace(tiny.model, width=16, heads=2),
        data=replace(
            tiny.data,
            sequence_length=32,
            sequences_per_step=4,
            sequences_per_pass=4,
            val_tokens=128,
        ),
        schedule=replace(tiny.schedule, steps=5, val_every=2),
    )


@pytest.fixture
def open_mini() -> Callable[..., Run]:
    """Make a run of a recipe on four random letters with frequent separators."""

    def open_run(recipe: Recipe, seed: int = 0) -> Run:
        tokens = np.random.default_rng(7).integers(97, 101, 2000, dtype=np.uint16)
        tokens[::21] = 256
        data = recipe.data
        stream = TokenStream(
            [tokens],
            sequences_per_step=data.sequences_per_step,
            sequence_length=data.sequence_length,
        )
        validation = ValidationSet(
            tokens[1000:], val_tokens=data.val_tokens, sequence_length=data.sequence_length
        )
        return Run(recipe, seed, stream, validation, SINGLE)

    return open_run


@pytest.fixture
def loops_with_bounds_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let Triton 3.6's interpreter count to a number that a kernel computed.

    It holds scalars as arrays of one element, and NumPy 2.4 makes no int of those.
    """
    from triton.runtime import interpreter

    patch = interpreter._patch_lang_tensor

    def patch_and_mend(tensor: Any, scope: Any) -> None:
        patch(tensor, scope)
        scope.set_attr(tensor, "__index__", lambda self: self.handle.data.item())

    monkeypatch.setattr(interpreter, "_patch_lang_tensor", patch_and_mend)
