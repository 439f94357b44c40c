from __future__ import annotations

import gc
import math
import weakref
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch

from trainer import train as train_module
from trainer.config import Recipe
from trainer.model import GPT
from trainer.optim.optimizers import Optimizers
from trainer.runtime.clock import Clock
from trainer.runtime.distributed import SINGLE
from trainer.schedule import Window
from trainer.train import (
    DivergedError,
    Run,
    Trainee,
    accumulate_gradients,
    evaluate,
    start,
    train,
)

OpenRun = Callable[..., Run]


class Memory:
    """A log that keeps what it is told."""

    def __init__(self) -> None:
        self.lines: list[tuple[int, str, float]] = []

    def step(self, step: int, *, kind: str, loss: float, train_ms: float) -> None:
        assert train_ms >= 0
        self.lines.append((step, kind, loss))


def losses(run: Run) -> list[tuple[int, str, float]]:
    log = Memory()
    train(run, log)
    return log.lines


def test_the_same_seed_gives_the_same_losses_to_the_last_bit(
    mini: Recipe, open_mini: OpenRun
) -> None:
    assert losses(open_mini(mini, seed=3)) == losses(open_mini(mini, seed=3))


def test_another_seed_gives_another_run(mini: Recipe, open_mini: OpenRun) -> None:
    assert losses(open_mini(mini, seed=3))[-1] != losses(open_mini(mini, seed=4))[-1]


def test_training_is_reported_after_each_update_and_validation_before_it(
    mini: Recipe, open_mini: OpenRun
) -> None:
    reported = [(step, kind) for step, kind, _ in losses(open_mini(mini))]
    expected = [(0, "val"), (1, "train"), (2, "train"), (2, "val"), (3, "train"), (4, "train")]
    assert reported == [*expected, (4, "val"), (5, "train"), (5, "val")]


def test_the_last_step_is_validated_once_when_val_every_divides_it(
    mini: Recipe, open_mini: OpenRun
) -> None:
    recipe = replace(mini, schedule=replace(mini.schedule, steps=4))
    reported = [step for step, kind, _ in losses(open_mini(recipe)) if kind == "val"]
    assert reported == [0, 2, 4]


def test_the_first_loss_is_that_of_a_uniform_guess(mini: Recipe, open_mini: OpenRun) -> None:
    assert losses(open_mini(mini))[0][2] == pytest.approx(math.log(272), abs=1e-5)


def test_training_lowers_the_loss(mini: Recipe, open_mini: OpenRun) -> None:
    assert train(open_mini(mini), Memory()) < math.log(272) - 0.1


