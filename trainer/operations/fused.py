"""The operations on a GPU: kernels of our own between cuBLAS products, gradients by hand.

One sequence passes at a time, so that the first dimension of everything is T. Activations are
bfloat16; every kernel computes in float32 and rounds once. Products use bfloat16 copies of the
float32 weights. Backward passes add the gradients of matrices and tables to `.grad` in place (see
`gradients`) and return the others.

Shapes as in `trainer.operations`, without B.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd import Function

from trainer.kernels import embedding, mlp, residual
from trainer.kernels.attention_merge import restores_stream
from trainer.operations.fused_attention import AddAttention, FusedContext, Layer, ValueTable
from trainer.operations.gradients import add_product_, gradient_of
from trainer.operations.head import Precision, head_loss, validation_loss
from trainer.operations.masks import intervals
from trainer.operations.protocol import AttentionWeights, Heads, Mixed


class _Embed(Function):
    @staticmethod
    def forward(ctx: Any, table: Tensor, context: FusedContext, eps: float) -> Tensor:
        normed, rstd = embedding.embed_norm(table, context.tokens, eps)
        ctx.save_for_backward(normed, rstd)
        ctx.table, ctx.segments = table, context.segments
        return normed

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[None, None, None]:
        rows = embedding.embed_norm_backward(gradients[0], *ctx.saved_tensors)
        sources = [embedding.Rows(rows, None)]
        embedding.add_rows_(gradient_of(ctx.table), sources, ctx.segments)
        return None, None, None


class _Opening(NamedTuple):
    """How a layer is opened: epsilon of the norm, and whether to write the stream."""

    eps: float
    write: bool


class _MixNorm(Function):
    """Hands x and x0 through: their other gradients then arrive here and are added on the way."""

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        x0: Tensor,
        mix: Tensor,
        skip: Tensor | None,
        weight: Tensor | None,
        how: _Opening,
    ) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
        ctx.set_materialize_grads(False)
        mixed, normed, rstd = residual.mix_norm(x, x0, mix, skip, weight, how.eps, write=how.write)
        ctx.mark_non_differentiable(rstd)
        ctx.save_for_backward(rstd, x, x0, mix, skip, weight)
        return x.view_as(x), mixed, normed, x0.view_as(x0), rstd

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor | None) -> tuple[Tensor | None, ...]:
        rstd, x, x0, mix, skip, weight = ctx.saved_tensors
        d_x, d_stream, d_normed, d_x0, _ = gradients
        assert d_normed is not None  # noqa: S101 - the norm is what a layer is for
        # One buffer travels down the layers, and each adds its share.
        result = residual.mix_norm_backward(
            d_x, d_stream, d_normed, rstd, x, x0, mix, skip, weight, d_x0
        )
        return *result[:2], result.d_mix, result.d_skip, result.d_weight, None


class _Norm(Function):
    """Hands the stream through, for the same reason."""

    @staticmethod
    def forward(ctx: Any, stream: Tensor, eps: float) -> tuple[Tensor, Tensor]:
        ctx.set_materialize_grads(False)
        # Dirty, although unchanged: what is returned may be overwritten, a view of it may not.
        ctx.mark_dirty(stream)
        normed, rstd = residual.norm(stream, eps)
        ctx.save_for_backward(normed, rstd)
        return stream, normed

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor | None) -> tuple[Tensor, None]:
        d_stream, d_normed = gradients
        assert d_normed is not None  # noqa: S101 - as above
        return residual.norm_backward(d_stream, d_normed, *ctx.saved_tensors), None


class _AddMLP(Function):
    @staticmethod
    def forward(
        ctx: Any, stream: Tensor, normed: Tensor, up: Tensor, down: Tensor, *copies: Tensor
    ) -> Tensor:
        ctx.mark_dirty(stream)
        hidden = mlp.up_relu_squared(normed, copies[0])
        ctx.save_for_backward(normed, hidden, *copies)
        ctx.up, ctx.down = up, down
        return stream.addmm_(hidden, copies[1].mT)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        normed, hidden, up, down = ctx.saved_tensors
        (d_out,) = gradients
        add_product_(gradient_of(ctx.down), d_out.mT, hidden)
        d_before = mlp.down_backward_relu_squared(d_out, down, hidden)
        add_product_(gradient_of(ctx.up), d_before.mT, normed)
        return d_out, d_before @ up, None, None, None, None


class _AddNormedMLP(Function):
    """The norm before the MLP as well: its gradient ends the last product of the backward pass."""

    @staticmethod
    def forward(
        ctx: Any, stream: Tensor, up: Tensor, down: Tensor, eps: float, *copies: Tensor
    ) -> Tensor:
        ctx.mark_dirty(stream)
        normed, rstd = residual.norm(stream, eps)
        hidden = mlp.up_relu_squared(normed, copies[0])
        ctx.save_for_backward(normed, rstd, hidden, *copies)
        ctx.up, ctx.down = up, down
        return stream.addmm_(hidden, copies[1].mT)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        normed, rstd, hidden, up, down = ctx.saved_tensors
        (d_out,) = gradients
        add_product_(gradient_of(ctx.down), d_out.mT, hidden)
        d_before, d_stream = mlp.normed_mlp_backward(d_out, down, hidden, up, normed, rstd)
        add_product_(gradient_of(ctx.up), d_before.mT, normed)
        return d_stream, None, None, None, None, None


class FusedOperations:
    """See `protocol.Operations`.

    Args:
        eps: of the norms.
        precision: of the head's products in training.
        dtype: of the activations and of the weights' copies.
    """

    def __init__(
        self, eps: float, precision: Precision, dtype: torch.dtype = torch.bfloat16
    ) -> None:
        self.eps = eps
        self.precision = precision
        self.dtype = dtype
        self._copies: dict[Tensor, Tensor] = {}

    def embed(self, table: Tensor, tokens: Tensor, context: FusedContext) -> Tensor:  # noqa: ARG002 - protocol
        """Look up and normalise."""
        result: Tensor = _Embed.apply(table, context, self.eps)  # type: ignore[no-untyped-call]
        return result

    def look_up(self, table: Tensor, tokens: Tensor) -> ValueTable:  # noqa: ARG002 - protocol
        """The table: `add_attention` reads its rows itself."""
        return ValueTable(table)

    def mix_norm(
        self,
        x: Tensor,
        x0: Tensor,
        mix: Tensor,
        skip: Tensor | None,
        weight: Tensor | None,
        *,
        attends: bool,
    ) -> Mixed:
        """Open a layer in one kernel, which spares the stream where its norm will do."""
        how = _Opening(self.eps, write=not (attends and restores_stream(x)))
        mixed = Mixed(*_MixNorm.apply(x, x0, mix, skip, weight, how))  # type: ignore[no-untyped-call]
        return mixed._replace(rstd=None) if how.write else mixed

    def norm(self, stream: Tensor) -> tuple[Tensor, Tensor]:
        """Normalise in one kernel."""
        result: tuple[Tensor, Tensor] = _Norm.apply(stream, self.eps)  # type: ignore[no-untyped-call]
        return result

    def add_attention(
        self,
        mixed: Mixed,
        weights: AttentionWeights,
        value: ValueTable | None,
        heads: Heads,
        context: FusedContext,
        *,
        long: bool,
    ) -> Tensor:
        """Attention over intervals of keys, and a product that adds to the stream."""
        mask = context.long if long else context.short
        layer = Layer(weights.qkv, weights.out, value, heads, context, mask)
        copies = (self._copy(weights.qkv), self._copy(weights.out))
        result: Tensor = AddAttention.apply(  # type: ignore[no-untyped-call]
            mixed.stream, mixed.normed, mixed.rstd, weights.mix, layer, self.eps, *copies
        )
        return result

    def add_mlp(self, stream: Tensor, normed: Tensor | None, up: Tensor, down: Tensor) -> Tensor:
        """Two products: ReLU squared ends the first, the second adds to the stream."""
        copies = (self._copy(up), self._copy(down))
        result: Tensor
        if normed is None:
            result = _AddNormedMLP.apply(stream, up, down, self.eps, *copies)  # type: ignore[no-untyped-call]
        else:
            result = _AddMLP.apply(stream, normed, up, down, *copies)  # type: ignore[no-untyped-call]
        return result

    def loss(self, normed: Tensor, head: Tensor, targets: Tensor) -> Tensor:
        """The head in `precision` where gradients are wanted, else in the activations' dtype."""
        if torch.is_grad_enabled():
            return head_loss(normed, head, targets[0], self.precision)
        return validation_loss(normed, head, targets[0])

    def context(
        self, tokens: Tensor, documents: Tensor, block_size: int, windows: tuple[int, int]
    ) -> FusedContext:
        """Intervals for both windows from one look at the documents."""
        long, short = intervals(documents[0], block_size, windows)
        return FusedContext(long, short, tokens[0], embedding.sort_tokens(tokens[0]))

    def refresh(self) -> None:
        """Copy the weights anew."""
        if self._copies:
            with torch.no_grad():
                torch._foreach_copy_(list(self._copies.values()), list(self._copies))

    def _copy(self, weight: Tensor) -> Tensor:
        copy = self._copies.get(weight)
        if copy is None:
            copy = self._copies[weight] = weight.detach().to(self.dtype, copy=True)
        return copy
