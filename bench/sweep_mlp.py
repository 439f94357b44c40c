"""Time the MLP's fused products on the card, for each way of cutting them up.

    python -m bench.sweep_mlp [--tokens 65536]

Compared with cuBLAS alone and cuBLAS followed by one elementwise kernel. All configurations are
compiled first, by one process a core. Those with specialized warps run last, in a process of their
own that is ended after a while: a mistake in their barriers would wait for ever.

Columns: registers, spills and KiB of shared memory of a program; ms (median); TFLOP/s; error is
||out - exact|| / ||exact|| over rows of all tiles, exact in float64.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import traceback
from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

import torch
import triton
import triton.language as tl
from torch import Tensor
from triton.testing import do_bench

from bench.compile_check import HIDDEN, WIDTH, compile_all, launch_mlp
from trainer.kernels.mlp import (
    HOPPER_DOWN,
    HOPPER_UP,
    PORTABLE,
    MatmulConfig,
    down_backward_relu_squared,
    up_relu_squared,
)

# Two programs share a multiprocessor: one's epilogue then hides behind the other's products.
PAIRED = HOPPER_DOWN
SPECIALIZED = replace(HOPPER_UP, warps=4, flatten=False, specialize=True, pieces=1, prefetch=False)
CONFIGS: dict[str, MatmulConfig] = {
    "default": HOPPER_UP,
    "3 stages": replace(HOPPER_UP, stages=3),
    "3 stages, halves": replace(HOPPER_UP, stages=3, pieces=2),
    "steps of 128": replace(HOPPER_UP, block_k=128, stages=2),
    "no prefetch": replace(HOPPER_UP, prefetch=False),
    "not flattened": replace(HOPPER_UP, flatten=False),
    "one program a tile": replace(HOPPER_UP, persistent=False, pieces=1),
    "groups of 16": replace(HOPPER_UP, group=16),
    "groups of 1": replace(HOPPER_UP, group=1),
    "256 x 128": replace(HOPPER_UP, block_m=256, block_n=128),
    "plain loads": replace(HOPPER_UP, tma=False),
    "paired": PAIRED,
    "paired, halves": replace(PAIRED, pieces=2),
    "paired, no prefetch": replace(PAIRED, prefetch=False),
    "portable": PORTABLE,
    "specialized": SPECIALIZED,
    "specialized, 3 stages": replace(SPECIALIZED, stages=3),
    "specialized, 256 x 128": replace(SPECIALIZED, block_m=256, block_n=128),
    "specialized, 128 x 128": replace(SPECIALIZED, block_n=128),
}
SPECIALIZED_TIMEOUT = 60  # seconds for all of them; each takes less than one
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


def sweep(configs: dict[str, MatmulConfig], problem: Problem) -> None:
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
    """Time what there was before."""
    x, up, down, d_m, h, exact_h, exact_d = problem
    tokens = len(x)
    report("up    cuBLAS alone", lambda: x @ up.T, None, tokens=tokens)
    report("up    cuBLAS and a kernel", lambda: separately(x, up.T, None), exact_h, tokens=tokens)
    report("down  cuBLAS alone", lambda: d_m @ down, None, tokens=tokens)
    report("down  cuBLAS and a kernel", lambda: separately(d_m, down, h), exact_d, tokens=tokens)
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
    parser.add_argument("--specialized", action="store_true", help="these alone, and right here")
    args = parser.parse_args()
    specialized = {name: config for name, config in CONFIGS.items() if config.specialize}
    problem = draw(args.tokens)
    if args.specialized:
        sweep(specialized, problem)
        return
    baselines(problem)
    sweep({name: CONFIGS[name] for name in CONFIGS if name not in specialized}, problem)
    again = [sys.executable, "-m", "bench.sweep_mlp", "--specialized", "--tokens", f"{args.tokens}"]
    try:
        subprocess.run(again, timeout=SPECIALIZED_TIMEOUT, check=False)
    except subprocess.TimeoutExpired:
        print(f"specialized: not done within {SPECIALIZED_TIMEOUT} s")


if __name__ == "__main__":
    main()