def test_validation_uses_the_window_of_its_own_step(
    mini: Recipe, open_mini: OpenRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    windows: list[Window] = []

    def spy(model: GPT, run: Run, window: Window) -> float:
        windows.append(window)
        return evaluate(model, run, window)

    monkeypatch.setattr(train_module, "evaluate", spy)
    recipe = replace(mini, schedule=replace(mini.schedule, steps=4, max_window=40))
    recipe = replace(recipe, model=replace(recipe.model, block_size=8))
    train(open_mini(recipe), Memory())
    assert windows == [(1, 1), (3, 1), (5, 2)]


def test_a_loss_that_is_not_finite_stops_the_run_at_that_step(
    mini: Recipe, open_mini: OpenRun
) -> None:
    recipe = replace(mini, optimizer=replace(mini.optimizer, muon_lr=1e38))
    log = Memory()
    with pytest.raises(DivergedError) as caught:
        train(open_mini(recipe), log)
    step, _, loss = log.lines[-1]
    assert not math.isfinite(loss)
    assert caught.value.step == step
    assert all(math.isfinite(earlier) for _, _, earlier in log.lines[:-1])


def test_gradients_do_not_depend_on_how_many_sequences_pass_at_once(
    mini: Recipe, open_mini: OpenRun
) -> None:
    torch.manual_seed(0)
    model = GPT(mini.model, 32)
    torch.nn.init.normal_(model.head, std=0.1)
    trainee = Trainee(model, Optimizers(model, mini.optimizer, SINGLE))
    found = []
    for per_pass in (1, 3, 4):
        recipe = replace(mini, data=replace(mini.data, sequences_per_pass=per_pass))
        loss = accumulate_gradients(trainee, open_mini(recipe), 1, Window(2, 1)).item()
        found.append((loss, model.head.grad.clone(), model.mlps[0].down.grad.clone()))
    for loss, *gradients in found[1:]:
        assert loss == pytest.approx(found[0][0], rel=1e-6)
        for gradient, whole in zip(gradients, found[0][1:], strict=True):
            assert torch.allclose(gradient, whole, atol=1e-7)


def test_validation_is_the_mean_over_all_its_tokens(mini: Recipe, open_mini: OpenRun) -> None:
    torch.manual_seed(0)
    model = GPT(mini.model, 32)
    torch.nn.init.normal_(model.head, std=0.1)
    means = []
    for per_pass in (1, 3, 4):
        recipe = replace(mini, data=replace(mini.data, sequences_per_pass=per_pass))
        means.append(evaluate(model, open_mini(recipe), Window(2, 1)))
    assert means == pytest.approx([means[0]] * 3, rel=1e-6)
    assert means[0] != pytest.approx(math.log(272), abs=1e-3)


def test_a_run_with_a_rehearsal_gives_the_same_losses_to_the_last_bit(
    mini: Recipe, open_mini: OpenRun
) -> None:
    rehearsed = replace(mini, warm_up=True)
    assert losses(open_mini(rehearsed)) == losses(open_mini(mini))


def test_nothing_of_a_rehearsal_is_left_when_the_run_starts(
    mini: Recipe, open_mini: OpenRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    models: list[weakref.ref[GPT]] = []

    class Remembered(GPT):
        def __init__(self, *arguments: Any) -> None:
            # No collector has to come by: references alone keep it.
            assert not any(model() for model in models)
            super().__init__(*arguments)
            models.append(weakref.ref(self))

    monkeypatch.setattr("trainer.train.GPT", Remembered)
    gc.disable()
    try:
        trainee = start(open_mini(replace(mini, warm_up=True)))
    finally:
        gc.enable()
    assert [model() is trainee.model for model in models] == [False, True]


@pytest.mark.parametrize(("per_pass", "passes"), [(1, [1, 1] * 2), (3, [3, 1] * 2), (4, [4] * 2)])
def test_a_rehearsal_trains_on_no_more_than_two_passes_a_step(
    mini: Recipe,
    open_mini: OpenRun,
    monkeypatch: pytest.MonkeyPatch,
    per_pass: int,
    passes: list[int],
) -> None:
    seen: list[int] = []
    forward = GPT.forward

    def counted(self: GPT, tokens: torch.Tensor, *others: Any) -> torch.Tensor:
        if torch.is_grad_enabled():
            seen.append(len(tokens))
        return forward(self, tokens, *others)

    monkeypatch.setattr(GPT, "forward", counted)
    data = replace(mini.data, sequences_per_pass=per_pass)
    start(open_mini(replace(mini, warm_up=True, data=data)))
    assert seen == passes


@pytest.mark.parametrize("lags", [False, True])
def test_a_lagging_device_changes_no_line_of_the_log(
    mini: Recipe, open_mini: OpenRun, monkeypatch: pytest.MonkeyPatch, *, lags: bool
) -> None:
    expected = losses(open_mini(mini))
    monkeypatch.setattr(Clock, "__init__", lagging(lags=lags))
    assert losses(open_mini(mini)) == expected


def lagging(*, lags: bool) -> Callable[[Clock, torch.device], None]:
    original = Clock.__init__

    def initialise(self: Clock, device: torch.device) -> None:
        original(self, device)
        self.lags = lags

    return initialise
