"""What several kernels share: which card it is, types to compute in, and helpers on tiles."""

from __future__ import annotations

import math
from functools import lru_cache

import torch
import triton
import triton.language as tl
from torch import Tensor

LOG2_E = tl.constexpr(math.log2(math.e))
LN_2 = tl.constexpr(math.log(2))

# The first with the bulk copy engine and warpgroups.
HOPPER_CAPABILITY = (9, 0)
# Gluon is experimental and changes from one release of Triton to the next.
GLUON_RELEASE = "3.6."
# Of a head, for which attention's kernels in Gluon are written.
HOPPER_FEATURES = 128
# More than one, so that a persistent program's stride shows under Triton's interpreter.
INTERPRETED_PROGRAMS = 2


def is_hopper(device: torch.device) -> bool:
    """Whether kernels made for Hopper run there: sm_90 and later."""
    return device.type == "cuda" and torch.cuda.get_device_capability(device) >= HOPPER_CAPABILITY


def has_gluon(device: torch.device) -> bool:
    """Whether the kernels in Gluon run there: on Hopper itself, and under one release of Triton.

    Products of whole warpgroups, as they use them, are found on no later card.
    """
    is_sm_90 = (
        device.type == "cuda" and torch.cuda.get_device_capability(device) == HOPPER_CAPABILITY
    )
    return is_sm_90 and triton.__version__.startswith(GLUON_RELEASE)


@lru_cache
def program_count(device: torch.device) -> int:
    """Programs that keep a card busy if each takes tile after tile: one a multiprocessor."""
    if device.type == "cpu":
        return INTERPRETED_PROGRAMS
    return torch.cuda.get_device_properties(device).multi_processor_count


def wide_dtype(x: Tensor) -> torch.dtype:
    """In what a kernel computes: float32, or float64 for an `x` of float64."""
    return torch.promote_types(x.dtype, torch.float32)


def accumulator(x: Tensor) -> tl.dtype:
    """The same for a kernel."""
    return tl.float64 if x.dtype == torch.float64 else tl.float32


def widens(x: Tensor) -> bool:
    """Whether factors are widened before a product.

    Triton's interpreter keeps bfloat16 as bits; products of two are exact in float32.
    """
    return x.device.type == "cpu" and x.dtype == torch.bfloat16


def require_contiguous(*tensors: Tensor | None) -> None:
    """Raise ValueError unless every tensor that is given lies in memory without gaps."""
    for tensor in tensors:
        if tensor is not None and not tensor.is_contiguous():
            raise ValueError(
                f"a tensor {tuple(tensor.shape)} with strides {tensor.stride()} is not contiguous"
            )


def room_for(shape: torch.Size, dtype: torch.dtype, device: torch.device) -> Tensor:
    """Room for a result; float32 on the CPU where `dtype` is narrower, for `.to` to round.

    Triton's interpreter cuts digits off where a GPU rounds to the nearest.
    """
    if device.type == "cpu" and dtype.itemsize < torch.float32.itemsize:
        dtype = torch.float32
    return torch.empty(shape, dtype=dtype, device=device)


@triton.jit
def halves(x):
    """The left and the right half of the columns."""
    pairs = tl.reshape(x, (x.shape[0], 2, x.shape[1] // 2))
    return tl.split(tl.permute(pairs, (0, 2, 1)))


@triton.jit
def side_by_side(left, right):
    """One matrix of two of the same shape."""
    pairs = tl.permute(tl.join(left, right), (0, 2, 1))
    return tl.reshape(pairs, (left.shape[0], 2 * left.shape[1]))
