"""Attention between its two products, with gradients by hand.

Shapes as in `trainer.operations`, without B.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from torch import Tensor
from torch.autograd import Function

from trainer.kernels import attention, embedding, project
from trainer.kernels.attention_backward import (
    Projection,
    ProjectionGradients,
    attend_projection_backward,
)
from trainer.kernels.attention_merge import merge_, merge_backward
from trainer.operations.gradients import add_product_, gradient_of
from trainer.operations.masks import Interval
from trainer.operations.protocol import Heads

# By how much rounding to bfloat16 may lengthen two heads, and with them their product.
ROUNDING_OF_SCORES = 1.02


class FusedContext(NamedTuple):
    """What the layers of one pass share.

    Attributes:
        long: who sees whom in the layers with the long window.
        short: in those with the short one.
        tokens: (T,).
        segments: the tokens' positions sorted by token, for the gradients of the tables.
    """

    long: Interval
    short: Interval
    tokens: Tensor
    segments: embedding.Segments


class ValueTable:
    """A table of value embeddings in one pass; the gradients of two layers are added at once.

    Args:
        weight: (vocabulary, D), to whose gradient is added.
    """

    def __init__(self, weight: Tensor) -> None:
        self.weight = weight
        self._readers = 0
        self._waiting: list[embedding.Rows] = []

    def read(self) -> Tensor:
        """The rows, for a layer that will come back with their gradient."""
        self._readers += 1
        return self.weight

    def add_gradient_(self, rows: embedding.Rows, segments: embedding.Segments) -> None:
        """Take a layer's gradient; add it now or with the next layer's."""
        self._readers -= 1
        self._waiting.append(rows)
        if len(self._waiting) == 2 or self._readers == 0:
            embedding.add_rows_(gradient_of(self.weight), self._waiting, segments)
            self._waiting.clear()


class Layer(NamedTuple):
    """What a layer attends with, except what autograd has to see.

    Attributes:
        qkv: weights (3, D, D), to whose gradients is added.
        out: (D, D), likewise.
        table: of value embeddings, or None.
        heads: how they attend.
        context: of the pass.
        mask: who sees whom.
    """

    qkv: Tensor
    out: Tensor
    table: ValueTable | None
    heads: Heads
    context: FusedContext
    mask: Interval


def largest_score(features: int, scale: float) -> float:
    """Bound the scores of normed heads: their norms are at most the root of the features."""
    return ROUNDING_OF_SCORES * features * scale


class AddAttention(Function):
    """Projection, attention under intervals, and the product that merges heads and adds.

    One function, since kernels of the backward pass reach from each into the next.
    """

    @staticmethod
    def forward(
        ctx: Any,
        stream: Tensor,
        normed: Tensor,
        stream_rstd: Tensor | None,
        mix: Tensor,
        layer: Layer,
        eps: float,
        *copies: Tensor,
    ) -> Tensor:
        """Add to the stream (T, D), see `protocol.Mixed`; `copies` are of the layer's weights."""
        ctx.mark_dirty(stream)
        values: tuple[Tensor | None, Tensor | None] = (None, None)
        if layer.table is not None:
            values = (layer.table.read(), layer.context.tokens)
        cos, sin = layer.heads.rotary
        qkv, v, rstd = project.project(normed, copies[0], mix, *values, cos, sin, eps)
        q, k, _ = qkv.unbind(1)
        scale = layer.heads.scale
        bound = largest_score(q.shape[2], scale)
        out, lse = attention.attend(q, k, v, layer.mask.low, scale, bound=bound)
        ctx.layer = layer
        ctx.save_for_backward(normed, *copies, v, out, lse, qkv, rstd, mix, *values, cos, sin)
        return merge_(stream, out, copies[1], normed, stream_rstd)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        """Return the gradients of stream, normed and mix."""
        (d_stream,), layer = gradients, ctx.layer
        normed, qkv, merge, v, out, lse, *tensors = ctx.saved_tensors
        projection = Projection(*tensors)
        add_product_(gradient_of(layer.out), d_stream.mT, out.flatten(1))
        d_out, lse_delta = merge_backward(d_stream, merge, out, lse)
        d = attend_projection_backward(
            d_out, projection, v, lse_delta, layer.mask, layer.heads.scale
        )
        d_normed = _add_gradients(layer, d, projection.mix, normed, qkv)
        return d_stream, d_normed, None, d.mix, None, None, None, None


def _add_gradients(
    layer: Layer, d: ProjectionGradients, mix: Tensor, normed: Tensor, copy: Tensor
) -> Tensor:
    """Add to the gradients of the projection's weights and of the table; return that of normed."""
    if layer.table is not None:
        assert d.v is not None  # noqa: S101 - there is one wherever there is a table
        d_rows = embedding.Rows(d.v.flatten(1), mix[1:])
        layer.table.add_gradient_(d_rows, layer.context.segments)
    d_flat = d.qkv.flatten(1)
    gradient = gradient_of(layer.qkv).flatten(0, 1)
    # Q and K, then V: each fits the multiprocessors as cuBLAS cuts it up, the three do not.
    border = 2 * copy.shape[1]
    for rows in (slice(None, border), slice(border, None)):
        add_product_(gradient[rows], d_flat[:, rows].mT, normed)
    return d_flat @ copy.flatten(0, 1)
