"""The operations in plain PyTorch, for any device and dtype."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812 - the field's standard name
from torch import Tensor

from trainer.operations.masks import AttentionBias, attention_bias
from trainer.operations.protocol import AttentionWeights, Heads, Mixed
from trainer.operations.rotary import norm, rotate
from trainer.schedule import Window

# logits = 30 * sigmoid(z / 7.5): bounded, so that no single token can dominate the loss.
LOGIT_CAP = 30.0
LOGIT_TEMPERATURE = 7.5


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


def logits(normed: Tensor, head: Tensor) -> Tensor:
    """Softcapped logits (B, T, V), in float32 at least, of normed (B, T, D) and head (V, D)."""
    z = _linear(normed, head)
    z = z.to(torch.promote_types(z.dtype, torch.float32))
    return LOGIT_CAP * torch.sigmoid(z / LOGIT_TEMPERATURE)


def _linear(x: Tensor, weight: Tensor) -> Tensor:
    return F.linear(x, weight.type_as(x))


def _project(
    normed: Tensor, qkv: Tensor, value: Tensor | None, mix: Tensor, heads: Heads, eps: float
) -> tuple[Tensor, Tensor, Tensor]:
    """Queries and keys, normalised and turned, and mixed values, (B, H, T, E) each."""
    shape = normed.shape[:2]
    projected = F.linear(normed, qkv.flatten(0, 1).type_as(normed))
    qk, v = torch.split(projected, [2 * normed.shape[-1], normed.shape[-1]], dim=-1)
    l0, l1 = mix.unbind()
    v = l0 * v
    if value is not None:
        v = v + l1 * value
    # Q and K are normalised and turned alike: as 2H heads of one tensor (B, T, 2H, E).
    qk = rotate(norm(qk.view(*shape, 2 * heads.number, -1), eps), *heads.rotary)
    q, k = qk.transpose(1, 2).chunk(2, dim=1)
    return q, k, v.view(*shape, heads.number, -1).transpose(1, 2)


class PlainOperations:
    """See `protocol.Operations`; autograd keeps whatever it needs.

    Args:
        dtype: of the activations.
        eps: of the norms.
    """

    def __init__(self, dtype: torch.dtype, eps: float) -> None:
        self.dtype = dtype
        self.eps = eps

    def embed(self, table: Tensor, tokens: Tensor, context: AttentionBias) -> Tensor:  # noqa: ARG002 - protocol
        """Look up and normalise."""
        return norm(F.embedding(tokens, table), self.eps)

    def look_up(self, table: Tensor, tokens: Tensor) -> Tensor:
        """Value embeddings (B, T, D)."""
        return F.embedding(tokens, table)

    def mix_norm(
        self,
        x: Tensor,
        x0: Tensor,
        mix: Tensor,
        skip: Tensor | None,
        weight: Tensor | None,
        *,
        attends: bool,  # noqa: ARG002 - protocol
    ) -> Mixed:
        """Open a layer."""
        y = x if weight is None else x + weight * (x if skip is None else skip)
        a, b = mix.unbind()
        y = a * y + b * x0
        return Mixed(x, y, norm(y, self.eps), x0)

    def norm(self, stream: Tensor) -> tuple[Tensor, Tensor]:
        """Normalise."""
        return stream, norm(stream, self.eps)

    def add_attention(
        self,
        mixed: Mixed,
        weights: AttentionWeights,
        value: Tensor | None,
        heads: Heads,
        context: AttentionBias,
        *,
        long: bool,
    ) -> Tensor:
        """Dense attention; the mask (B, 1, T, T) is added to the scores."""
        mask = context.long if long else context.short
        q, k, v = _project(mixed.normed, weights.qkv, value, weights.mix, heads, self.eps)
        y = F.scaled_dot_product_attention(q, k, v, attn_mask=mask, scale=heads.scale)
        return mixed.stream + _linear(y.transpose(1, 2).flatten(2), weights.out)

    def add_mlp(self, stream: Tensor, normed: Tensor | None, up: Tensor, down: Tensor) -> Tensor:
        """Two matrix products."""
        normed = norm(stream, self.eps) if normed is None else normed
        return stream + _linear(relu_squared(_linear(normed, up)), down)

    def loss(self, normed: Tensor, head: Tensor, targets: Tensor) -> Tensor:
        """Log-softmax over all rows of the head."""
        return F.cross_entropy(logits(normed, head).flatten(0, 1), targets.flatten())

    def context(
        self,
        tokens: Tensor,  # noqa: ARG002 - protocol
        documents: Tensor,
        block_size: int,
        windows: tuple[int, int],
    ) -> AttentionBias:
        """Dense masks."""
        return attention_bias(documents, block_size, Window(*windows), self.dtype)

    def refresh(self) -> None:
        """Nothing was copied."""
