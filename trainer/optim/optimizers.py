"""Which parameter goes to which optimizer: Muon for hidden matrices, Adam for the rest."""

from __future__ import annotations

from torch import nn

from trainer.config import OptimizerConfig
from trainer.model import DTYPES, GPT
from trainer.optim.adam import SharedAdam
from trainer.optim.muon import Muon
from trainer.optim.reduction import (
    EMBEDDINGS,
    HEAD,
    SCALARS,
    GradientReducer,
    Name,
    values_of,
)
from trainer.runtime.distributed import Pending, World


def gradient_buckets(model: GPT) -> dict[Name, list[nn.Parameter]]:
    """Every parameter of the model, by the moment in a backward pass that completes its gradient.

    The head comes first, then the blocks from the last to the first, each behind the value
    embeddings that it is the first to read. Layer 0 ends with the pass, as does what all layers
    share: its value embeddings go with the embedding.
    """
    embedding, values_of_0, *later_values = model.tables
    buckets: dict[Name, list[nn.Parameter]] = {HEAD: [model.head]}
    for layer, block in reversed(list(enumerate(model.layers))):
        if 1 <= layer <= len(later_values):
            buckets[values_of(layer)] = [later_values[layer - 1]]
        buckets[layer] = list(block.parameters())
    buckets[SCALARS] = [model.residual_mix, model.value_mix, model.skip_weights]
    buckets[EMBEDDINGS] = [embedding, values_of_0]
    return buckets


class Optimizers:
    """All optimizers under one learning-rate multiplier.

    The ranks divide the work: of Adam's buckets each updates its share, of Muon's matrices some.

    Args:
        model: whose gradients live in `gradients` from now on, and Adam's weights in buffers.
        config: the learning rates.
        world: the ranks that share the work; all must call `step` together.

    Attributes:
        gradients: to be filled by a step's backward passes before `step`.
    """

    def __init__(self, model: GPT, config: OptimizerConfig, world: World) -> None:
        buckets = gradient_buckets(model)
        self._blocks = [name for name in buckets if isinstance(name, int)]
        own_rates = {HEAD: config.head_lr, SCALARS: config.scalar_lr}
        rates = {
            name: own_rates.get(name, config.embedding_lr)
            for name in buckets
            if isinstance(name, str)
        }
        self.gradients = GradientReducer(buckets, world, shared=rates)
        self._adams = {
            name: SharedAdam(buckets[name], self.gradients.share(name), world, lr)
            for name, lr in rates.items()
        }
        self._muon = Muon(model.hidden_matrices(), world, DTYPES[config.muon_dtype])
        self._muon_lr = config.muon_lr

    def step(self, *, multiplier: float, momentum: float) -> None:
        """Update every parameter from its gradient.

        The order is that in which the sums over the ranks arrive: the last, the embeddings',
        travel while Muon computes.
        """
        early = [self._start_adam(name, multiplier) for name in self._adams if name != EMBEDDINGS]
        for block in self._blocks:
            self.gradients.wait(block)
        updates = self._muon.start_update(momentum)
        last = self._start_adam(EMBEDDINGS, multiplier)
        self._muon.apply(updates, lr=self._muon_lr * multiplier)
        for weights in (*early, last):
            weights.wait()

    def _start_adam(self, bucket: str, multiplier: float) -> Pending:
        self.gradients.wait(bucket)
        return self._adams[bucket].start_step(multiplier)
