"""The output head and its loss: logits of every token, softcapped cross-entropy, their gradients.

Shapes: T tokens, D features, V rows of the output matrix (the vocabulary and its padding).

Training runs the head in FP8 where the card has it: `fp8_head_loss` is one operator from x and
the weight to the loss, whose backward reads what the forward has quantised. `plain_head_loss` is
the same in the type of x. Both keep z, the logits before the cap, from forward to backward.
"""

from __future__ import annotations

from typing import Any, Literal

import torch
import torch.nn.functional as F  # noqa: N812 - the field's standard name
from torch import Tensor

from trainer.kernels.logits import fits, logits_and_loss
from trainer.kernels.loss import (
    quantise,
    quantised_gradient,
    softcapped_gradient,
    softcapped_loss,
)

Precision = Literal["fp8", "bf16"]

# The record's scales into e4m3, which ends at 448; powers of two, so that they round nothing.
# Normed, x is at most sqrt(D) = 27.7 in size; the weight may reach 14 before it saturates.
X_SCALE = 2.0
W_SCALE = 32.0
# Of the gradient of the summed loss: the record's 2**29 of the mean over 65,536 tokens. e5m2
# then keeps probabilities down to 2**-29. The mean enters behind the products, so any T will do.
GRADIENT_SCALE = 2.0**13
# What cuBLAS asks of the extents of an FP8 product.
FP8_MULTIPLE = 16
# Compute capability of the first cards with FP8 tensor cores.
FP8_CAPABILITY = (8, 9)


def head_precision(device: torch.device) -> Precision:
    """How `head_loss` can best compute on `device`."""
    if device.type != "cuda" or torch.cuda.get_device_capability(device) < FP8_CAPABILITY:
        return "bf16"
    return "fp8"


def head_loss(x: Tensor, weight: Tensor, targets: Tensor, precision: Precision) -> Tensor:
    """Mean cross-entropy of 30 * sigmoid(x @ weight.T / 7.5), in nats per token.

    Args:
        x: (T, D), contiguous; bfloat16, or wider in tests.
        weight: (V, D) float32 master weights.
        targets: (T,) int64.
        precision: "fp8" needs a bfloat16 x; "bf16" multiplies in the type of x.

    Returns:
        a scalar, differentiable in x and weight.

    Raises:
        ValueError: "fp8" with an extent that is no multiple of 16.
    """
    if precision == "bf16":
        plain: Tensor = plain_head_loss(x, weight, targets)[0]
        return plain
    extents = (*x.shape, weight.shape[0])
    if any(extent % FP8_MULTIPLE for extent in extents):
        raise ValueError(
            f"(tokens, width, head rows) {extents} are not multiples of 16, as FP8 needs"
        )
    loss: Tensor = fp8_head_loss(x, weight, targets)[0]
    return loss


@torch.no_grad()
def validation_loss(x: Tensor, weight: Tensor, targets: Tensor) -> Tensor:
    """Mean cross-entropy as `head_loss` in the type of x, by exact functions, without gradient."""
    return softcapped_loss(F.linear(x, weight.type_as(x)), targets)[0].mean()


