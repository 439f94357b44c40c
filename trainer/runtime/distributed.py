"""The processes that train together: who this one is, and what they exchange.

`torchrun` says so in RANK, WORLD_SIZE and LOCAL_RANK; without them there is one process.

No rank may leave the others waiting for ever. One that dies is torchrun's business: it ends the
others. One that hangs makes the others' exchanges time out, so that they die.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TypeVar

import torch
import torch.distributed as dist
from torch import Tensor

from trainer.config import RANKS, Recipe
from trainer.errors import TrainerError
from trainer.runtime.watchdog import Watchdog

T = TypeVar("T")

TORCHRUN = "start several ranks with torchrun"

# Before the first step ranks compile kernels, each at its own pace and from its own state of the
# compile caches: one may wait for another for most of a cold start, which is to take 90 s.
START_TIMEOUT = timedelta(minutes=5)
# During training ranks differ by fractions of a step. A hung rank is to end the run within a
# minute, of which torchrun may spend 30 s between SIGTERM and SIGKILL.
TIMEOUT = timedelta(seconds=20)


@dataclass(frozen=True)
class Pending:
    """A tensor that the ranks are still exchanging: neither to be read nor written before `wait`.

    Attributes:
        result: where the outcome appears.
        work: the exchange under way; None where there is nothing to wait for.
    """

    result: Tensor
    work: dist.Work | None = None

    def wait(self) -> Tensor:
        """Return the outcome; on a GPU it is the stream that waits, not the program.

        Raises:
            RuntimeError: the exchange failed or took longer than the timeout.
        """
        if self.work is not None:
            self.work.wait()
        return self.result


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
    _watchdogs: list[Watchdog] = field(default_factory=list, repr=False, compare=False)

    @property
    def is_main(self) -> bool:
        """Whether this process writes the log."""
        return self.rank == 0

    def start_sum(self, tensor: Tensor) -> Pending:
        """Start replacing a tensor by its sum over the ranks."""
        if self.size == 1:
            return Pending(tensor)
        return Pending(tensor, dist.all_reduce(tensor, async_op=True))

    def start_gather(self, share: Tensor) -> Pending:
        """Start concatenating the ranks' shares, all of one shape, along the first dimension."""
        if self.size == 1:
            return Pending(share)
        whole = share.new_empty(self.size * share.shape[0], *share.shape[1:])
        work = dist.all_gather_into_tensor(whole, share.contiguous(), async_op=True)
        return Pending(whole, work)

    def share_of(self, whole: Tensor) -> Tensor:
        """This rank's part of a tensor (n,), n a multiple of the ranks: a view."""
        return whole.view(self.size, -1)[self.rank]

    def start_scattered_sum(self, whole: Tensor) -> Pending:
        """Start replacing this rank's share of a tensor (n,) by its sum over the ranks.

        The shares of the others are of no use afterwards.
        """
        share = self.share_of(whole)
        if self.size == 1:
            return Pending(share)
        return Pending(share, dist.reduce_scatter_tensor(share, whole, async_op=True))

    def start_sharing(self, whole: Tensor) -> Pending:
        """Start replacing each rank's share of a tensor (n,) by what that rank has there."""
        if self.size == 1:
            return Pending(whole)
        work = dist.all_gather_into_tensor(whole, self.share_of(whole), async_op=True)
        return Pending(whole, work)

    def copy_from_main_(self, tensors: Iterable[Tensor]) -> None:
        """Replace tensors by those of rank 0."""
        if self.size > 1:
            for tensor in tensors:
                dist.broadcast(tensor, src=0)

    def check_alike(self, tensors: Mapping[str, Tensor]) -> None:
        """Check that all ranks hold the same tensors, by the sums of their bits.

        Raises:
            RuntimeError: they do not; names those that differ.
        """
        if self.size == 1:
            return
        own = torch.stack([_sum_of_bits(tensor) for tensor in tensors.values()])
        sums = self.start_gather(own[None]).wait()
        differing = (sums != sums[0]).any(0).tolist()
        if any(differing):
            names = [name for name, differs in zip(tensors, differing, strict=True) if differs]
            raise RuntimeError(f"the ranks' weights differ: {', '.join(names)}")

    def sum_(self, tensor: Tensor) -> None:
        """Replace a tensor by its sum over the ranks."""
        self.start_sum(tensor).wait()

    def start_training(self) -> None:
        """Wait for all ranks to have started up; a rank that is silent from now on hangs."""
        if self.size > 1:
            dist.barrier()
            dist.distributed_c10d._set_pg_timeout(TIMEOUT)
            self._watchdogs.append(Watchdog(self.rank, TIMEOUT))

    def alive(self) -> None:
        """Say that training goes on; to be called more often than once in `TIMEOUT`."""
        for watchdog in self._watchdogs:
            watchdog.hear()

    def end_training(self) -> None:
        """Wait for all ranks to have ended; nobody is watched until the next run starts."""
        if self.size > 1:
            dist.barrier()
            dist.distributed_c10d._set_pg_timeout(START_TIMEOUT)
        while self._watchdogs:
            self._watchdogs.pop().release()

    def from_main(self, value: T | None) -> T | None:
        """Return what rank 0 was called with, on all ranks."""
        if self.size == 1:
            return value
        box = [value]
        dist.broadcast_object_list(box, src=0, device=self.device)
        return box[0]


