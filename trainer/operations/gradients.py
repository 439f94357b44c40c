"""Weight gradients, added in place to `.grad` in the weight's own precision.

A backward pass that returned them to autograd would write each gradient, read it again and add it
to the sum of the sequences before: three passes over memory where the matrix product needs one.
"""

from __future__ import annotations

import torch
from torch import Tensor


def gradient_of(weight: Tensor) -> Tensor:
    """`weight.grad`, zeros where there is none yet."""
    if weight.grad is None:
        weight.grad = torch.zeros_like(weight)
    return weight.grad


@torch.no_grad()
def add_product_(total: Tensor, left: Tensor, right: Tensor) -> None:
    """Add left @ right to total, accumulated in total's precision.

    Args:
        total: (rows, cols), contiguous.
        left: (rows, n).
        right: (n, cols), of left's dtype.
    """
    if total.dtype == left.dtype:
        total.addmm_(left, right)
    elif total.is_cuda:
        # cuBLAS adds in the product's epilogue; torch has this under its overload's name only.
        torch.ops.aten.addmm.dtype_out(total, left, right, total.dtype, out=total)
    else:
        total.addmm_(left.to(total.dtype), right.to(total.dtype))
