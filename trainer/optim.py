"""Which parameter goes to which optimizer: Muon for hidden matrices, Adam for the rest."""

from __future__ import annotations

import torch
from torch.optim import Adam

from trainer.config import OptimizerConfig
from trainer.distributed import World
from trainer.model import DTYPES, GPT
from trainer.muon import Muon

ADAM_BETAS = (0.8, 0.95)
ADAM_EPS = 1e-10


def make_adam(model: GPT, config: OptimizerConfig) -> Adam:
    """Adam with three groups: head, embedding tables, scalars and vectors.

    torch's, with bias correction and neither weight decay nor clipping; dense over all rows.
    Moments have the dtype of their parameter.
    """
    tables = [model.embedding.weight, *model.value_embeddings.parameters()]
    scalars = [model.residual_mix, model.value_mix, model.skip_weights]
    groups = [
        {"params": [model.head], "lr": config.head_lr},
        {"params": tables, "lr": config.embedding_lr},
        {"params": scalars, "lr": config.scalar_lr},
    ]
    return Adam(groups, betas=ADAM_BETAS, eps=ADAM_EPS, fused=True)


class Optimizers:
    """Both optimizers under one learning-rate multiplier."""

    def __init__(self, model: GPT, config: OptimizerConfig, world: World) -> None:
        self.adam = make_adam(model, config)
        self.muon = Muon(model.hidden_matrices(), world, DTYPES[config.muon_dtype])
        self._muon_lr = config.muon_lr
        self._adam_lrs = [group["lr"] for group in self.adam.param_groups]

    def step(self, *, multiplier: float, momentum: float) -> None:
        """Update every parameter from its gradient, then drop the gradients."""
        for group, lr in zip(self.adam.param_groups, self._adam_lrs, strict=True):
            group["lr"] = lr * multiplier
        self.adam.step()
        self.muon.step(lr=self._muon_lr * multiplier, momentum=momentum)


def gradients(model: torch.nn.Module) -> list[torch.Tensor]:
    """The gradients of all parameters, in the model's order."""
    return [parameter.grad for parameter in model.parameters() if parameter.grad is not None]
