"""The operations on a GPU: kernels of our own between cuBLAS products, gradients by hand.

One sequence passes at a time. Activations are bfloat16; every kernel computes in float32 and
rounds once. Products use bfloat16 copies of the float32 weights. Backward passes add the gradients
of matrices and tables to `.grad` in place (see `gradients`) and return the others.

Shapes as in `trainer.operations`, with B = 1.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.autograd import Function

from trainer.attention import NORM_EPS
from trainer.head import Precision, head_loss, validation_loss
from trainer.kernels import embedding, heads, mlp, residual
from trainer.masks import block_mask
from trainer.operations import flex
from trainer.operations.flex import FlexMask
from trainer.operations.gradients import add_product_, gradient_of
from trainer.operations.protocol import Mixed, Rotary


class FusedContext(NamedTuple):
    """What the layers of one pass share.

    Attributes:
        long: mask of the layers with the long window.
        short: of those with the short one.
        tokens: (T,).
        segments: the tokens' positions sorted by token, for the gradients of the tables.
    """

    long: FlexMask
    short: FlexMask
    tokens: Tensor
    segments: embedding.Segments


class _Embed(Function):
    @staticmethod
    def forward(ctx: Any, table: Tensor, context: FusedContext) -> Tensor:
        normed, rstd = embedding.embed_norm(table, context.tokens, NORM_EPS)
        ctx.save_for_backward(normed, rstd)
        ctx.table, ctx.segments = table, context.segments
        return normed.unsqueeze(0)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[None, ...]:
        normed, rstd = ctx.saved_tensors
        rows = embedding.embed_norm_backward(gradients[0][0], normed, rstd)
        embedding.add_rows_(gradient_of(ctx.table), rows, ctx.segments, None)
        return None, None


class _MixNorm(Function):
    @staticmethod
    def forward(
        ctx: Any,
        stream: Tensor,
        delta: Tensor | None,
        x0: Tensor,
        mix: Tensor,
        skip: Tensor | None,
        weight: Tensor | None,
    ) -> tuple[Tensor | None, Tensor, Tensor, Tensor]:
        ctx.set_materialize_grads(False)
        flat = [None if t is None else t[0] for t in (stream, delta, x0, skip)]
        result = residual.mix_norm(*flat[:3], mix, flat[3], weight, NORM_EPS)
        ctx.save_for_backward(result.x, result.normed, result.rstd, x0, mix, skip, weight)
        ctx.opens = delta is None
        x = None if delta is None else result.x.unsqueeze(0)
        return x, result.mixed.unsqueeze(0), result.normed.unsqueeze(0), x0.view_as(x0)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor | None) -> tuple[Tensor | None, ...]:
        x, normed, rstd, x0, mix, skip, weight = ctx.saved_tensors
        d_x, d_stream, d_normed, d_x0 = (None if g is None else g[0] for g in gradients)
        # Each layer adds its share to one buffer, which travels down the layers with the graph.
        d_x0 = torch.zeros_like(x0[0]) if d_x0 is None else d_x0
        result = residual.mix_norm_backward(
            d_x,
            d_stream,
            d_normed,
            normed,
            rstd,
            x,
            x0[0],
            mix,
            None if skip is None else skip[0],
            weight,
            d_x0,
        )
        d_out = result.d_stream.unsqueeze(0)
        d_skip = None if result.d_skip is None else result.d_skip.unsqueeze(0)
        return (
            d_out,
            None if ctx.opens else d_out,
            d_x0.unsqueeze(0),
            result.d_mix,
            d_skip,
            result.d_weight,
        )


class _AddNorm(Function):
    @staticmethod
    def forward(ctx: Any, stream: Tensor, delta: Tensor) -> tuple[Tensor, Tensor]:
        ctx.set_materialize_grads(False)
        total, normed, rstd = residual.add_norm(stream[0], delta[0], NORM_EPS)
        ctx.save_for_backward(normed, rstd)
        return total.unsqueeze(0), normed.unsqueeze(0)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor | None) -> tuple[Tensor, Tensor]:
        normed, rstd = ctx.saved_tensors
        d_total, d_normed = gradients[0], gradients[1]
        assert d_normed is not None  # noqa: S101 - the norm is what a layer is for
        d_total = None if d_total is None else d_total[0]
        d_out = residual.add_norm_backward(d_total, d_normed[0], normed, rstd).unsqueeze(0)
        return d_out, d_out


class _Project(Function):
    @staticmethod
    def forward(  # noqa: PLR0913, PLR0917 - autograd passes inputs one by one
        ctx: Any,
        normed: Tensor,
        qkv: Tensor,
        copy: Tensor,
        count: int,
        table: Tensor | None,
        mix: Tensor,
        rotary: Rotary,
        context: FusedContext,
    ) -> tuple[Tensor, Tensor, Tensor]:
        length, width = normed.shape[1:]
        projected = (normed[0] @ copy.flatten(0, 1).mT).view(length, 3, count, width // count)
        v, rstd = heads.split_heads(
            projected,
            mix,
            table,
            None if table is None else context.tokens,
            *rotary,
            NORM_EPS,
        )
        ctx.save_for_backward(normed, projected, rstd, mix, copy, *rotary)
        ctx.qkv, ctx.table, ctx.context = qkv, table, context
        return tuple(t.transpose(0, 1).unsqueeze(0) for t in (*projected.unbind(1)[:2], v))  # type: ignore[return-value]  # three

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        normed, projected, rstd, mix, copy, cos, sin = ctx.saved_tensors
        table, context = ctx.table, ctx.context
        d_q, d_k, d_v = (_by_token(g) for g in gradients)
        tokens = None if table is None else context.tokens
        d_projected, d_mix = heads.split_heads_backward(
            d_q, d_k, d_v, projected, rstd, mix, table, tokens, cos, sin
        )
        if table is not None:
            embedding.add_rows_(gradient_of(table), d_v.flatten(1), context.segments, mix[1:])
        d_flat = d_projected.flatten(1)
        add_product_(gradient_of(ctx.qkv).flatten(0, 1), d_flat.mT, normed[0])
        d_normed = (d_flat @ copy.flatten(0, 1)).unsqueeze(0)
        return d_normed, None, None, None, None, d_mix, None, None


def _by_token(gradient: Tensor) -> Tensor:
    """(1, H, T, E) as (T, H, E), with the features of a head side by side in memory."""
    rows = gradient[0].transpose(0, 1)
    return rows if rows.stride(2) == 1 else rows.contiguous()


class _Linear(Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, copy: Tensor) -> Tensor:
        ctx.save_for_backward(x, copy)
        ctx.weight = weight
        return x @ copy.mT

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        x, copy = ctx.saved_tensors
        add_product_(gradient_of(ctx.weight), gradients[0][0].mT, x[0])
        return gradients[0] @ copy, None, None


class _MLP(Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, up: Tensor, down: Tensor, *copies: Tensor) -> Tensor:
        hidden = mlp.up_relu_squared(x[0], copies[0])
        ctx.save_for_backward(x, hidden, *copies)
        ctx.up, ctx.down = up, down
        return (hidden @ copies[1].mT).unsqueeze(0)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        x, hidden, up, down = ctx.saved_tensors
        d_out = gradients[0][0]
        add_product_(gradient_of(ctx.down), d_out.mT, hidden)
        d_before = mlp.down_backward_relu_squared(d_out, down, hidden)
        add_product_(gradient_of(ctx.up), d_before.mT, x[0])
        return (d_before @ up).unsqueeze(0), None, None, None, None


class FusedOperations:
    """See `protocol.Operations`.

    Args:
        precision: of the head's products in training.
        dtype: of the activations and of the weights' copies.
    """

    def __init__(self, precision: Precision, dtype: torch.dtype = torch.bfloat16) -> None:
        self.precision = precision
        self.dtype = dtype
        self._copies: dict[Tensor, Tensor] = {}

    def embed(self, table: Tensor, tokens: Tensor, context: FusedContext) -> Tensor:  # noqa: ARG002 - protocol
        """Look up and normalise."""
        result: Tensor = _Embed.apply(table, context)  # type: ignore[no-untyped-call]
        return result

    def look_up(self, table: Tensor, tokens: Tensor) -> Tensor:  # noqa: ARG002 - protocol
        """The table: `project` reads its rows itself."""
        return table

    def mix_norm(
        self,
        stream: Tensor,
        delta: Tensor | None,
        x0: Tensor,
        mix: Tensor,
        skip: Tensor | None,
        weight: Tensor | None,
    ) -> Mixed:
        """Open a layer in one kernel."""
        return Mixed(*_MixNorm.apply(stream, delta, x0, mix, skip, weight))  # type: ignore[no-untyped-call]

    def add_norm(self, stream: Tensor, delta: Tensor) -> tuple[Tensor, Tensor]:
        """Add and normalise in one kernel."""
        result: tuple[Tensor, Tensor] = _AddNorm.apply(stream, delta)  # type: ignore[no-untyped-call]
        return result

    def project(
        self,
        normed: Tensor,
        qkv: Tensor,
        heads: int,
        value: Tensor | None,
        mix: Tensor,
        rotary: Rotary,
        context: FusedContext,
    ) -> tuple[Tensor, Tensor, Tensor]:
        """One product, then one kernel for everything else."""
        result: tuple[Tensor, Tensor, Tensor] = _Project.apply(  # type: ignore[no-untyped-call]
            normed, qkv, self._copy(qkv), heads, value, mix, rotary, context
        )
        return result

    def attend(self, q: Tensor, k: Tensor, v: Tensor, mask: FlexMask, scale: float) -> Tensor:
        """FlexAttention."""
        return flex.attend(q, k, v, mask, scale)

    def linear(self, x: Tensor, weight: Tensor) -> Tensor:
        """One product."""
        result: Tensor = _Linear.apply(x, weight, self._copy(weight))  # type: ignore[no-untyped-call]
        return result

    def mlp(self, x: Tensor, up: Tensor, down: Tensor) -> Tensor:
        """Two products, the first with ReLU squared in its epilogue."""
        copies = (self._copy(up), self._copy(down))
        result: Tensor = _MLP.apply(x, up, down, *copies)  # type: ignore[no-untyped-call]
        return result

    def loss(self, normed: Tensor, head: Tensor, targets: Tensor) -> Tensor:
        """The head in `precision` where gradients are wanted, else in the activations' dtype."""
        if torch.is_grad_enabled():
            return head_loss(normed[0], head, targets[0], self.precision)
        return validation_loss(normed[0], head, targets[0])

    def context(
        self, tokens: Tensor, documents: Tensor, block_size: int, windows: tuple[int, int]
    ) -> FusedContext:
        """Block masks from one build."""
        long, short = windows
        blocks = block_mask(documents, block_size, long)
        long_mask, short_mask = (
            FlexMask(documents, flex.block_lists(mask), block_size)
            for mask in (blocks, blocks.within(short))
        )
        segments = embedding.sort_tokens(tokens[0])
        return FusedContext(long_mask, short_mask, tokens[0], segments)

    def refresh(self, matrices: Iterable[nn.Parameter]) -> None:
        """Copy the weights anew."""
        for matrix in matrices:
            self._copy(matrix)
        with torch.no_grad():
            torch._foreach_copy_(list(self._copies.values()), list(self._copies))

    def _copy(self, weight: Tensor) -> Tensor:
        copy = self._copies.get(weight)
        if copy is None:
            copy = self._copies[weight] = weight.detach().to(self.dtype, copy=True)
        return copy
