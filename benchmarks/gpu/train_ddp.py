"""A small language model trained by DistributedDataParallel: a foreign script for `speedcheck run`.

    torchrun --standalone --nproc-per-node=2 train_ddp.py [--steps 200] [--sequences 64]

It is written as the public training programs are: it reads `data/` by relative path, rank 0 writes
`logs/UUID.txt` with this file, the environment and a line a step, and $SEED decides the weights.
On a CPU its ranks exchange through gloo.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
import uuid
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.distributed as dist
import torch.nn.functional as F  # noqa: N812 - the field's standard name
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

VOCABULARY = 50_257
LENGTH = 256
VALIDATION_BATCHES = 4
HEADER_BYTES = 1024


class Model(nn.Module):
    """Two causal transformer layers between an embedding and a head."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(VOCABULARY, width)
        self.layers = nn.ModuleList(
            nn.TransformerEncoderLayer(
                width, width // 64, 4 * width, dropout=0.0, batch_first=True, norm_first=True
            )
            for _ in range(2)
        )
        self.head = nn.Linear(width, VOCABULARY)
        mask = nn.Transformer.generate_square_subsequent_mask(LENGTH)
        self.register_buffer("mask", mask, persistent=False)

    def forward(self, tokens: Tensor) -> Tensor:
        """Mean cross-entropy of each token after the first, in nats."""
        x = self.embedding(tokens[:, :-1])
        for layer in self.layers:
            x = layer(x, src_mask=self.mask, is_causal=True)
        return F.cross_entropy(self.head(x).float().flatten(0, 1), tokens[:, 1:].flatten())


def sequences(kind: str, first: int, count: int, device: torch.device) -> Tensor:
    """Sequences of a kind's first shard, (count, LENGTH + 1); it is read in a circle."""
    path = min(Path("data").glob(f"*_{kind}_*.bin"))
    tokens = np.memmap(path, dtype="<u2", mode="r", offset=HEADER_BYTES)
    places = (np.arange(first, first + count) * LENGTH) % (len(tokens) - LENGTH - 1)
    rows = [tokens[place : place + LENGTH + 1] for place in places]
    return torch.from_numpy(np.stack(rows).astype(np.int64)).to(device)


class Log:
    """Rank 0's log, on standard output as well; the other ranks have none."""

    def __init__(self, rank: int) -> None:
        self.path = Path("logs") / f"{uuid.uuid4()}.txt" if rank == 0 else None
        if self.path is not None:
            self.path.parent.mkdir(exist_ok=True)

    def write(self, text: str) -> None:
        """Add a line."""
        if self.path is not None:
            print(text, flush=True)
            with self.path.open("a") as file:
                file.write(text + "\n")

    def step(self, step: int, steps: int, loss: float, timed_ms: float) -> None:
        """Add the line of a validation."""
        average = timed_ms / max(step, 1)
        self.write(
            f"step:{step}/{steps} val_loss:{loss:.4f} train_time:{timed_ms:.0f}ms "
            f"step_avg:{average:.2f}ms"
        )


def header(log: Log) -> None:
    """Write what runs, and where."""
    log.write(Path(__file__).read_text() + "=" * 100)
    log.write(f"Running Python {' '.join(sys.version.split())}")
    log.write(f"Running PyTorch {torch.__version__} compiled for CUDA {torch.version.cuda}")
    if torch.cuda.is_available():
        shown = subprocess.run(["nvidia-smi"], capture_output=True, text=True, check=False)
        log.write(shown.stdout.rstrip())
    log.write("=" * 100)


@dataclass(frozen=True)
class Ranks:
    """This process among all, and its part of every batch of `sequences`."""

    rank: int
    share: int
    sequences: int
    device: torch.device

    def batch(self, kind: str, number: int) -> Tensor:
        """This rank's tokens of a batch, (share, LENGTH + 1)."""
        first = number * self.sequences + self.rank * self.share
        return sequences(kind, first, self.share, self.device)

    def loss(self, model: nn.Module, tokens: Tensor) -> Tensor:
        """The mean loss of this rank's tokens."""
        with torch.autocast(self.device.type, torch.bfloat16):
            loss: Tensor = model(tokens)
        return loss


@torch.no_grad()
def validate(model: nn.Module, ranks: Ranks) -> float:
    """Mean loss over the validation batches."""
    losses = [ranks.loss(model, ranks.batch("val", each)) for each in range(VALIDATION_BATCHES)]
    total = torch.stack(losses).mean()
    dist.all_reduce(total)
    return total.item() / dist.get_world_size()


def train(steps: int, width: int, ranks: Ranks, log: Log) -> None:
    """Train, with the clock standing still during warm-up and validation."""
    torch.manual_seed(int(os.environ.get("SEED", "0")))
    model = DistributedDataParallel(Model(width).to(ranks.device))
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    ranks.loss(model, ranks.batch("train", 0)).backward()
    optimizer.zero_grad()
    timed = 0.0
    for step in range(steps + 1):
        if step % 50 == 0 or step == steps:
            log.step(step, steps, validate(model.module, ranks), 1000 * timed)
        if step < steps:
            began = time.perf_counter()
            ranks.loss(model, ranks.batch("train", step)).backward()
            optimizer.step()
            optimizer.zero_grad()
            if ranks.device.type == "cuda":
                torch.cuda.synchronize()
            timed += time.perf_counter() - began


def main() -> None:
    """Join the other ranks, train, and leave together."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--width", type=int, default=512)
    parser.add_argument("--sequences", type=int, default=64)
    options = parser.parse_args()
    on_gpu = torch.cuda.is_available()
    device = torch.device("cuda", int(os.environ["LOCAL_RANK"])) if on_gpu else torch.device("cpu")
    if on_gpu:
        torch.cuda.set_device(device)
    dist.init_process_group("nccl" if on_gpu else "gloo", device_id=device if on_gpu else None)
    share = options.sequences // dist.get_world_size()
    ranks = Ranks(dist.get_rank(), share, options.sequences, device)
    log = Log(ranks.rank)
    header(log)
    train(options.steps, options.width, ranks, log)
    if on_gpu:
        peak = torch.cuda.max_memory_allocated() >> 20
        log.write(f"peak memory allocated: {peak} MiB")
    dist.barrier()
    dist.destroy_process_group()


if __name__ == "__main__":
    main()
