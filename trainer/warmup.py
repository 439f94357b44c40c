"""Untimed steps before a run, which compile and load what the timed ones use.

The rule of the competition: kernels are warmed up on dummy data, and the state is reset.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import chain

import torch

from trainer.model import GPT
from trainer.optim.optimizers import Optimizers


def warm_up(model: GPT, optimizers: Optimizers, run_steps: Callable[[], None]) -> None:
    """Call `run_steps`, then put everything back as it was before.

    That is: weights and buffers of the model, the optimizers' state, and the random state of the
    CPU and of the model's GPU, all in place. Gradients are zero afterwards. A position in the data
    there is not: every step asks for its sequences by the step's number.

    Args:
        model: to be trained.
        optimizers: of this model.
        run_steps: trains for some whole steps, on any data; on all ranks together.
    """
    with _restored(model, optimizers):
        run_steps()


@contextmanager
def _restored(model: GPT, optimizers: Optimizers) -> Iterator[None]:
    weights = [tensor.detach() for tensor in chain(model.parameters(), model.buffers())]
    saved, state = [weight.clone() for weight in weights], optimizers.state()
    gpus = list({weight.device for weight in weights if weight.is_cuda})
    with torch.random.fork_rng(devices=gpus):
        yield
    for weight, before in zip(weights, saved, strict=True):
        weight.copy_(before)
    optimizers.restore(state)
    optimizers.gradients.zero()
