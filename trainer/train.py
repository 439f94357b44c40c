"""The training loop: from a seed to the losses of one run.

Shapes: B sequences, T tokens. A step is counted from 0 while it is made, and reported by the
number of updates done.
"""

from __future__ import annotations

import contextlib
import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from trainer.config import Recipe
from trainer.data.rehearsal import dummy_data
from trainer.data.stream import Batch, TokenStream, ValidationSet, document_ids
from trainer.model import DTYPES, GPT
from trainer.operations import AnyOperations
from trainer.operations.plain import PlainOperations
from trainer.optim.optimizers import Optimizers
from trainer.runtime.clock import Clock, Lap
from trainer.runtime.distributed import Pending, World
from trainer.runtime.log import StepLog
from trainer.schedule import Window, lr_multiplier, momentum_at, window_at

# One that only adds to the gradients, and the last, which sends them to the other ranks.
REHEARSED_PASSES = 2


class DivergedError(Exception):
    """The loss stopped being a finite number.

    Args:
        step: updates done when it was seen, as the log counts them.
    """

    def __init__(self, step: int) -> None:
        self.step = step
        super().__init__(f"loss is not a finite number at step {step}")


@dataclass(frozen=True)
class Run:
    """What is fixed during a run."""

    recipe: Recipe
    seed: int
    stream: TokenStream
    validation: ValidationSet
    world: World


@dataclass(frozen=True)
class Trainee:
    """What changes during a run."""

    model: GPT
    optimizers: Optimizers


def train(run: Run, log: StepLog) -> float:
    """Train one model and return its last validation loss, in nats per token.

    The seed decides the initial weights and nothing else.

    Raises:
        DivergedError: the loss of a step or a validation is not finite; the log shows it.
        RuntimeError: the ranks end with different weights; the log has no last validation then.
    """
    recipe, schedule = run.recipe, run.recipe.schedule
    trainee = start(run)
    clock = Clock(run.world.device)
    report = _Report(log, clock)
    clock.start()
    for step in range(schedule.steps):
        if step % schedule.val_every == 0:
            with clock.paused():
                report.validation(step, evaluate(trainee.model, run, window_of(recipe, step)))
        loss = train_step(trainee, run, step)
        report.training(step + 1, loss)
    with clock.paused():
        run.world.check_alike(dict(trainee.model.named_parameters()))
        final_loss = evaluate(trainee.model, run, window_of(recipe, schedule.steps))
        report.validation(schedule.steps, final_loss)
    return final_loss


def start(run: Run) -> Trainee:
    """Initial weights and optimizers, with all kernels compiled where the recipe warms up."""
    if run.recipe.warm_up:
        _rehearse(run)
    trainee = _initial(run)
    run.world.start_training()
    return trainee


def _initial(run: Run) -> Trainee:
    """What the seed alone decides."""
    recipe, world = run.recipe, run.world
    torch.manual_seed(run.seed)
    with world.device:
        model = GPT(recipe.model, recipe.data.sequence_length, _operations(recipe, world.device))
    # One seed gives one model, whatever the ranks' libraries or cards make of it.
    world.copy_from_main_(model.state_dict().values())
    return Trainee(model, Optimizers(model, recipe.optimizer, world))


def train_step(trainee: Trainee, run: Run, step: int, *, data_step: int | None = None) -> Tensor:
    """One update; returns the mean loss over all sequences of the step, shape ().

    Args:
        trainee: what is trained.
        run: what is fixed.
        step: decides windows, learning rates and momentum.
        data_step: whose tokens to read, where not those of `step`.
    """
    schedule, optimizer = run.recipe.schedule, run.recipe.optimizer
    loss = accumulate_gradients(
        trainee, run, step if data_step is None else data_step, window_of(run.recipe, step)
    )
    trainee.optimizers.step(
        multiplier=lr_multiplier(step, schedule.steps, cooldown=schedule.cooldown),
        momentum=momentum_at(step, warmup=optimizer.momentum_warmup),
    )
    trainee.model.refresh()
    run.world.alive()
    return loss


def accumulate_gradients(trainee: Trainee, run: Run, step: int, window: Window) -> Tensor:
    """Set every `.grad` to that of the mean loss over all sequences of the step; return the loss.

    Each rank passes its contiguous share of the sequences through the model. The sums over the
    ranks start while the last backward pass is under way; `Optimizers.step` waits for them.
    """
    data, gradients = run.recipe.data, trainee.optimizers.gradients
    share = data.sequences_per_step // run.world.size
    pending = Pending(total := torch.zeros((), device=run.world.device))
    gradients.zero()
    for first in range(0, share, data.sequences_per_pass):
        count = min(data.sequences_per_pass, share - first)
        is_last = first + count == share
        batch = run.stream.sequences(step, run.world.rank * share + first, count)
        watch = gradients.watch if is_last else None
        loss = trainee.model(*on_device(trainee.model, batch, run, window), watch)
        loss = loss * (count / data.sequences_per_step)
        total += loss.detach()
        if is_last:
            # Behind the gradients it would wait for all of them, and Muon with it.
            pending = run.world.start_sum(total)
        with gradients.last_backward() if is_last else contextlib.nullcontext():
            loss.backward()
    return pending.wait()


