"""Attention and the projection before it, with gradients by hand.

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
from trainer.operations.gradients import add_product_, gradient_of
from trainer.operations.masks import Interval
from trainer.operations.protocol import Heads


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


class Attend(Function):
    """Projection and attention under intervals: their kernels meet in the backward pass."""

    @staticmethod
    def forward(  # noqa: PLR0913, PLR0917 - autograd passes inputs one by one
        ctx: Any,
        normed: Tensor,
        qkv: Tensor,
        copy: Tensor,
        table: Tensor | None,
        mix: Tensor,
        heads: Heads,
        context: FusedContext,
        mask: Interval,
        eps: float,
    ) -> Tensor:
        """Return (T, D)."""
        projection, v = _project(normed, copy, table, mix, heads, context, eps)
        q, k, _ = projection.qkv.unbind(1)
        out, lse = attention.attend(q, k, v, mask.low, heads.scale)
        ctx.save_for_backward(normed, copy, v, out, lse, *projection)
        ctx.qkv, ctx.table, ctx.segments = qkv, table, context.segments
        ctx.mask, ctx.scale = mask, heads.scale
        return out.flatten(1)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        """Return the gradients of normed and mix."""
        normed, copy, v, out, lse, *tensors = ctx.saved_tensors
        projection = Projection(*tensors)
        d_out = gradients[0].view_as(out)
        d = attend_projection_backward(d_out, projection, v, out, lse, ctx.mask, ctx.scale)
        d_normed = _add_gradients(ctx, d, projection.mix, normed, copy)
        return d_normed, None, None, None, d.mix, None, None, None, None


def _project(
    normed: Tensor,
    copy: Tensor,
    table: Tensor | None,
    mix: Tensor,
    heads: Heads,
    context: FusedContext,
    eps: float,
) -> tuple[Projection, Tensor]:
    tokens = None if table is None else context.tokens
    qkv, v, rstd = project.project(normed, copy, mix, table, tokens, *heads.rotary, eps)
    return Projection(qkv, rstd, mix, table, tokens, *heads.rotary), v


def _add_gradients(
    ctx: Any, d: ProjectionGradients, mix: Tensor, normed: Tensor, copy: Tensor
) -> Tensor:
    """Add to the gradients of the weights and of the table; return that of normed."""
    if ctx.table is not None:
        assert d.v is not None  # noqa: S101 - there is one wherever there is a table
        embedding.add_rows_(gradient_of(ctx.table), d.v.flatten(1), ctx.segments, mix[1:])
    d_flat = d.qkv.flatten(1)
    add_product_(gradient_of(ctx.qkv).flatten(0, 1), d_flat.mT, normed)
    return d_flat @ copy.flatten(0, 1)
