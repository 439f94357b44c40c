"""The training loop: from a seed to the losses of one run.

Shapes: B sequences, T tokens. A step is counted from 0 while it is made, and reported by the
number of updates done.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor

from trainer.config import Recipe
from trainer.data import Batch, TokenStream, ValidationSet, document_ids
from trainer.distributed import World
from trainer.log import StepLog
from trainer.model import GPT
from trainer.operations import Context
from trainer.optim import Optimizers, gradients
from trainer.schedule import Window, lr_multiplier, momentum_at, window_at


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


def train(run: Run, log: StepLog) -> float:
    """Train one model and return its last validation loss, in nats per token.

    The seed decides the initial weights and nothing else.

    Raises:
        DivergedError: the loss of a step or a validation is not finite; the log shows it.
    """
    recipe, world = run.recipe, run.world
    schedule, steps = recipe.schedule, recipe.schedule.steps
    torch.manual_seed(run.seed)
    model = GPT(recipe.model, recipe.data.sequence_length).to(world.device)
    optimizers = Optimizers(model, recipe.optimizer, world)
    watch = Stopwatch(world.device)
    for step in range(steps):
        window = _window(recipe, step)
        if step % schedule.val_every == 0:
            _report(log, step, "val", evaluate(model, run, window), watch)
        with watch.running():
            loss = accumulate_gradients(model, run, step, window)
            optimizers.step(
                multiplier=lr_multiplier(step, steps, cooldown=schedule.cooldown),
                momentum=momentum_at(step, warmup=recipe.optimizer.momentum_warmup),
            )
        _report(log, step + 1, "train", loss, watch)
    final_loss = evaluate(model, run, _window(recipe, steps))
    _report(log, steps, "val", final_loss, watch)
    return final_loss


def accumulate_gradients(model: GPT, run: Run, step: int, window: Window) -> float:
    """Set every `.grad` to that of the mean loss over all sequences of the step; return the loss.

    Each rank passes its contiguous share of the sequences through the model.
    """
    data = run.recipe.data
    share = data.sequences_per_step // run.world.size
    total = torch.zeros((), device=run.world.device)
    model.zero_grad()
    for first in range(0, share, data.sequences_per_pass):
        count = min(data.sequences_per_pass, share - first)
        batch = run.stream.sequences(step, run.world.rank * share + first, count)
        loss = model(*_on_device(model, batch, run, window)) * (count / share)
        loss.backward()
        total += loss.detach()
    run.world.mean_([total, *gradients(model)])
    return total.item()


@torch.no_grad()
def evaluate(model: GPT, run: Run, window: Window) -> float:
    """Mean loss over the validation tokens; the ranks take turns at the passes."""
    count, per_pass = run.validation.count, run.recipe.data.sequences_per_pass
    total = torch.zeros((), device=run.world.device)
    firsts = range(0, count, per_pass)[run.world.rank :: run.world.size]
    for first in firsts:
        batch = run.validation.sequences(first, min(per_pass, count - first))
        total += model(*_on_device(model, batch, run, window)) * len(batch.inputs)
    run.world.mean_([total])
    return total.item() * run.world.size / count


@dataclass
class Stopwatch:
    """Adds up the time spent inside `running` blocks: training, but not validation.

    Args:
        device: waited for at both ends of a block, since a GPU works behind the program's back.
    """

    device: torch.device
    milliseconds: float = 0.0

    @contextmanager
    def running(self) -> Iterator[None]:
        """Time the block."""
        self._wait()
        start = time.perf_counter()
        yield
        self._wait()
        self.milliseconds += 1000 * (time.perf_counter() - start)

    def _wait(self) -> None:
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)


def _window(recipe: Recipe, step: int) -> Window:
    schedule = recipe.schedule
    return window_at(
        step,
        schedule.steps,
        max_window=schedule.max_window,
        block_size=recipe.model.block_size,
    )


def _on_device(
    model: GPT, batch: Batch, run: Run, window: Window
) -> tuple[Tensor, Tensor, Context]:
    """Inputs (B, T), targets (B, T) and what the layers share."""
    arrays = (*batch, document_ids(batch.inputs, run.recipe.data.separator))
    inputs, targets, documents = (torch.from_numpy(a).to(run.world.device) for a in arrays)
    return inputs, targets, model.context(inputs, documents, window)


def _report(log: StepLog, step: int, kind: str, loss: float, watch: Stopwatch) -> None:
    log.step(step, kind=kind, loss=loss, train_ms=watch.milliseconds)
    if not math.isfinite(loss):
        raise DivergedError(step)
