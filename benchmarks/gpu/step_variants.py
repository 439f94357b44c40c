"""Time whole steps under other ways of cutting up the kernels, in one process on one card.

    python -m benchmarks.gpu.step_variants --data-dir D [--only TEXT] [--sequence-length N]

The step is sub3's at the largest window. Variants take turns, every second round in reversed
order, since a card that warms up favors what comes first. Printed are the ratios to the shipped
kernels: of the medians, and of single rounds.
"""

from __future__ import annotations

import argparse
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any
from unittest import mock

import torch
from torch import Tensor

from trainer.config import RECIPES
from trainer.data.sources import find_data
from trainer.kernels import (
    attention,
    attention_merge,
    logits,
    logits_hopper,
    loss,
    mlp,
    mlp_hopper,
    project,
    project_hopper,
    residual,
)
from trainer.kernels import mlp_backward_hopper as backward
from trainer.run import make_deterministic, open_run
from trainer.runtime.distributed import World
from trainer.train import Run, Trainee, start, train_step

STEP = 1385
ROUNDS = 4


def never(*_operands: Any) -> bool:
    """For which operands Gluon's kernels are."""
    return False


def norm_apart(
    d_out: Tensor, down: Tensor, h: Tensor, up: Tensor, normed: Tensor, rstd: Tensor
) -> tuple[Tensor, Tensor]:
    """`mlp.normed_mlp_backward` as cards before Hopper compute it, of Hopper's kernels."""
    d_pre = mlp.down_backward_relu_squared(d_out, down, h)
    return d_pre, residual.norm_backward(d_out, d_pre @ up, normed, rstd)


# Module, name of the constant, and its value instead.
VARIANTS: dict[str, tuple[Any, str, Any]] = {
    "shipped": (mlp, "HOPPER_UP", mlp.HOPPER_UP),
    "MLP in Triton": (mlp, "is_for_gluon", never),
    "projection in Triton": (project, "is_for_gluon", never),
    "logits in Triton": (logits, "is_for_gluon", never),
    "up: groups of 16": (mlp_hopper, "UP", replace(mlp_hopper.UP, group=16)),
    "MLP's norm in a kernel of its own": (mlp, "normed_mlp_backward", norm_apart),
    "delta in a kernel of its own": (attention_merge, "is_for_gluon", never),
    "down: groups of 16": (backward, "DOWN", replace(backward.DOWN, group=16)),
    "up, backward: groups of 8": (backward, "UP", replace(backward.UP, group=8)),
    "project: groups of 16": (
        project_hopper,
        "CONFIG",
        replace(project_hopper.CONFIG, group=16),
    ),
    "logits: strips of 132": (logits_hopper, "STRIP", 132),
    "attention forward in Triton": (attention, "has_hopper_kernel", never),
    "gradient of z: 128 x 128": (loss, "TILE", {"ROWS": 128, "COLUMNS": 128, "GROUP": 4}),
    "gradient of z: groups of 8": (loss, "TILE", {**loss.TILE, "GROUP": 8}),
    "gradient of z: 128 x 64": (loss, "TILE", {**loss.TILE, "ROWS": 128}),
}


@contextmanager
def variant(name: str) -> Iterator[None]:
    """Train with a variant in the place of the shipped constant."""
    module, constant, value = VARIANTS[name]
    with mock.patch.object(module, constant, value):
        yield


def step_ms(trainee: Trainee, run: Run) -> float:
    """Wall time of one step."""
    torch.cuda.synchronize()
    begin = time.perf_counter()
    train_step(trainee, run, STEP, data_step=0)
    torch.cuda.synchronize()
    return 1000 * (time.perf_counter() - begin)


def warm(trainee: Trainee, run: Run, names: list[str]) -> list[str]:
    """Compile every variant; those that run."""
    running = []
    for name in names:
        try:
            with variant(name):
                step_ms(trainee, run)
            running.append(name)
        except Exception:  # noqa: BLE001 - a variant that cannot run is a result
            print(f"{name:30} {traceback.format_exc().splitlines()[-1][:90]}", flush=True)
    return running


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data-dir", type=Path, default=Path("data"))
    parser.add_argument("--only", default="", help="variants whose name holds this text")
    parser.add_argument("--sequence-length", type=int, default=65_536)
    options = parser.parse_args()
    recipe = replace(RECIPES["sub3"], warm_up=False)
    recipe = recipe.with_sequence_length(options.sequence_length)
    make_deterministic(recipe)
    short = recipe.with_steps(1)
    shards = find_data(short, options.data_dir)
    world = World(0, 1, torch.device("cuda", 0))
    run = replace(open_run(short, 0, shards, world), recipe=recipe)
    trainee = start(run)
    names = [name for name in VARIANTS if options.only in name or name == "shipped"]
    running = warm(trainee, run, names)
    times: dict[str, list[float]] = {name: [] for name in running}
    for number in range(ROUNDS):
        for name in running if number % 2 == 0 else reversed(running):
            with variant(name):
                times[name].append(min(step_ms(trainee, run) for _ in range(2)))
    print(
        f"{torch.cuda.get_device_name()}, sequences of {options.sequence_length}, "
        f"peak {torch.cuda.max_memory_allocated() >> 20:,} MiB"
    )
    base = times["shipped"]
    for name, own in times.items():
        ratios = sorted(mine / theirs - 1 for mine, theirs in zip(own, base, strict=True))
        print(
            f"{name:30} {median(own):7.1f} ms  {median(own) / median(base) - 1:+.2%}  "
            f"[{ratios[0]:+.2%}, {ratios[-1]:+.2%}]"
        )


if __name__ == "__main__":
    main()
