"""Compile the kernels for Hopper on a machine without a GPU, and show what each one takes.

    python -m benchmarks.gpu.compile_check [MODULE...] [--target 90]

Launchers run as always, on tensors that hold no data and say they are on a GPU; Triton's driver is
replaced by one that only knows the target. A kernel that does not compile, spills registers, takes
more shared memory than the card has, or has each of its asynchronous products waited for at once
(the assembler says nothing of it unless asked) ends the program with status 1.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest import mock

import torch
import triton
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_map_only
from triton.backends.compiler import GPUTarget
from triton.runtime.jit import JITFunction

from trainer.kernels.attention import Tilings, attend
from trainer.kernels.attention_backward import Projection, attend_projection_backward
from trainer.kernels.attention_merge import delta_of, merge_, merge_backward, restores_stream
from trainer.kernels.gemm import GemmConfig
from trainer.kernels.logits import logits_and_loss
from trainer.kernels.mlp import (
    down_backward_relu_squared,
    normed_mlp_backward,
    up_relu_squared,
)
from trainer.kernels.project import project
from trainer.operations.masks import Interval

HOPPER = GPUTarget("cuda", 90, 32)
# KiB of shared memory that one program may take, by compute capability.
SHARED_KIB = {80: 163, 86: 99, 89: 99, 90: 227}
TOOLS = Path(triton.__file__).parent / "backends/nvidia/bin"

TOKENS, WIDTH, HIDDEN, HEADS, HEAD_DIM = 65536, 768, 3072, 6, 128
# Of attention's scores, in the recipe sub3.
BOUND = 16.0
VOCABULARY, HEAD_ROWS = 50257, 50304


class CardTensor(torch.Tensor):
    """A tensor without data that claims to be on the GPU."""

    __torch_function__ = torch._C._disabled_torch_function_impl  # type: ignore[assignment]

    @property
    def device(self) -> torch.device:  # type: ignore[override]  # a property in torch too
        """Where launchers look."""
        return torch.device("cuda", 0)


class OnCard(TorchFunctionMode):
    """Torch's functions on such tensors: shapes and types without data."""

    def __torch_function__(
        self, function: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        args, kwargs = tree_map_only(CardTensor, _plain, (args, kwargs or {}))
        if "device" in kwargs:
            kwargs["device"] = "meta"
        return tree_map_only(Tensor, _on_card, function(*args, **kwargs))


def _plain(tensor: Tensor) -> Tensor:
    return tensor.as_subclass(Tensor)


def _on_card(tensor: Tensor) -> Tensor:
    return tensor.as_subclass(CardTensor)


@dataclass(frozen=True)
class Usage:
    """What one compiled kernel takes of the card."""

    name: str
    registers: int
    spills: int
    shared: int
    warps: int
    wgmma: int
    waits: int

    def fits(self, capability: int) -> bool:
        """Whether it can run on such cards, as it is meant to."""
        serialized = 0 < self.wgmma <= self.waits
        return self.spills == 0 and self.shared <= SHARED_KIB[capability] * 1024 and not serialized

    @property
    def short(self) -> str:
        """Registers, spills and KiB of shared memory."""
        return f"{self.registers:3} {self.spills:4} {self.shared / 1024:5.0f}"

    def __str__(self) -> str:
        return (
            f"{self.name:34} {self.warps:2d} warps  {self.registers:3d} registers  "
            f"{self.spills:4d} spills  {self.shared / 1024:5.1f} KiB shared  "
            f"{self.wgmma:3d} wgmma  {self.waits:2d} waits"
        )


def tensor(*shape: int, dtype: torch.dtype = torch.bfloat16) -> CardTensor:
    """Return a contiguous tensor of the shape."""
    return torch.empty(shape, dtype=dtype, device="meta").as_subclass(CardTensor)


@contextlib.contextmanager
def compile_only(target: GPUTarget = HOPPER) -> Iterator[list[Usage]]:
    """Within it, a launch compiles and adds what the kernel takes to the list."""
    driver = SimpleNamespace(
        get_current_target=lambda: target,
        get_current_device=lambda: 0,
        get_current_stream=lambda _: 0,
    )
    usages: list[Usage] = []
    run = JITFunction.run

    def compile_instead(function: Any, *args: Any, **kwargs: Any) -> None:
        kernel = run(function, *args, **{**kwargs, "warmup": True})
        usages.append(_usage(function.__name__, kernel))

    properties = SimpleNamespace(multi_processor_count=132)
    capability = divmod(target.arch, 10)
    with (
        mock.patch.object(triton.runtime.driver, "_active", driver),
        mock.patch.object(JITFunction, "run", compile_instead),
        mock.patch.object(torch.cuda, "get_device_capability", return_value=capability),
        mock.patch.object(torch.cuda, "get_device_properties", return_value=properties),
        OnCard(),
    ):
        yield usages


def _usage(name: str, kernel: Any) -> Usage:
    with tempfile.NamedTemporaryFile(suffix=".cubin") as file:
        file.write(kernel.asm["cubin"])
        file.flush()
        report = _tool("cuobjdump", "--dump-resource-usage", file.name)
        assembly = _tool("nvdisasm", "-c", file.name)
    return Usage(
        name,
        registers=int(_search(r"REG:(\d+)", report)),
        spills=len(re.findall(r"\b(?:LDL|STL)\b", assembly)),
        shared=kernel.metadata.shared,
        warps=kernel.metadata.num_warps,
        wgmma=len(re.findall(r"\b[HQ]GMMA\b", assembly)),
        waits=assembly.count("WARPGROUP.DEPBAR"),
    )


def _tool(name: str, *args: str) -> str:
    done = subprocess.run([TOOLS / name, *args], check=True, capture_output=True, text=True)
    return done.stdout


def _search(pattern: str, text: str) -> str:
    match = re.search(pattern, text)
    if match is None:
        raise ValueError(f"{pattern} is not in {text!r}")
    return match.group(1)


def launch_mlp(config: GemmConfig | None = None) -> None:
    """Both products of the MLP, at the size of the recipe sub3."""
    x, up, down = tensor(TOKENS, WIDTH), tensor(HIDDEN, WIDTH), tensor(WIDTH, HIDDEN)
    up_relu_squared(x, up, config)
    down_backward_relu_squared(x, down, tensor(TOKENS, HIDDEN), config)
    if config is None:
        rstd = tensor(TOKENS, dtype=torch.float32)
        normed_mlp_backward(x, down, tensor(TOKENS, HIDDEN), up, x, rstd)


def launch_project(config: GemmConfig | None = None) -> None:
    """The projection to heads, with and without a table, at the size of the recipe sub3."""
    normed, qkv = tensor(TOKENS, WIDTH), tensor(3, WIDTH, WIDTH)
    mix, cos, sin = (
        tensor(*shape, dtype=torch.float32)
        for shape in ((2,), (TOKENS, HEAD_DIM), (TOKENS, HEAD_DIM))
    )
    table, tokens = tensor(VOCABULARY, WIDTH), tensor(TOKENS, dtype=torch.int64)
    project(normed, qkv, mix, table, tokens, cos, sin, 1e-7, config)
    project(normed, qkv, mix, None, None, cos, sin, 1e-7, config)


def launch_attention(tilings: Tilings | None = None) -> None:
    """Attention, at the size of the recipe sub3."""
    merged, v = tensor(TOKENS, 3, HEADS, HEAD_DIM), tensor(TOKENS, HEADS, HEAD_DIM)
    low = tensor(TOKENS, dtype=torch.int32)
    attend(merged[:, 0], merged[:, 1], v, low, 0.12, tilings)
    if tilings is None:
        attend(merged[:, 0], merged[:, 1], v, low, 0.12, bound=BOUND)


def launch_attention_backward(tilings: Tilings | None = None) -> None:
    """Gradients up to those of the projection, without a table and with one."""
    qkv = tensor(TOKENS, 3, HEADS, HEAD_DIM)
    v, d_out = (tensor(TOKENS, HEADS, HEAD_DIM) for _ in "vd")
    low, high = (tensor(TOKENS, dtype=torch.int32) for _ in "lh")
    bounds = Interval(low, high, reach=14 * 128)
    lse_delta, rstd, mix, cos, sin = (
        tensor(*shape, dtype=torch.float32)
        for shape in (
            (2, HEADS, TOKENS),
            (TOKENS, 2 * HEADS),
            (2,),
            (TOKENS, HEAD_DIM),
            (TOKENS, HEAD_DIM),
        )
    )
    values = tensor(VOCABULARY, WIDTH), tensor(TOKENS, dtype=torch.int64)
    for table, tokens in ((None, None), values):
        projection = Projection(qkv, rstd, mix, table, tokens, cos, sin)
        attend_projection_backward(d_out, projection, v, lse_delta, bounds, 0.12, tilings)


def launch_merge(_config: None = None) -> None:
    """The product that merges heads and its gradient, at the size of the recipe sub3."""
    out, lse = tensor(TOKENS, HEADS, HEAD_DIM), tensor(HEADS, TOKENS, dtype=torch.float32)
    stream, normed = tensor(TOKENS, WIDTH), tensor(TOKENS, WIDTH)
    if restores_stream(stream):
        rstd = tensor(TOKENS, dtype=torch.float32)
        merge_(stream, out, tensor(WIDTH, WIDTH), normed, rstd)
    merge_backward(tensor(TOKENS, WIDTH), tensor(WIDTH, WIDTH), out, lse)
    delta_of(out, out, lse)


def launch_logits(config: GemmConfig | None = None) -> None:
    """The head's product, at the size of the recipe sub3."""
    x, weight = (tensor(n, WIDTH, dtype=torch.float8_e4m3fn) for n in (TOKENS, HEAD_ROWS))
    logits_and_loss(x, weight, tensor(TOKENS, dtype=torch.int64), 1 / 64, config)


def compile_one(launch: Callable[[Any], None], config: Any) -> list[Usage] | str:
    """Compile what a launch under a configuration needs, or say why that fails."""
    try:
        with compile_only() as usages:
            launch(config)
    except Exception as error:  # noqa: BLE001 - a configuration that does not compile is a result
        return f"does not compile: {type(error).__name__}"
    return usages


def compile_all(
    launch: Callable[[Any], None], configs: dict[str, Any]
) -> dict[str, list[Usage] | str]:
    """Compile all configurations, a process a core; Triton's cache keeps the programs."""
    with ProcessPoolExecutor(os.cpu_count(), mp_context=get_context("spawn")) as pool:
        results = pool.map(partial(compile_one, launch), configs.values())
        return dict(zip(configs, results, strict=True))


# What is compiled: a function that launches, for each module of kernels.
SHIPPED: dict[str, Callable[[], None]] = {
    "mlp": launch_mlp,
    "project": launch_project,
    "attention": launch_attention,
    "attention_backward": launch_attention_backward,
    "attention_merge": launch_merge,
    "logits": launch_logits,
}


def main() -> int:
    """Compile everything; 1 if something cannot run."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("modules", nargs="*", default=list(SHIPPED), help="by default all")
    parser.add_argument("--target", type=int, choices=SHARED_KIB, default=90, help="sm_TARGET")
    args = parser.parse_args()
    unfit = 0
    for module in args.modules:
        with compile_only(GPUTarget("cuda", args.target, 32)) as usages:
            SHIPPED[module]()
        for usage in usages:
            fits = usage.fits(args.target)
            print(f"{module:18} {usage}{'' if fits else '  UNFIT'}")
            unfit += not fits
    return min(unfit, 1)


if __name__ == "__main__":
    sys.exit(main())
