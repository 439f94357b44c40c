"""The processes that train together: who this one is, and what they exchange.

`torchrun` says so in RANK, WORLD_SIZE and LOCAL_RANK; without them there is one process.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
import torch.distributed as dist
from torch import Tensor

from trainer.config import RANKS, Recipe
from trainer.errors import TrainerError

TORCHRUN = "start several ranks with torchrun"


@dataclass(frozen=True)
class World:
    """This process among all.

    Attributes:
        rank: number of this process, from 0.
        size: number of processes.
        device: where this process computes.
    """

    rank: int
    size: int
    device: torch.device

    @property
    def is_main(self) -> bool:
        """Whether this process writes the log."""
        return self.rank == 0

    def mean_(self, tensors: Sequence[Tensor]) -> None:
        """Replace each tensor by its mean over the ranks; one exchange for each dtype."""
        if self.size == 1:
            return
        # A dict keeps the order, which must be that of the other ranks; a set need not.
        for dtype in dict.fromkeys(tensor.dtype for tensor in tensors):
            group = [tensor for tensor in tensors if tensor.dtype == dtype]
            flat = torch.cat([tensor.flatten() for tensor in group])
            dist.all_reduce(flat)
            flat /= self.size
            means = torch.split(flat, [tensor.numel() for tensor in group])
            for tensor, mean in zip(group, means, strict=True):
                tensor.copy_(mean.view_as(tensor))

    def gather(self, share: Tensor) -> Tensor:
        """Concatenate the ranks' shares, all of one shape, along the first dimension."""
        if self.size == 1:
            return share
        shares = [torch.empty_like(share) for _ in range(self.size)]
        dist.all_gather(shares, share.contiguous())
        return torch.cat(shares)


SINGLE = World(rank=0, size=1, device=torch.device("cpu"))


def check_ranks(size: int, recipe: Recipe) -> None:
    """Check that the work of a step divides over `size` ranks.

    Raises:
        TrainerError: it does not; names the sizes that work.
    """
    sequences = recipe.data.sequences_per_step
    possible = [ranks for ranks in RANKS if sequences % ranks == 0]
    if size not in possible:
        raise TrainerError(
            f"{size} ranks cannot share the {sequences} sequences of a step of {recipe.name}",
            where="WORLD_SIZE",
            remedy=f"start {' or '.join(map(str, possible))}",
        )


@contextmanager
def open_world(recipe: Recipe) -> Iterator[World]:
    """Join the other processes for the duration of a run.

    Raises:
        TrainerError: the environment is not torchrun's, or the number of ranks does not fit.
    """
    rank, size, local_rank = (
        _environment(name, default)
        for name, default in (("RANK", 0), ("WORLD_SIZE", 1), ("LOCAL_RANK", 0))
    )
    check_ranks(size, recipe)
    cuda = recipe.device == "cuda"
    device = torch.device("cuda", local_rank) if cuda else torch.device("cpu")
    if size == 1:
        yield World(rank, size, device)
        return
    try:
        dist.init_process_group("nccl" if cuda else "gloo", rank=rank, world_size=size)
    except ValueError as error:
        raise TrainerError(str(error), where="torch.distributed", remedy=TORCHRUN) from error
    try:
        yield World(rank, size, device)
    finally:
        dist.destroy_process_group()


def _environment(name: str, default: int) -> int:
    text = os.environ.get(name, str(default))
    if not text.isdecimal():
        raise TrainerError(f"{text!r} is not a number", where=name, remedy=TORCHRUN)
    return int(text)
