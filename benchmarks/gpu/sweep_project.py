"""Time the projection to heads on the card, for each way of cutting it up.

    python -m benchmarks.gpu.sweep_project [--tokens 65536]

Compared with cuBLAS alone and with what it replaces, cuBLAS followed by `heads.split_heads`. All
configurations are compiled first, by one process a core.

Columns: registers, spills and KiB of shared memory of a program; ms (median); TFLOP/s of the
product; error is ||x - exact|| / ||exact|| of the worst of q, k, v_raw, v and rstd, over rows of
all tiles, exact in float64. Rounding alone gives 1.7e-3 (normal numbers, bfloat16).
"""

from __future__ import annotations

import argparse
import traceback
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor
from triton.testing import do_bench

from benchmarks.gpu.compile_check import (
    HEAD_DIM,
    HEADS,
    VOCABULARY,
    WIDTH,
    compile_all,
    launch_project,
)
from trainer.config import FLOAT32_EPS
from trainer.kernels.gemm import GemmConfig
from trainer.kernels.heads import split_heads
from trainer.kernels.project import HOPPER, project
from trainer.operations.rotary import rotary_tables, rotate

Results = tuple[Tensor, Tensor, Tensor]  # projected, v, rstd

CONFIGS: dict[str, GemmConfig] = {
    "128 tokens": HOPPER,
    "groups of 8": replace(HOPPER, group=8),
    "groups of 16": replace(HOPPER, group=16),
    "8 warps": replace(HOPPER, warps=8),
    "64 tokens": replace(HOPPER, block_m=64),
    "2 stages": replace(HOPPER, stages=2),
    "4 stages": replace(HOPPER, stages=4),
}
SAMPLE_EVERY = 61  # rows: at least one of each tile, and all places within a tile


class Problem(NamedTuple):
    """Random inputs at the size of the recipe; `project` takes them in this order."""

    normed: Tensor
    qkv: Tensor
    mix: Tensor
    table: Tensor | None
    tokens: Tensor | None
    cos: Tensor
    sin: Tensor


def draw(length: int) -> Problem:
    """Draw inputs whose q, k and v are about 1; tokens follow Zipf's law, as text does."""
    torch.manual_seed(0)
    normed = torch.randn(length, WIDTH, device="cuda").bfloat16()
    qkv = (torch.randn(3, WIDTH, WIDTH, device="cuda") * WIDTH**-0.5).bfloat16()
    table = torch.randn(VOCABULARY, WIDTH, device="cuda").bfloat16()
    shares = 1 / torch.arange(1, VOCABULARY + 1, device="cuda")
    tokens = torch.multinomial(shares, length, replacement=True)
    mix = torch.tensor([0.7, -0.4], device="cuda")
    return Problem(
        normed, qkv, mix, table, tokens, *(t.cuda() for t in rotary_tables(length, HEAD_DIM))
    )


def exact_results(problem: Problem) -> list[Tensor]:
    """q, k, v_raw, v and rstd of the sampled rows in float64."""
    rows = slice(None, None, SAMPLE_EVERY)
    normed, qkv, mix = (t.double() for t in (problem.normed[rows], *problem[1:3]))
    cos, sin = problem.cos[rows].double(), problem.sin[rows].double()
    raw = (normed @ qkv.flatten(0, 1).T).view(len(normed), 3, HEADS, HEAD_DIM)
    rstd = (raw[:, :2].square().mean(-1, keepdim=True) + FLOAT32_EPS).rsqrt()
    q, k = (rotate(x, cos, sin) for x in (raw[:, :2] * rstd).unbind(1))
    v = mix[0] * raw[:, 2]
    if problem.table is not None and problem.tokens is not None:
        v = v + mix[1] * problem.table[problem.tokens[rows]].double().view_as(v)
    return [q, k, raw[:, 2], v, rstd.flatten(1)]


def worst_error(results: Results, exact: list[Tensor]) -> float:
    """Of the sampled rows; NaN where there is one."""
    projected, v, rstd = (t[::SAMPLE_EVERY].double() for t in results)
    errors = [
        (x - e).norm() / e.norm()
        for x, e in zip((*projected.unbind(1), v, rstd), exact, strict=True)
    ]
    return float(torch.stack(errors).max())


def separately(problem: Problem) -> Results:
    """What there was before: a product, then a pass over its result."""
    normed, qkv, mix, table, tokens, cos, sin = problem
    projected = (normed @ qkv.flatten(0, 1).mT).view(len(normed), 3, HEADS, HEAD_DIM)
    return projected, *split_heads(projected, mix, table, tokens, cos, sin, FLOAT32_EPS)


def report(label: str, run: Callable[[], Any], exact: list[Tensor] | None, *, tokens: int) -> None:
    """Time one way and print its line, or why there is none."""
    try:
        error = float("nan") if exact is None else worst_error(run(), exact)
        ms = do_bench(run, warmup=20, rep=80, return_mode="median")
        rate = 2 * tokens * WIDTH * 3 * WIDTH / ms / 1e9
        print(f"{label:56} {ms:7.4f} ms {rate:6.1f} TFLOP/s  error {error:.1e}", flush=True)
    except Exception:  # noqa: BLE001 - a configuration that cannot run is a result
        print(f"{label:56} {traceback.format_exc().splitlines()[-1][:100]}", flush=True)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--tokens", type=int, default=65536)
    args = parser.parse_args()
    report_for = partial(report, tokens=args.tokens)
    with_table = draw(args.tokens)
    problems = {"table   ": with_table, "no table": with_table._replace(table=None, tokens=None)}
    usages = compile_all(launch_project, CONFIGS)
    for number, (kind, problem) in enumerate(problems.items()):
        exact = exact_results(problem)
        weights = problem.qkv.flatten(0, 1).mT
        report_for(f"{kind}  cuBLAS alone", partial(torch.matmul, problem.normed, weights), None)
        report_for(f"{kind}  cuBLAS and split_heads", partial(separately, problem), exact)
        for name, config in CONFIGS.items():
            usage = usages[name]
            if isinstance(usage, str):
                print(f"{kind}  {name:26} {usage}")
                continue
            run = partial(project, *problem, FLOAT32_EPS, config)
            report_for(f"{kind}  {name:26} {usage[number].short}", run, exact)


if __name__ == "__main__":
    main()
