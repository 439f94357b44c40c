"""The network: a GPT with a U-Net of skips, value embeddings and softcapped logits.

Shapes: B sequences, T tokens, D features, V = head_rows.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812 - the field's standard name
from torch import Tensor, nn

from trainer import layout
from trainer.attention import Attention, norm, rotary_tables
from trainer.config import ModelConfig
from trainer.masks import AttentionBias

# logits = 30 * sigmoid(z / 7.5): bounded, so that no single token can dominate the loss.
LOGIT_CAP = 30.0
LOGIT_TEMPERATURE = 7.5

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float64": torch.float64}


class _ReluSquared(torch.autograd.Function):
    """Autograd's own formula takes a relu, a power and two products; one product will do."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        positive = x.relu()
        ctx.save_for_backward(positive)
        return positive.square()

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        (positive,) = ctx.saved_tensors
        return torch.mul(gradients[0], positive).mul_(2)


def relu_squared(x: Tensor) -> Tensor:
    """max(x, 0) squared."""
    result: Tensor = _ReluSquared.apply(x)  # type: ignore[no-untyped-call]  # torch's own
    return result


class MLP(nn.Module):
    """D -> 4D, ReLU squared, 4D -> D."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.up = nn.Parameter(torch.empty(4 * width, width))
        self.down = nn.Parameter(torch.zeros(width, 4 * width))

    def forward(self, x: Tensor) -> Tensor:
        """(B, T, D) to (B, T, D)."""
        hidden = relu_squared(F.linear(x, self.up.type_as(x)))
        return F.linear(hidden, self.down.type_as(x))


class GPT(nn.Module):
    """The whole network.

    Scalars live in three tensors so that one optimizer step moves them together: `residual_mix`
    (depth, 2) holds each block's (a, b), `value_mix` (attention layers, 2) each attention's
    (l0, l1), `skip_weights` (depth / 2) the U-Net's w.

    Args:
        config: the shape of the network.
        max_length: tokens of the longest sequence, for the rotary tables.
    """

    cos: Tensor
    sin: Tensor

    def __init__(self, config: ModelConfig, max_length: int) -> None:
        super().__init__()
        self.config = config
        depth, width, dtype = config.depth, config.width, DTYPES[config.dtype]

        def table() -> nn.Embedding:
            return nn.Embedding(config.vocab_size, width, dtype=dtype)

        self.embedding = table()
        self.value_embeddings = nn.ModuleList(table() for _ in range(layout.value_tables(depth)))
        self.attentions = nn.ModuleDict(
            {
                str(layer): Attention(width, config.heads, config.softmax_scale)
                for layer in layout.attention_layers(depth)
            }
        )
        self.mlps = nn.ModuleList(MLP(width) for _ in range(depth))
        self.head = nn.Parameter(torch.zeros(config.head_rows, width))
        self.residual_mix = nn.Parameter(torch.tensor([1.0, 0.0]).repeat(depth, 1))
        self.value_mix = nn.Parameter(torch.full((len(self.attentions), 2), 0.5))
        self.skip_weights = nn.Parameter(torch.ones(depth // 2))
        for name, buffer in zip(
            ("cos", "sin"), rotary_tables(max_length, config.head_dim), strict=True
        ):
            self.register_buffer(name, buffer, persistent=False)
        self._initialise()

    @torch.no_grad()
    def _initialise(self) -> None:
        """Uniform with half of the usual 1/sqrt(fan_in); what is zero or normal already is so."""
        for module in self.modules():
            if isinstance(module, Attention):
                weight = module.qkv
            elif isinstance(module, MLP):
                weight = module.up
            else:
                continue
            bound = math.sqrt(3) * 0.5 / math.sqrt(weight.shape[-1])
            weight.uniform_(-bound, bound)

    def hidden_matrices(self) -> Iterator[nn.Parameter]:
        """The weights that Muon updates: all matrices between the embeddings and the head."""
        yield from self.attentions.parameters()
        yield from self.mlps.parameters()

    def forward(self, tokens: Tensor, targets: Tensor, bias: AttentionBias) -> Tensor:
        """Mean cross-entropy of `targets` (B, T), in nats per token."""
        logits = self.logits(tokens, bias)
        return F.cross_entropy(logits.flatten(0, 1), targets.flatten())

    def logits(self, tokens: Tensor, bias: AttentionBias) -> Tensor:
        """Softcapped logits (B, T, V), in float32 at least."""
        z = F.linear(norm(self._trunk(tokens, bias)), self.head.type_as(self.embedding.weight))
        z = z.to(torch.promote_types(z.dtype, torch.float32))
        return LOGIT_CAP * torch.sigmoid(z / LOGIT_TEMPERATURE)

    def _trunk(self, tokens: Tensor, bias: AttentionBias) -> Tensor:
        """The residual stream after the last block, (B, T, D)."""
        depth = self.config.depth
        x = x0 = norm(self.embedding(tokens))
        values = [table(tokens) for table in self.value_embeddings]
        skips: list[Tensor] = []
        # Scalars are taken out at once: one node in the graph rather than one for each.
        mixes = self.residual_mix.flatten().unbind()
        value_mixes = iter(self.value_mix.flatten().unbind())
        skip_weights = iter(self.skip_weights.unbind())
        for layer in range(depth):
            if layer >= depth // 2:
                x = x + next(skip_weights) * skips.pop()
            x = mixes[2 * layer] * x + mixes[2 * layer + 1] * x0
            if str(layer) in self.attentions:
                table = layout.value_table_of(layer, depth)
                x = x + self.attentions[str(layer)](
                    norm(x),
                    None if table is None else values[table],
                    (next(value_mixes), next(value_mixes)),
                    (self.cos, self.sin),
                    self._bias_of(layer, bias),
                )
            x = x + self.mlps[layer](norm(x))
            if layer < depth // 2:
                skips.append(x)
        return x

    def _bias_of(self, layer: int, bias: AttentionBias) -> Tensor:
        windows = self.config.windows
        long = windows == "all-long" or (
            windows == "long-short" and layer in layout.long_layers(self.config.depth)
        )
        return bias.long if long else bias.short