def _sum_of_bits(tensor: Tensor) -> Tensor:
    """The tensor's elements, their bits read as integers, added up modulo 2**64; shape ()."""
    integer = {2: torch.int16, 4: torch.int32, 8: torch.int64}[tensor.element_size()]
    return tensor.detach().view(integer).sum(dtype=torch.int64)


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
        TrainerError: the environment is not torchrun's, the number of ranks does not fit, or the
            ranks cannot reach each other.
    """
    rank, size, local_rank = (
        _environment(name, default)
        for name, default in (("RANK", 0), ("WORLD_SIZE", 1), ("LOCAL_RANK", 0))
    )
    check_ranks(size, recipe)
    world = World(rank, size, _device(recipe, local_rank))
    if size == 1:
        yield world
        return
    _join(world)
    yield world
    # Nobody leaves before all are done: torchrun would end the others, and the log with them.
    # After an error nobody is asked: the process ends, as leaving the group may wait for others.
    world.end_training()
    dist.destroy_process_group()


def _join(world: World) -> None:
    cuda = world.device.type == "cuda"
    try:
        dist.init_process_group(
            "nccl" if cuda else "gloo",
            rank=world.rank,
            world_size=world.size,
            timeout=START_TIMEOUT,
            # With its device known, NCCL connects here and not in the first exchange.
            device_id=world.device if cuda else None,
        )
    except (ValueError, RuntimeError) as error:
        raise TrainerError(
            _in_one_line(error), where="torch.distributed", remedy=TORCHRUN
        ) from error


def _device(recipe: Recipe, local_rank: int) -> torch.device:
    if recipe.device == "cpu":
        return torch.device("cpu")
    count = torch.cuda.device_count()
    if local_rank >= count:
        raise TrainerError(
            f"{local_rank} is no GPU of this machine, which has {count}",
            where="LOCAL_RANK",
            remedy="start one rank for each GPU",
        )
    device = torch.device("cuda", local_rank)
    torch.cuda.set_device(device)
    return device


def _in_one_line(error: Exception) -> str:
    """The message without the C++ stack that torch may append."""
    return " ".join(str(error).partition("Exception raised from")[0].split())


def _environment(name: str, default: int) -> int:
    text = os.environ.get(name, str(default))
    if not text.isdecimal():
        raise TrainerError(f"{text!r} is not a number", where=name, remedy=TORCHRUN)
    return int(text)
