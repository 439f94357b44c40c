"""Time the MLP's fused products on the card, for each way of cutting them up.

    python -m benchmarks.gpu.sweep_mlp [--tokens 65536]

Compared with cuBLAS alone and cuBLAS followed by one elementwise kernel. All configurations are
compiled first, by one process a core.

Columns: registers, spills and KiB of shared memory of a program; ms (median); TFLOP/s; error is
||out - exact|| / ||exact|| over rows of all tiles, exact in float64.
"""

from __future__ import annotations

import argparse
import traceback
from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

import torch
import triton
import triton.language as tl
from torch import Tensor
from triton.testing import do_bench

from benchmarks.gpu.compile_check import HIDDEN, WIDTH, compile_all, launch_mlp
from trainer.kernels.gemm import GemmConfig
from trainer.kernels.mlp import (
    HOPPER_DOWN,
    HOPPER_UP,
    PORTABLE,
    down_backward_relu_squared,
    up_relu_squared,
)

# Two programs share a multiprocessor: one's epilogue then hides behind the other's products.
PAIRED = HOPPER_DOWN
CONFIGS: dict[str, GemmConfig] = {
    "128 x 256": HOPPER_UP,
    "4 stages": replace(HOPPER_UP, stages=4),
    "quarters": replace(HOPPER_UP, pieces=4),
    "steps of 128": replace(HOPPER_UP, block_k=128, stages=2),
    "one program a tile": replace(HOPPER_UP, persistent=False, pieces=1),
    "one program a tile, early": replace(HOPPER_UP, persistent=False, pieces=1, early=True),
    "groups of 16": replace(HOPPER_UP, group=16),
    "groups of 4": replace(HOPPER_UP, group=4),
    "256 x 128": replace(HOPPER_UP, block_m=256, block_n=128),
    "plain loads": replace(HOPPER_UP, tma=False),
    "paired": PAIRED,
    "paired, late": replace(PAIRED, early=False),
    "paired, groups of 16": replace(PAIRED, group=16),
    "paired, 4 stages": replace(PAIRED, stages=4),
    "portable": PORTABLE,
}
SAMPLE_EVERY = 61  # rows: at least one of each tile, and all places within a tile


class Problem(NamedTuple):
    """Random tensors at the size of the recipe, and the exact results on some rows."""

    x: Tensor
    up: Tensor
    down: Tensor
    d_m: Tensor
    h: Tensor
    exact_h: Tensor
    exact_d: Tensor


def draw(tokens: int) -> Problem:
    """Draw a problem whose h is about 1."""
    torch.manual_seed(0)

    def normal(*shape: int, scale: float = 1.0) -> Tensor:
        return (torch.randn(shape, device="cuda") * scale).bfloat16()

    x, d_m = normal(tokens, WIDTH), normal(tokens, WIDTH)
    up, down = normal(HIDDEN, WIDTH, scale=WIDTH**-0.5), normal(WIDTH, HIDDEN, scale=WIDTH**-0.5)
    h = (x @ up.T).relu().square()
    rows = slice(None, None, SAMPLE_EVERY)
    exact_h = (x[rows].double() @ up.double().T).relu().square()
    exact_d = (d_m[rows].double() @ down.double()) * 2 * h[rows].double().sqrt()
    return Problem(x, up, down, d_m, h, exact_h, exact_d)


@triton.jit
def _elementwise(values, squared, out, n, BLOCK: tl.constexpr):  # noqa: N803 - a constant
    at = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    value = tl.load(values + at, at < n).to(tl.float32)
    if squared is None:
        value = tl.maximum(value, 0.0)
        value *= value
    else:
        value *= 2 * tl.sqrt(tl.load(squared + at, at < n).to(tl.float32))
    tl.store(out + at, value.to(tl.bfloat16), at < n)


def separately(a: Tensor, b: Tensor, h: Tensor | None) -> Tensor:
    """cuBLAS, then one pass over its result."""
    product = a @ b
    grid = (triton.cdiv(product.numel(), 4096),)
    _elementwise[grid](product, h, product, product.numel(), BLOCK=4096, num_warps=8)
    return product


def report(label: str, run: Callable[[], Tensor], exact: Tensor | None, *, tokens: int) -> None:
    """Time one product and print its line, or why there is none."""
    try:
        error = float("nan")
        if exact is not None:
            error = float((run()[::SAMPLE_EVERY].double() - exact).norm() / exact.norm())
        ms = do_bench(run, warmup=20, rep=80, return_mode="median")
        rate = 2 * tokens * WIDTH * HIDDEN / ms / 1e9
        print(f"{label:58} {ms:7.4f} ms {rate:6.1f} TFLOP/s  error {error:.1e}", flush=True)
    except Exception:  # noqa: BLE001 - a configuration that cannot run is a result
        print(f"{label:58} {traceback.format_exc().splitlines()[-1][:100]}", flush=True)


def sweep(configs: dict[str, GemmConfig], problem: Problem) -> None:
    """Time both products under each configuration."""
    tokens = len(problem.x)
    for name, usages in compile_all(launch_mlp, configs).items():
        if isinstance(usages, str):
            print(f"{name:30} {usages}")
            continue
        config, (up_usage, down_usage) = configs[name], (usage.short for usage in usages)
        report(
            f"up    {name:24} {up_usage}",
            lambda config=config: up_relu_squared(problem.x, problem.up, config),
            problem.exact_h,
            tokens=tokens,
        )
        report(
            f"down  {name:24} {down_usage}",
            lambda config=config: down_backward_relu_squared(
                problem.d_m, problem.down, problem.h, config
            ),
            problem.exact_d,
            tokens=tokens,
        )


def baselines(problem: Problem) -> None:
    """Time cuBLAS, and what is used unless told otherwise."""
    x, up, down, d_m, h, exact_h, exact_d = problem
    tokens = len(x)
    report("up    cuBLAS alone", lambda: x @ up.T, None, tokens=tokens)
    report("up    cuBLAS and a kernel", lambda: separately(x, up.T, None), exact_h, tokens=tokens)
    report("up    default", lambda: up_relu_squared(x, up), exact_h, tokens=tokens)
    report("down  cuBLAS alone", lambda: d_m @ down, None, tokens=tokens)
    report("down  cuBLAS and a kernel", lambda: separately(d_m, down, h), exact_d, tokens=tokens)
    report(
        "down  default",
        lambda: down_backward_relu_squared(d_m, down, h),
        exact_d,
        tokens=tokens,
    )
    turned = down.T.contiguous().T
    report(
        "down  default, from columns",
        lambda: down_backward_relu_squared(d_m, turned, h),
        exact_d,
        tokens=tokens,
    )


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--tokens", type=int, default=65536)
    problem = draw(parser.parse_args().tokens)
    baselines(problem)
    sweep(CONFIGS, problem)


if __name__ == "__main__":
    main()
