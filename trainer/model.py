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


class Block(nn.Module):
    """The weights of one layer; `attention` is None in the layer that has none."""

    def __init__(self, config: ModelConfig, layer: int) -> None:
        super().__init__()
        attends = layer != layout.attention_free_layer(config.depth)
        self.attention = (
            Attention(config.width, config.heads, config.softmax_scale) if attends else None
        )
        self.mlp = MLP(config.width)


class GPT(nn.Module):
    """The whole network.

    Scalars live in three tensors: `residual_mix` (depth, 2) holds each block's (a, b), `value_mix`
    (attention layers, 2) each attention's (l0, l1), `skip_weights` (depth / 2) the U-Net's w.

    Args:
        config: the shape of the network.
        max_length: tokens of the longest sequence, for the rotary tables.
    """

    cos: Tensor
    sin: Tensor

    def __init__(self, config: ModelConfig, max_length: int) -> None:
        super().__init__()
        depth, tables = config.depth, layout.value_tables(config.depth)
        self.config = config
        self.embedding = _embedding(config)
        self.value_embeddings = nn.ModuleList(_embedding(config) for _ in range(tables))
        self.blocks = nn.ModuleList(Block(config, layer) for layer in range(depth))
        self.head = nn.Parameter(torch.zeros(config.head_rows, config.width))
        self.residual_mix = nn.Parameter(torch.tensor([1.0, 0.0]).repeat(depth, 1))
        self.value_mix = nn.Parameter(torch.full((len(self.attentions), 2), 0.5))
        self.skip_weights = nn.Parameter(torch.ones(depth // 2))
        cos, sin = rotary_tables(max_length, config.head_dim)
        self.register_buffer("cos", cos, persistent=False)
        self.register_buffer("sin", sin, persistent=False)
        for weight in (*(a.qkv for a in self.attentions), *(mlp.up for mlp in self.mlps)):
            _initialise(weight)

    @property
    def attentions(self) -> list[Attention]:
        """The attentions of those layers that have one, in order."""
        return [block.attention for block in self._blocks() if block.attention is not None]

    @property
    def mlps(self) -> list[MLP]:
        """The MLPs of all layers."""
        return [block.mlp for block in self._blocks()]

    def hidden_matrices(self) -> Iterator[nn.Parameter]:
        """The weights that Muon updates: all matrices between the embeddings and the head."""
        for module in (*self.attentions, *self.mlps):
            yield from module.parameters()

    def forward(self, tokens: Tensor, targets: Tensor, bias: AttentionBias) -> Tensor:
        """Mean cross-entropy of `targets` (B, T), in nats per token."""
        logits = self.logits(tokens, bias)
        return F.cross_entropy(logits.flatten(0, 1), targets.flatten())

    def logits(self, tokens: Tensor, bias: AttentionBias) -> Tensor:
        """Softcapped logits (B, T, V), in float32 at least."""
        x = self._trunk(tokens, bias)
        z = F.linear(norm(x), self.head.type_as(x))
        z = z.to(torch.promote_types(z.dtype, torch.float32))
        return LOGIT_CAP * torch.sigmoid(z / LOGIT_TEMPERATURE)

    def _trunk(self, tokens: Tensor, bias: AttentionBias) -> Tensor:
        """The residual stream after the last block, (B, T, D)."""
        half = self.config.depth // 2
        x = x0 = norm(self.embedding(tokens))
        values = [table(tokens) for table in self.value_embeddings]
        skips: list[Tensor] = []
        # Scalars are taken out at once: one node in the graph rather than one for each.
        residual_mix = _pairs(self.residual_mix)
        value_mix = iter(_pairs(self.value_mix))
        skip_weights = iter(self.skip_weights.unbind())
        for layer, block in enumerate(self._blocks()):
            if layer >= half:
                x = x + next(skip_weights) * skips.pop()
            a, b = residual_mix[layer]
            x = a * x + b * x0
            if block.attention is not None:
                table = layout.value_table_of(layer, self.config.depth)
                x = x + block.attention(
                    norm(x),
                    None if table is None else values[table],
                    next(value_mix),
                    (self.cos, self.sin),
                    self._bias_of(layer, bias),
                )
            x = x + block.mlp(norm(x))
            if layer < half:
                skips.append(x)
        return x

    def _bias_of(self, layer: int, bias: AttentionBias) -> Tensor:
        windows = self.config.windows
        long = windows == "all-long" or (
            windows == "long-short" and layer in layout.long_layers(self.config.depth)
        )
        return bias.long if long else bias.short

    def _blocks(self) -> list[Block]:
        return [block for block in self.blocks if isinstance(block, Block)]


def _embedding(config: ModelConfig) -> nn.Embedding:
    """A table of standard normal rows."""
    return nn.Embedding(config.vocab_size, config.width, dtype=DTYPES[config.dtype])


@torch.no_grad()
def _initialise(weight: Tensor) -> None:
    """Uniform, with a standard deviation of half the usual 1/sqrt(fan_in)."""
    bound = math.sqrt(3) * 0.5 / math.sqrt(weight.shape[-1])
    weight.uniform_(-bound, bound)


def _pairs(scalars: Tensor) -> list[tuple[Tensor, Tensor]]:
    """The rows of (n, 2) as pairs of scalars."""
    flat = scalars.flatten().unbind()
    return list(zip(flat[::2], flat[1::2], strict=True))
