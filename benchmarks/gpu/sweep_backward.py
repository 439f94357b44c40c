"""Time attention's gradients, up to those of the projection, for each way of cutting them up.

    python -m benchmarks.gpu.sweep_backward [--tokens 65536]

Documents and windows as in `benchmarks.gpu.sweep_attention`. A kernel's tilings are swept while
the other keeps its default, as far as their tiles have to fit. With any other tiling than the
default the keys' kernel is Triton's, not that of `attention_hopper`. All are compiled first, by
one process a core.

Columns: registers, spills and KiB of shared memory of a program of the kernel that is swept;
milliseconds (median) of all kernels at each window, without a table and with one; how far the
gradient of the projection is from that of the default, ||x - y|| / ||y||, at the largest window.
"""

from __future__ import annotations

import argparse
import traceback
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor

from benchmarks.gpu.compile_check import (
    HEAD_DIM,
    HEADS,
    VOCABULARY,
    compile_all,
    launch_attention_backward,
)
from benchmarks.gpu.sweep_attention import SCALE, WINDOWS, Problem, Run, draw, times
from trainer.config import FLOAT32_EPS
from trainer.kernels.attention import HOPPER, PORTABLE, Tilings, attend
from trainer.kernels.attention_backward import Projection, attend_projection_backward
from trainer.kernels.attention_merge import delta_of
from trainer.kernels.heads import split_heads
from trainer.kernels.tiles import Tiling
from trainer.operations.masks import Interval
from trainer.operations.rotary import rotary_tables

QUERIES, KEYS = HOPPER.queries, HOPPER.keys
SWEPT: dict[str, dict[str, tuple[Tiling, Tiling]]] = {
    "queries": {
        f"64 x 64, {stages} stages": (QUERIES._replace(stages=stages), KEYS) for stages in (2, 3, 4)
    },
    "keys": {
        "64 x 32": (QUERIES._replace(own=32), KEYS._replace(visited=32)),
        "128 x 64, 8 warps": (
            QUERIES._replace(visited=128, stages=2),
            KEYS._replace(own=128, warps=8),
        ),
        "64 x 64, 3 stages": (QUERIES, KEYS._replace(stages=3)),
    },
}
KERNELS = {"keys": 0, "queries": 1}  # the place of each among what is compiled


class Saved(NamedTuple):
    """What a forward pass leaves at one window: first as the gradients' kernels take it."""

    d_out: Tensor
    projection: Projection
    v: Tensor
    out: Tensor
    lse: Tensor
    bounds: Interval


def forward(problem: Problem, *, with_table: bool) -> Iterator[Saved]:
    """Forward passes at each window, from one projection."""
    length = len(problem.v)
    cos, sin = (table.cuda() for table in rotary_tables(length, HEAD_DIM))
    mix = torch.tensor([0.7, 0.6], device="cuda")
    table = tokens = None
    if with_table:
        table = torch.randn(VOCABULARY, HEADS * HEAD_DIM, device="cuda").bfloat16()
        tokens = torch.randint(VOCABULARY, (length,), device="cuda")
    qkv = torch.stack(problem.tensors[:3], 1)
    v, rstd = split_heads(qkv, mix, table, tokens, cos, sin, FLOAT32_EPS)
    projection = Projection(qkv, rstd, mix, table, tokens, cos, sin)
    for window in WINDOWS:
        bounds = problem.bounds(window)
        out, lse = attend(qkv[:, 0], qkv[:, 1], v, bounds.low, SCALE)
        yield Saved(problem.d_out, projection, v, out, lse, bounds)


def gradient(tilings: Tilings, saved: Saved) -> Tensor:
    """The gradient of the projection."""
    d_out, projection, v, out, lse, bounds = saved
    lse_delta = delta_of(d_out, out, lse, tilings)
    return attend_projection_backward(d_out, projection, v, lse_delta, bounds, SCALE, tilings).qkv


def runs_of(function: Callable[[Saved], Any], cases: list[list[Saved]]) -> list[Run]:
    """Each window without a table, then with one."""
    return [partial(function, saved) for case in cases for saved in case]


def report(label: str, tilings: Tilings, cases: list[list[Saved]], expected: Tensor) -> None:
    """Time one way of cutting up and print its line, or why there is none."""
    try:
        found = gradient(tilings, cases[1][0]).float()
        difference = float((found - expected).norm() / expected.norm())
        runs = runs_of(partial(gradient, tilings), cases)
        print(f"{label}  {times(runs)}  difference {difference:.1e}", flush=True)
    except Exception:  # noqa: BLE001 - a tiling that cannot run is a result
        print(f"{label}  {traceback.format_exc().splitlines()[-1][:90]}", flush=True)


def swept() -> dict[str, tuple[str, Tilings]]:
    """What is timed: by label, the kernel and all tilings."""
    tilings = {
        f"{kernel:8} {name:30}": (kernel, HOPPER._replace(queries=queries, keys=keys))
        for kernel, named in SWEPT.items()
        for name, (queries, keys) in named.items()
    }
    return {**tilings, f"{'keys':8} {'portable':30}": ("keys", PORTABLE)}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--tokens", type=int, default=65536)
    problem = draw(parser.parse_args().tokens)
    cases = [list(forward(problem, with_table=with_table)) for with_table in (False, True)]
    configs = swept()
    launched = {label: tilings for label, (_, tilings) in configs.items()}
    compiled = compile_all(launch_attention_backward, launched)
    print(f"windows {WINDOWS}, without a table and with one")
    expected = gradient(HOPPER, cases[1][0]).float()
    for label, (kernel, tilings) in configs.items():
        usages = compiled[label]
        if isinstance(usages, str):
            print(label, usages)
        else:
            report(f"{label} {usages[KERNELS[kernel]].short}", tilings, cases, expected)


if __name__ == "__main__":
    main()
