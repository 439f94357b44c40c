"""Muon: momentum whose update is replaced by its nearest orthogonal matrix.

Keller Jordan's optimizer for hidden matrices: the momentum U S V^T becomes about U V^T, by a
Newton-Schulz iteration that needs matrix products only.
"""

from __future__ import annotations

import itertools
import math
from collections import defaultdict
from collections.abc import Iterable, Sequence

import torch
from torch import Tensor, nn

from trainer.optim.flat import flat_values
from trainer.runtime.distributed import Pending, World

# Coefficients of the quintic a*s + b*s^3 + c*s^5, applied to every singular value s: steep at 0
# (slope 3.44) so that five rounds suffice, at the price of ending anywhere in about [0.7, 1.2].
NEWTON_SCHULZ = (3.4445, -4.7750, 2.0315)
ITERATIONS = 5
# Gradients of all matrices are exactly 0 in the first step: 0 / (0 + eps) stays 0.
NORM_EPS = 1e-7


def orthogonalise(matrices: Tensor, dtype: torch.dtype) -> Tensor:
    """Newton-Schulz iteration on a stack of matrices (n, rows, cols), computed in `dtype`."""
    x = matrices.to(dtype)
    tall = x.shape[-2] > x.shape[-1]
    if tall:
        x = x.mT
    x = x / (x.norm(dim=(-2, -1), keepdim=True) + NORM_EPS)
    a, b, c = NEWTON_SCHULZ
    for _ in range(ITERATIONS):
        gram = x @ x.mT
        x = torch.baddbmm(x, torch.baddbmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    return x.mT if tall else x


class _Shape:
    """All matrices of one shape: one Newton-Schulz call for this rank's share of them.

    A parameter (3, rows, cols) counts as three matrices. The share is a contiguous part of the
    stack of all n matrices; the stack is padded with zeros to a multiple of the ranks. The values
    of the parameters move into one such stack, so that to move all of them is one pass.
    """

    def __init__(self, parameters: list[nn.Parameter], world: World, dtype: torch.dtype) -> None:
        self.parameters = parameters
        self.world = world
        self.dtype = dtype
        rows, cols = parameters[0].shape[-2:]
        self.counts = [parameter.numel() // (rows * cols) for parameter in parameters]
        share = -(-sum(self.counts) // world.size)
        self.own = _within(self.counts, world.rank * share, (world.rank + 1) * share)
        self.buffer = parameters[0].new_zeros(share, rows, cols)
        self.weights = flat_values(parameters, 1).view(-1, rows, cols)
        # An orthogonal matrix with more rows than columns has a smaller mean square.
        self.scale = math.sqrt(max(1.0, rows / cols))

    def start_update(self, momentum: float) -> Pending:
        """Orthogonalise this rank's share, and start collecting those of the others."""
        gradients = self._own_gradients()
        self.buffer.lerp_(gradients, 1 - momentum)
        ahead = gradients.lerp_(self.buffer, momentum)
        return self.world.start_gather(orthogonalise(ahead, self.dtype))

    def apply(self, updates: Tensor, lr: float) -> None:
        """Move all parameters by the stack of all ranks' shares."""
        self.weights.add_(updates[: len(self.weights)], alpha=-lr * self.scale)

    def _own_gradients(self) -> Tensor:
        """A copy of the share's gradients, (share, rows, cols)."""
        shape = self.buffer.shape
        stacks = [
            _gradient(parameter).view(-1, *shape[1:])[matrices]
            for parameter, matrices in zip(self.parameters, self.own, strict=True)
        ]
        padding = shape[0] - sum(map(len, stacks))
        return torch.cat([*stacks, self.buffer.new_zeros(padding, *shape[1:])])


def _within(counts: list[int], first: int, end: int) -> list[slice]:
    """Which of its items each of consecutive groups has in the range from `first` to `end`."""
    starts = [0, *itertools.accumulate(counts)]
    return [slice(max(first - start, 0), max(end - start, 0)) for start in starts[:-1]]


def _gradient(parameter: Tensor) -> Tensor:
    if parameter.grad is None:
        raise ValueError("Muon steps before a backward pass")
    return parameter.grad


class Muon:
    """The optimizer; learning rate and momentum are given at every step, which is of two calls.

    Momentum averages (buf = mu*buf + (1-mu)*g) and looks ahead (u = (1-mu)*g + mu*buf).

    Args:
        parameters: float matrices (rows, cols), or stacks of them (n, rows, cols), stored
            (out, in); their values move into one buffer for each shape.
        world: the ranks among which the work is divided; all must make a step together.
        dtype: in which Newton-Schulz computes.
    """

    def __init__(
        self, parameters: Iterable[nn.Parameter], world: World, dtype: torch.dtype
    ) -> None:
        by_shape: dict[torch.Size, list[nn.Parameter]] = defaultdict(list)
        for parameter in parameters:
            by_shape[parameter.shape[-2:]].append(parameter)
        self._shapes = [_Shape(group, world, dtype) for group in by_shape.values()]

    @torch.no_grad()
    def start_update(self, momentum: float) -> list[Pending]:
        """Compute this rank's shares of an update from the gradients in `.grad`.

        The shares of one shape travel while those of the next are computed; `apply` takes them.
        """
        return [shape.start_update(momentum) for shape in self._shapes]

    @torch.no_grad()
    def apply(self, updates: Sequence[Pending], *, lr: float) -> None:
        """Move all matrices by what `start_update` returned."""
        for shape, update in zip(self._shapes, updates, strict=True):
            shape.apply(update.wait(), lr)
