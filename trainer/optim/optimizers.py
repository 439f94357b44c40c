"""Which parameter goes to which optimizer: Muon for hidden matrices, Adam for the rest."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from trainer.config import OptimizerConfig
from trainer.model import DTYPES, GPT
from trainer.optim.adam import Adam
from trainer.optim.muon import Muon
from trainer.optim.reduction import EMBEDDINGS, HEAD, SCALARS, GradientReducer, Name
from trainer.runtime.distributed import World


def gradient_buckets(model: GPT) -> dict[Name, list[nn.Parameter]]:
    """Every parameter of the model, by the moment in a backward pass that completes its gradient.

    The head comes first, then the blocks from the last to the first. What all layers share and
    the value embeddings, which the first layers read again, are complete only at the end.
    """
    blocks = list(enumerate(model.layers))
    return {
        HEAD: [model.head],
        **{layer: list(block.parameters()) for layer, block in reversed(blocks)},
        SCALARS: [model.residual_mix, model.value_mix, model.skip_weights],
        EMBEDDINGS: model.tables,
    }


class Optimizers:
    """All optimizers under one learning-rate multiplier.

    Args:
        model: whose gradients live in `gradients` from now on.
        config: the learning rates.
        world: the ranks that share the work; all must call `step` together.

    Attributes:
        gradients: to be filled by a step's backward passes before `step`.
    """

    def __init__(self, model: GPT, config: OptimizerConfig, world: World) -> None:
        buckets = gradient_buckets(model)
        self.gradients = GradientReducer(buckets, world)
        rates = {HEAD: config.head_lr, SCALARS: config.scalar_lr, EMBEDDINGS: config.embedding_lr}
        fused = world.device.type == "cuda"
        self._adams = {name: (lr, Adam(buckets[name], fused=fused)) for name, lr in rates.items()}
        self._muon = Muon(model.hidden_matrices(), world, DTYPES[config.muon_dtype])
        self._muon_lr = config.muon_lr
        self._blocks = [name for name in buckets if name not in rates]

    def step(self, *, multiplier: float, momentum: float) -> None:
        """Update every parameter from its gradient.

        The order is that in which the sums over the ranks arrive: the embeddings, which start
        last and are the largest, travel while Muon computes.
        """
        self._step_adam(HEAD, multiplier)
        self._step_adam(SCALARS, multiplier)
        for block in self._blocks:
            self.gradients.wait(block)
        self._muon.step(lr=self._muon_lr * multiplier, momentum=momentum)
        self._step_adam(EMBEDDINGS, multiplier)

    def state(self) -> list[Tensor]:
        """A copy of what the optimizers remember from step to step."""
        return [tensor.clone() for tensor in self._state()]

    @torch.no_grad()
    def restore(self, state: Sequence[Tensor]) -> None:
        """Remember what `state` returned; every tensor stays where it is in memory."""
        for tensor, saved in zip(self._state(), state, strict=True):
            tensor.copy_(saved)

    def _state(self) -> list[Tensor]:
        adams = [tensor for _, adam in self._adams.values() for tensor in adam.state()]
        return [*adams, *self._muon.state()]

    def _step_adam(self, bucket: str, multiplier: float) -> None:
        self.gradients.wait(bucket)
        lr, adam = self._adams[bucket]
        adam.step(lr=lr * multiplier)
