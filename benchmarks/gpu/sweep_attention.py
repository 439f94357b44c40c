"""Time attention on the card, for each way of cutting it up, against compiled FlexAttention.

    python -m benchmarks.gpu.sweep_attention [--tokens 65536]

Documents are log-normal (median 400 tokens, sigma 1), windows those of the long and short layers at
two moments of a training. All tilings are compiled first, by one process a core. Gradients:
`benchmarks.gpu.sweep_backward`.

The first row is what the trainer takes: on Hopper, the kernel for scores with a bound.

Columns: registers, spills and KiB of shared memory of a program; milliseconds (median) at each
window; error is ||x - exact|| / ||exact|| of the output, the worst of some thousand tokens of two
heads at the largest window, exact in float64.
"""

from __future__ import annotations

import argparse
import sys
import traceback
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from triton.testing import do_bench

from benchmarks.gpu.compile_check import BOUND, HEAD_DIM, HEADS, compile_all, launch_attention
from trainer.kernels.attention import HOPPER, PORTABLE, Tilings, attend
from trainer.kernels.tiles import Tiling
from trainer.operations.masks import Interval, block_mask, dense_mask, intervals, token_rule

sys.path.insert(0, str(Path(__file__).parents[2] / "tests" / "reference"))
# Of the tests, which are not a package.
import flex_attention as flex

Run = Callable[[], Any]

WINDOWS = (14, 7, 4, 2)  # in blocks: long and short, late and early
BLOCK = 128
SCALE = 0.12
TILINGS: dict[str, Tiling | None] = {
    "default": None,
    "128 x 64, 128 registers": Tiling(128, 64, 2, 8, registers=128),
    "128 x 64, 128 reg., 3 stages": Tiling(128, 64, 3, 8, registers=128),
    "128 x 64, 3 stages": Tiling(128, 64, 3, 8),
    "128 x 128": Tiling(128, 128, 2, 8),
    "128 x 64, 4 warps": Tiling(128, 64, 2, 4),
    "128 x 32, 4 warps, 3 stages": Tiling(128, 32, 3, 4),
    "64 x 128, 4 warps": Tiling(64, 128, 2, 4),
    "64 x 64, 4 warps": Tiling(64, 64, 2, 4),
    "64 x 64, 4 warps, 3 stages": Tiling(64, 64, 3, 4),
    "128 x 64, plain loads": Tiling(128, 64, 2, 8, tma=False),
    "portable": PORTABLE.forward,
}


