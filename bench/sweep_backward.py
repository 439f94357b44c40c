"""Time attention's gradients up to those of the projection: one pass, or one kernel after another.

    python -m bench.sweep_backward [--tokens 65536]

Documents and windows as in `bench.sweep_attention`. The first lines are of kernels on their own:
attention's gradients, then those of the heads; below them, each way of cutting up the kernels that
do both. A kernel's tilings are swept while the other keeps its default. All are compiled first, by
one process a core.

Columns: registers, spills and KiB of shared memory of a program of the kernel that is swept;
milliseconds (median) at each window, without a table and with one; how far the gradient of the
projection is from that of the kernels on their own, ||x - y|| / ||y||, at the largest window.
"""

from __future__ import annotations

import argparse
import traceback
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor

from bench.compile_check import HEAD_DIM, HEADS, VOCABULARY, compile_all, launch_attention_backward
from bench.sweep_attention import SCALE, WINDOWS, Problem, Run, draw, times
from trainer.attention import NORM_EPS, rotary_tables
from trainer.kernels.attention import HOPPER, PORTABLE, Tilings, attend
from trainer.kernels.attention_backward import (
    Projection,
    attend_backward,
    attend_projection_backward,
)
from trainer.kernels.heads import split_heads, split_heads_backward
from trainer.kernels.tiles import Tiling

SWEPT = {
    "queries": {
        "64 x 64, 4 warps": Tiling(64, 64, 2, 4),
        "64 x 64, 160 registers": Tiling(64, 64, 2, 4, registers=160),
        "64 x 32, 4 warps, 3 stages": Tiling(64, 32, 3, 4),
        "128 x 64": Tiling(128, 64, 2, 8),
        "128 x 64, 3 stages": Tiling(128, 64, 3, 8),
    },
    "keys": {
        "64 x 32, 4 warps": Tiling(64, 32, 2, 4),
        "128 x 64": Tiling(128, 64, 2, 8),
        "128 x 32": Tiling(128, 32, 2, 8),
    },
}
KERNELS = {"queries": 0, "keys": 1}  # the place of each among what is compiled


class Saved(NamedTuple):
    """What a forward pass leaves at one window: first as the gradients' kernels take it."""

    d_out: Tensor
    projection: Projection
    v: Tensor
    out: Tensor
    lse: Tensor
    low: Tensor
    high: Tensor


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
    v, rstd = split_heads(qkv, mix, table, tokens, cos, sin, NORM_EPS)
    projection = Projection(qkv, rstd, mix, table, tokens, cos, sin)
    for window in WINDOWS:
        bounds = problem.bounds(window)
        out, lse = attend(qkv[:, 0], qkv[:, 1], v, bounds.low, SCALE)
        yield Saved(problem.d_out, projection, v, out, lse, *bounds)


def attention_alone(saved: Saved) -> tuple[Tensor, Tensor, Tensor]:
    """Gradients of q, k and v."""
    d_out, projection, v, out, lse, low, high = saved
    q, k, _ = projection.qkv.unbind(1)
    return attend_backward(d_out, q, k, v, out, lse, low, high, SCALE)


def one_after_the_other(saved: Saved) -> Tensor:
    """The gradient of the projection, by attention's kernels and that of the heads."""
    d_q, d_k, d_v = attention_alone(saved)
    return split_heads_backward(d_q, d_k, d_v, *saved.projection)[0]


def at_once(tilings: Tilings, saved: Saved) -> Tensor:
    """The gradient of the projection, by the kernels that do both."""
    return attend_projection_backward(*saved, SCALE, tilings).qkv


def runs_of(function: Callable[[Saved], Any], cases: list[list[Saved]]) -> list[Run]:
    """Each window without a table, then with one."""
    return [partial(function, saved) for case in cases for saved in case]


def report(label: str, tilings: Tilings, cases: list[list[Saved]], expected: Tensor) -> None:
    """Time one way of cutting up and print its line, or why there is none."""
    try:
        found = at_once(tilings, cases[1][0]).float()
        difference = float((found - expected).norm() / expected.norm())
        runs = runs_of(partial(at_once, tilings), cases)
        print(f"{label}  {times(runs)}  difference {difference:.1e}", flush=True)
    except Exception:  # noqa: BLE001 - a tiling that cannot run is a result
        print(f"{label}  {traceback.format_exc().splitlines()[-1][:90]}", flush=True)


def swept() -> dict[str, tuple[str, Tilings]]:
    """What is timed: by label, the kernel and all tilings."""
    tilings = {
        f"{kernel:8} {name:30}": (kernel, HOPPER._replace(**{kernel: tiling}))
        for kernel, named in SWEPT.items()
        for name, tiling in named.items()
    }
    return {**tilings, f"{'queries':8} {'portable':30}": ("queries", PORTABLE)}


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
    print(f"{'attention alone':55} {times(runs_of(attention_alone, cases))}")
    print(f"{'and the heads after it':55} {times(runs_of(one_after_the_other, cases))}")
    expected = one_after_the_other(cases[1][0]).float()
    for label, (kernel, tilings) in configs.items():
        usages = compiled[label]
        if isinstance(usages, str):
            print(label, usages)
        else:
            report(f"{label} {usages[KERNELS[kernel]].short}", tilings, cases, expected)


if __name__ == "__main__":
    main()