# Schemas are written out: PyTorch 2.9 cannot infer them from postponed annotations.
@torch.library.custom_op(
    "trainer::fp8_head_loss",
    mutates_args=(),
    schema="(Tensor x, Tensor weight, Tensor targets) -> (Tensor, Tensor, Tensor, Tensor, Tensor)",
)
def fp8_head_loss(
    x: Tensor, weight: Tensor, targets: Tensor
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """Mean loss, and for the backward z (T, V), log_sums (T,), and e4m3's x (D, T), weight (D, V).

    e4m3 leaves as bytes: opcheck calculates with results, which FP8 tensors do not allow.
    """
    x8, x8_transposed = quantise(x, X_SCALE)
    w8, w8_transposed = quantise(weight, W_SCALE)
    z, losses, log_sums = _fp8_loss(x8, w8, targets)
    x_bytes, w_bytes = x8_transposed.view(torch.uint8), w8_transposed.view(torch.uint8)
    return losses.mean(), z, log_sums, x_bytes, w_bytes


@fp8_head_loss.register_fake
def _(x: Tensor, weight: Tensor, _targets: Tensor) -> tuple[Tensor, ...]:
    (tokens, width), rows = x.shape, weight.shape[0]
    return (
        x.new_empty((), dtype=torch.float32),
        x.new_empty(tokens, rows, dtype=torch.bfloat16),
        x.new_empty(tokens, dtype=torch.float32),
        x.new_empty(width, tokens, dtype=torch.uint8),
        x.new_empty(width, rows, dtype=torch.uint8),
    )


@torch.library.custom_op(
    "trainer::fp8_head_loss_backward",
    mutates_args=(),
    schema=(
        "(Tensor d_loss, Tensor targets, Tensor z, Tensor log_sums, Tensor x_bytes, Tensor w_bytes)"
        " -> (Tensor, Tensor)"
    ),
)
def fp8_head_loss_backward(
    d_loss: Tensor, targets: Tensor, z: Tensor, log_sums: Tensor, x_bytes: Tensor, w_bytes: Tensor
) -> tuple[Tensor, Tensor]:
    """Gradients of x (T, D) in bfloat16 and of the weight (V, D) in float32, times d_loss."""
    x8, w8 = x_bytes.view(torch.float8_e4m3fn), w_bytes.view(torch.float8_e4m3fn)
    g8, g8_transposed = quantised_gradient(z, targets, log_sums, GRADIENT_SCALE, approximate=True)
    factor = d_loss / (len(z) * GRADIENT_SCALE)
    d_x = _fp8_product(g8, w8, factor / W_SCALE, torch.bfloat16, fast=False)
    d_weight = _fp8_product(g8_transposed, x8, factor / X_SCALE, torch.float32, fast=False)
    return d_x, d_weight


@fp8_head_loss_backward.register_fake
def _(
    _d: Tensor, _t: Tensor, z: Tensor, _l: Tensor, x: Tensor, _w: Tensor
) -> tuple[Tensor, Tensor]:
    (tokens, rows), width = z.shape, len(x)
    return (
        z.new_empty(tokens, width, dtype=torch.bfloat16),
        z.new_empty(rows, width, dtype=torch.float32),
    )


@torch.library.custom_op(
    "trainer::plain_head_loss",
    mutates_args=(),
    schema="(Tensor x, Tensor weight, Tensor targets) -> (Tensor, Tensor, Tensor)",
)
def plain_head_loss(x: Tensor, weight: Tensor, targets: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Mean loss, and for the backward z (T, V) and log_sums (T,)."""
    z = F.linear(x, weight.type_as(x))
    losses, log_sums = softcapped_loss(z, targets, approximate=True)
    return losses.mean(), z, log_sums


@plain_head_loss.register_fake
def _(x: Tensor, weight: Tensor, _targets: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    tokens, dtype = len(x), torch.promote_types(x.dtype, torch.float32)
    return (
        x.new_empty((), dtype=dtype),
        x.new_empty(tokens, len(weight)),
        x.new_empty(tokens, dtype=dtype),
    )


@torch.library.custom_op(
    "trainer::plain_head_loss_backward",
    mutates_args=(),
    schema=(
        "(Tensor d_loss, Tensor targets, Tensor z, Tensor log_sums, Tensor x, Tensor weight)"
        " -> (Tensor, Tensor)"
    ),
)
def plain_head_loss_backward(
    d_loss: Tensor, targets: Tensor, z: Tensor, log_sums: Tensor, x: Tensor, weight: Tensor
) -> tuple[Tensor, Tensor]:
    """Gradients of x and of the weight in their types, times d_loss."""
    g = softcapped_gradient(z, targets, log_sums, approximate=True)
    # The mean enters behind the products: two small tensors to multiply rather than one of (T, V).
    factor = d_loss / len(z)
    return (g @ weight.type_as(g)) * factor, (g.T @ x).type_as(weight) * factor


@plain_head_loss_backward.register_fake
def _(
    _d: Tensor, _t: Tensor, _z: Tensor, _l: Tensor, x: Tensor, weight: Tensor
) -> tuple[Tensor, Tensor]:
    return torch.empty_like(x), torch.empty_like(weight)


def _fp8_loss(x8: Tensor, w8: Tensor, targets: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Logits z, losses and log_sums: in one pass where the card can."""
    factor = 1 / (X_SCALE * W_SCALE)
    if fits(x8.device):
        return logits_and_loss(x8, w8, targets, factor)
    on_device = torch.full((), factor, dtype=torch.float32, device=x8.device)
    z = _fp8_product(x8, w8, on_device, torch.bfloat16, fast=True)
    losses, log_sums = softcapped_loss(z, targets, approximate=True)
    return z, losses, log_sums


def _fp8_product(a: Tensor, b: Tensor, factor: Tensor, dtype: torch.dtype, *, fast: bool) -> Tensor:
    """The product factor * a @ b.T for FP8 matrices a (M, K) and b (N, K), both contiguous.

    Args:
        a: e4m3 or e5m2.
        b: e4m3.
        factor: float32 scalar; on the device, since reading it here would wait for the GPU.
        dtype: of the result.
        fast: accumulate as the tensor cores do, in fewer than float32's bits.
    """
    one = torch.ones_like(factor)
    return torch._scaled_mm(
        a, b.t(), scale_a=factor, scale_b=one, out_dtype=dtype, use_fast_accum=fast
    )


def _keep_for_fp8(ctx: Any, inputs: tuple[Tensor, ...], output: tuple[Tensor, ...]) -> None:
    _keep(ctx, inputs[2], *output[1:], outputs=output)


def _keep_for_plain(ctx: Any, inputs: tuple[Tensor, ...], output: tuple[Tensor, ...]) -> None:
    x, weight, targets = inputs
    _keep(ctx, targets, *output[1:], x, weight, outputs=output)


def _keep(ctx: Any, *tensors: Tensor, outputs: tuple[Tensor, ...]) -> None:
    ctx.save_for_backward(*tensors)
    ctx.mark_non_differentiable(*outputs[1:])
    # Else autograd would write zeros as the gradient of z, as large as z.
    ctx.set_materialize_grads(False)


def _fp8_backward(ctx: Any, d_loss: Tensor, *_: None) -> tuple[Tensor, Tensor, None]:
    return (*fp8_head_loss_backward(d_loss, *ctx.saved_tensors), None)


def _plain_backward(ctx: Any, d_loss: Tensor, *_: None) -> tuple[Tensor, Tensor, None]:
    return (*plain_head_loss_backward(d_loss, *ctx.saved_tensors), None)


fp8_head_loss.register_autograd(_fp8_backward, setup_context=_keep_for_fp8)
plain_head_loss.register_autograd(_plain_backward, setup_context=_keep_for_plain)