class Problem(NamedTuple):
    """One sequence; q, k, v and d_out are (T, H, E), q and k views of the merged projection."""

    documents: Tensor
    q: Tensor
    k: Tensor
    v: Tensor
    d_out: Tensor

    @property
    def tensors(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """What attention and its gradients start from."""
        return self[1:]

    def bounds(self, window: int) -> Interval:
        """Who sees whom."""
        return intervals(self.documents, BLOCK, [window])[0]


def draw(tokens: int) -> Problem:
    """Draw documents and tensors; q and k have the norm that the model gives them."""
    torch.manual_seed(0)
    lengths = np.random.default_rng(0).lognormal(np.log(400), 1.0, tokens).astype(int) + 1
    documents = torch.from_numpy(np.searchsorted(lengths.cumsum(), np.arange(tokens), "right"))
    shape = (tokens, HEADS, HEAD_DIM)
    merged = torch.randn((tokens, 3, HEADS, HEAD_DIM), device="cuda")
    merged = torch.nn.functional.rms_norm(merged, (HEAD_DIM,)).bfloat16()
    v, d_out = (torch.randn(shape, device="cuda").bfloat16() for _ in range(2))
    return Problem(documents.cuda(), merged[:, 0], merged[:, 1], v, d_out)


class Part(NamedTuple):
    """Tokens that are compared in one head; what they see, and what sees them, is in `all`."""

    head: slice
    all: slice
    compared: slice


def parts(tokens: int) -> Iterator[Part]:
    """Some of the first, middle and last tokens; each sees 14 blocks at most, as is seen by."""
    reach = max(WINDOWS) * BLOCK
    middle = tokens // 2 // BLOCK * BLOCK
    for first, stop in ((0, 2 * reach), (middle, middle + 3 * reach), (tokens - 2 * reach, tokens)):
        begin, end = first + reach * (first > 0), stop - reach * (stop < tokens)
        for head in (0, HEADS - 1):
            yield Part(slice(head, head + 1), slice(first, stop), slice(begin, end))


def exact_output(problem: Problem, part: Part, window: int) -> Tensor:
    """Output of the compared tokens in float64."""
    q, k, v = (t[part.all, part.head].double() for t in problem.tensors[:3])
    documents = problem.documents[part.all].unsqueeze(0)
    mask = dense_mask(block_mask(documents, BLOCK, window), token_rule(documents))[0]
    scores = torch.einsum("qhe,khe->hqk", q, k) * SCALE
    weights = scores.masked_fill(~mask, float("-inf")).softmax(-1)
    first = part.all.start
    inner = slice(part.compared.start - first, part.compared.stop - first)
    return torch.einsum("hqk,khe->qhe", weights, v)[inner]


class Reference:
    """Exact outputs at the largest window, computed once."""

    def __init__(self, problem: Problem) -> None:
        window = max(WINDOWS)
        self.parts = list(parts(len(problem.q)))
        self.exact = [exact_output(problem, part, window) for part in self.parts]

    def error(self, out: Tensor) -> float:
        """The largest relative error."""
        return max(
            float((out[part.compared, part.head].double() - exact).norm() / exact.norm())
            for part, exact in zip(self.parts, self.exact, strict=True)
        )


def times(runs: list[Run]) -> str:
    """Medians of each, in milliseconds, as columns."""
    ms = (do_bench(run, warmup=10, rep=50, return_mode="median") for run in runs)
    return "  ".join(f"{value:7.3f}" for value in ms)


def tilings_of(tiling: Tiling | None) -> Tilings | None:
    """Tilings with this one of the forward kernel, or the default."""
    return tiling and HOPPER._replace(forward=tiling)


def runs_of(problem: Problem, tiling: Tiling | None) -> list[Run]:
    """The forward pass at each window."""
    q, k, v, _ = problem.tensors
    run = partial(attend, q, k, v, scale=SCALE, tilings=tilings_of(tiling), bound=BOUND)
    return [partial(run, low=problem.bounds(window).low) for window in WINDOWS]


def report(label: str, tiling: Tiling | None, problem: Problem, reference: Reference) -> None:
    """Time one tiling and print its line, or why there is none."""
    try:
        runs = runs_of(problem, tiling)
        error = reference.error(runs[0]()[0])
        print(f"{label}  {times(runs)}  error {error:.1e}", flush=True)
    except Exception:  # noqa: BLE001 - a tiling that cannot run is a result
        print(f"{label}  {traceback.format_exc().splitlines()[-1][:90]}", flush=True)


def flex_runs(problem: Problem) -> tuple[list[Run], list[Run]]:
    """Compiled FlexAttention at each window: forward and backward passes."""
    q, k, v, d_out = (t.transpose(0, 1).unsqueeze(0) for t in problem.tensors)
    q, k, v = (t.detach().requires_grad_() for t in (q, k, v))
    documents = problem.documents.unsqueeze(0)
    forward: list[Run] = []
    backward: list[Run] = []
    for window in WINDOWS:
        lists = flex.block_lists(block_mask(documents, BLOCK, window))
        run = partial(flex.attend, q, k, v, flex.FlexMask(documents, lists, BLOCK), SCALE)
        forward.append(run)
        backward.append(partial(torch.autograd.grad, run(), (q, k, v), d_out, retain_graph=True))
    return forward, backward


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--tokens", type=int, default=65536)
    problem = draw(parser.parse_args().tokens)
    at = torch.arange(len(problem.q), device="cuda")
    seen = (float((at - problem.bounds(window).low + 1).double().mean()) for window in WINDOWS)
    print(f"windows {WINDOWS}: a query sees {', '.join(f'{count:.0f}' for count in seen)} keys")
    reference = Reference(problem)
    configs = {name: tilings_of(tiling) for name, tiling in TILINGS.items()}
    compiled = compile_all(launch_attention, configs)
    for name, tiling in TILINGS.items():
        usages = compiled[name]
        if isinstance(usages, str):
            print(f"{name:30} {usages}")
        else:
            report(f"{name:30} {usages[-1].short}", tiling, problem, reference)
    forward, backward = flex_runs(problem)
    print(f"{'FlexAttention':46} {times(forward)}")
    print(f"{'its backward pass':46} {times(backward)}")


if __name__ == "__main__":
    main()
