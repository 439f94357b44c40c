"""The trainer as `sub3` runs it, at reduced size, on a real GPU."""

from __future__ import annotations

import gc
import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from flex_attention import FlexOperations
from reference_step import Reference

from trainer.config import RECIPES, Recipe
from trainer.data.stream import TokenStream, ValidationSet
from trainer.model import GPT
from trainer.operations.fused import FusedOperations
from trainer.runtime.distributed import World
from trainer.schedule import Window
from trainer.train import DivergedError, Run, on_device, train

pytestmark = pytest.mark.gpu


@pytest.fixture
def recipe() -> Recipe:
    """sub3, narrow and short: 6 steps of 2 sequences of 1,024 tokens."""
    sub3 = RECIPES["sub3"]
    return replace(
        sub3,
        warm_up=False,
        model=replace(sub3.model, width=256, heads=2, vocab_size=1000, head_rows=1008),
        data=replace(
            sub3.data,
            separator=999,
            sequence_length=1024,
            sequences_per_step=2,
            val_tokens=4096,
        ),
        schedule=replace(sub3.schedule, steps=6, val_every=3, max_window=1024),
    )


def open_run(recipe: Recipe, device: torch.device, seed: int = 0) -> Run:
    data = recipe.data
    tokens = np.random.default_rng(1).integers(999, size=20_000, dtype=np.uint16)
    tokens[::150] = data.separator
    stream = TokenStream(
        [tokens],
        sequences_per_step=data.sequences_per_step,
        sequence_length=data.sequence_length,
    )
    validation = ValidationSet(
        tokens, val_tokens=data.val_tokens, sequence_length=data.sequence_length
    )
    return Run(recipe, seed, stream, validation, World(0, 1, device))


class Memory:
    def __init__(self) -> None:
        self.lines: list[tuple[int, str, float]] = []
        self.times: list[float] = []

    def step(self, step: int, *, kind: str, loss: float, train_ms: float) -> None:
        self.lines.append((step, kind, loss))
        self.times.append(train_ms)


def lines_of(run: Run) -> list[tuple[int, str, float]]:
    log = Memory()
    train(run, log)
    assert log.times == sorted(log.times)
    return log.lines


@pytest.mark.parametrize("operations", [FusedOperations, FlexOperations])
@pytest.mark.parametrize("precision", ["bf16", "fp8"])
@pytest.mark.parametrize("window", [Window(1, 1), Window(5, 2)])
def test_losses_and_gradients_are_the_references_but_for_rounding(
    recipe: Recipe,
    cuda: torch.device,
    operations: type[FusedOperations],
    precision: str,
    window: Window,
) -> None:
    torch.manual_seed(3)
    with cuda:
        model = GPT(recipe.model, 1024, operations(recipe.model.norm_eps, precision))
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter), alpha=0.03)
    run = open_run(recipe, cuda)
    batch = run.stream.sequences(0, 0, 1)
    inputs, targets, context = on_device(model, batch, run, window)
    loss = model(inputs, targets, context)
    loss.backward()
    reference = Reference.of(model, recipe.data.separator, torch.float64)
    expected = reference.loss(inputs[0], targets[0], window)
    expected.backward()
    assert loss.item() == pytest.approx(expected.item(), abs=5e-3)
    for name, weight in reference.weights.items():
        found, exact = model.get_parameter(name).grad.double(), weight.grad
        # bfloat16 keeps 8 bits and e5m2 three; over a dozen layers the errors add up.
        assert (found - exact).norm() <= 0.15 * exact.norm() + 1e-9, name


def test_the_same_seed_gives_the_same_losses_to_the_last_bit(
    recipe: Recipe, cuda: torch.device
) -> None:
    first, again, other = (lines_of(open_run(recipe, cuda, seed)) for seed in (0, 0, 1))
    assert first == again
    assert first != other
    assert first[0] == (0, "val", pytest.approx(math.log(1008), abs=1e-5))


def test_flex_attention_trains_alike(
    recipe: Recipe, cuda: torch.device, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours = lines_of(open_run(recipe, cuda))
    monkeypatch.setattr("trainer.operations.fused.FusedOperations", FlexOperations)
    flex = lines_of(open_run(recipe, cuda))
    assert flex == [(step, kind, pytest.approx(loss, abs=0.05)) for step, kind, loss in ours]


def test_a_rehearsal_changes_no_loss(recipe: Recipe, cuda: torch.device) -> None:
    rehearsed = replace(recipe, warm_up=True)
    assert lines_of(open_run(rehearsed, cuda)) == lines_of(open_run(recipe, cuda))


def test_a_rehearsal_takes_no_more_memory_than_the_run(recipe: Recipe, cuda: torch.device) -> None:
    peaks = []
    for warm_up in (False, True):
        gc.collect()
        torch.cuda.reset_peak_memory_stats(cuda)
        lines_of(open_run(replace(recipe, warm_up=warm_up), cuda))
        peaks.append(torch.cuda.max_memory_allocated(cuda))
    assert peaks[1] <= 1.01 * peaks[0]


def test_a_loss_that_is_not_finite_stops_the_run(recipe: Recipe, cuda: torch.device) -> None:
    wild = replace(recipe, optimizer=replace(recipe.optimizer, muon_lr=1e38))
    log = Memory()
    with pytest.raises(DivergedError):
        train(open_run(wild, cuda), log)
    assert not math.isfinite(log.lines[-1][2])
    assert all(math.isfinite(loss) for _, _, loss in log.lines[:-1])
