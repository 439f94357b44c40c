"""Which parameter goes to which optimizer: Muon for hidden matrices, Adam for the rest."""

from __future__ import annotations

from torch import Tensor, nn

from trainer.adam import Adam
from trainer.config import OptimizerConfig
from trainer.distributed import World
from trainer.model import DTYPES, GPT
from trainer.muon import Muon


def adam_groups(model: GPT, config: OptimizerConfig) -> list[tuple[float, list[Tensor]]]:
    """Learning rate and parameters of each group: head, embedding tables, scalars and vectors."""
    return [
        (config.head_lr, [model.head]),
        (config.embedding_lr, [model.embedding.weight, *model.value_embeddings.parameters()]),
        (config.scalar_lr, [model.residual_mix, model.value_mix, model.skip_weights]),
    ]


class Optimizers:
    """All optimizers under one learning-rate multiplier."""

    def __init__(self, model: GPT, config: OptimizerConfig, world: World) -> None:
        self._adams = [(lr, Adam(group)) for lr, group in adam_groups(model, config)]
        self._muon = Muon(model.hidden_matrices(), world, DTYPES[config.muon_dtype])
        self._muon_lr = config.muon_lr

    def step(self, *, multiplier: float, momentum: float) -> None:
        """Update every parameter from its gradient."""
        for lr, adam in self._adams:
            adam.step(lr=lr * multiplier)
        self._muon.step(lr=self._muon_lr * multiplier, momentum=momentum)


def gradients(model: nn.Module) -> list[Tensor]:
    """The gradients of all parameters, in the model's order."""
    return [parameter.grad for parameter in model.parameters() if parameter.grad is not None]