@torch.no_grad()
def evaluate(model: GPT, run: Run, window: Window) -> float:
    """Mean loss over the validation tokens; the ranks take turns at the passes."""
    count, per_pass = run.validation.count, run.recipe.data.sequences_per_pass
    total = torch.zeros((), device=run.world.device)
    firsts = range(0, count, per_pass)[run.world.rank :: run.world.size]
    for first in firsts:
        run.world.alive()
        batch = run.validation.sequences(first, min(per_pass, count - first))
        total += model(*on_device(model, batch, run, window)) * len(batch.inputs)
    run.world.sum_(total)
    return total.item() / count


def window_of(recipe: Recipe, step: int) -> Window:
    """The attention windows of a step."""
    schedule = recipe.schedule
    return window_at(
        step,
        schedule.steps,
        max_window=schedule.max_window,
        block_size=recipe.model.block_size,
    )


def on_device(model: GPT, batch: Batch, run: Run, window: Window) -> tuple[Tensor, Tensor, object]:
    """Inputs (B, T), targets (B, T) and what the layers share."""
    documents = document_ids(batch.inputs, run.recipe.data.separator)
    arrays = torch.from_numpy(np.stack([*batch, documents]))
    if run.world.device.type == "cuda":
        # From pageable memory the copy would wait for all work that the GPU has been given.
        arrays = arrays.pin_memory().to(run.world.device, non_blocking=True)
    inputs, targets, numbers = arrays.unbind()
    return inputs, targets, model.context(inputs, numbers, window)


def _operations(recipe: Recipe, device: torch.device) -> AnyOperations:
    if recipe.attention == "dense":
        return PlainOperations(DTYPES[recipe.model.dtype], recipe.model.norm_eps)
    # Imported where it is used: the CPU recipe needs no Triton.
    from trainer.operations.fused import FusedOperations  # noqa: PLC0415
    from trainer.operations.head import head_precision  # noqa: PLC0415

    return FusedOperations(recipe.model.norm_eps, head_precision(device))


def _rehearse(run: Run) -> None:
    """A first and a last step and a validation on dummy tokens: every kernel runs once.

    Of a step's passes a rank makes no more than `REHEARSED_PASSES`. What is trained is thrown
    away: nothing has to be put back, or kept meanwhile.
    """
    data = run.recipe.data
    sequences = REHEARSED_PASSES * data.sequences_per_pass * run.world.size
    recipe = run.recipe.with_sequences_per_step(min(sequences, data.sequences_per_step))
    rehearsal = Run(recipe, run.seed, *dummy_data(recipe.data), run.world)
    trainee = _initial(rehearsal)
    last = recipe.schedule.steps - 1
    for step in (0, last):
        train_step(trainee, rehearsal, step, data_step=0)
    evaluate(trainee.model, rehearsal, window_of(recipe, last))


class _Report:
    """Writes losses into the log in the order of the steps, and stops a run that has diverged.

    On a GPU a step's loss is read when the next step has been given to it: reading waits, and
    meanwhile the GPU should have work.
    """

    def __init__(self, log: StepLog, clock: Clock) -> None:
        self._log = log
        self._clock = clock
        self._pending: tuple[int, Tensor, Lap] | None = None

    def training(self, step: int, loss: Tensor) -> None:
        """Take the loss, shape (), of the step that ended just now."""
        lap = self._clock.lap()
        self._flush()
        self._pending = (step, loss, lap)
        if not self._clock.lags:
            self._flush()

    def validation(self, step: int, loss: float) -> None:
        """Write a validation loss, with the clock standing still."""
        self._flush()
        self._write(step, "val", loss, self._clock.milliseconds)

    def _flush(self) -> None:
        if self._pending is not None:
            (step, loss, lap), self._pending = self._pending, None
            self._write(step, "train", loss.item(), lap.milliseconds())

    def _write(self, step: int, kind: str, loss: float, milliseconds: float) -> None:
        self._log.step(step, kind=kind, loss=loss, train_ms=milliseconds)
        if not math.isfinite(loss):
            raise DivergedError(step)
