"""Tensors side by side in one buffer, so that to fill, exchange or update them is one call."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn


def flat_gradients(parameters: Sequence[nn.Parameter], ranks: int) -> Tensor:
    """Make every `.grad` a view of one buffer of zeros (n,), which is returned.

    Args:
        parameters: of one dtype and device.
        ranks: the buffer's length is a multiple of their number; it ends in zeros.
    """
    flat = _room(parameters, ranks)
    for parameter, view in zip(parameters, _views(parameters, flat), strict=True):
        parameter.grad = view
    return flat


@torch.no_grad()
def flat_values(parameters: Sequence[nn.Parameter], ranks: int) -> Tensor:
    """Move the parameters' values into one buffer (n,) laid out as that of `flat_gradients`."""
    flat = _room(parameters, ranks)
    for parameter, view in zip(parameters, _views(parameters, flat), strict=True):
        parameter.data = view.copy_(parameter)
    return flat


def _room(tensors: Sequence[Tensor], ranks: int) -> Tensor:
    length = sum(tensor.numel() for tensor in tensors)
    return tensors[0].detach().new_zeros(-(-length // ranks) * ranks)


def _views(tensors: Sequence[Tensor], flat: Tensor) -> list[Tensor]:
    counts = [tensor.numel() for tensor in tensors]
    parts = torch.split(flat[: sum(counts)], counts)
    return [part.view_as(tensor) for part, tensor in zip(parts, tensors, strict=True)]
