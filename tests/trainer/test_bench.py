from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from trainer.bench import matrix_weights, peak_flops, step_flops
from trainer.config import RECIPES, Recipe
from trainer.model import GPT
from trainer.train import Run, on_device, window_of

OpenRun = Callable[..., Run]


def test_every_token_costs_six_operations_a_weight(mini: Recipe, open_mini: OpenRun) -> None:
    """PyTorch's own counter, over the products of a forward and a backward pass."""
    model = GPT(mini.model, mini.data.sequence_length)
    run = open_mini(mini)
    inputs = on_device(model, run.stream.sequences(0), run, window_of(mini, 0))
    with FlopCounterMode(display=False) as counter:
        model(*inputs).backward()
    counts = counter.get_flop_counts()["Global"]
    products = sum(counts.get(op, 0) for op in (torch.ops.aten.mm, torch.ops.aten.addmm))
    assert products == 6 * matrix_weights(mini.model) * inputs[0].numel()


def test_sub3_has_162_million_weights_in_matrices() -> None:
    assert matrix_weights(RECIPES["sub3"].model) == 11 * 4 * 768**2 + 12 * 8 * 768**2 + 50304 * 768


def test_attention_costs_twelve_operations_a_feature_and_pair(
    mini: Recipe, open_mini: OpenRun
) -> None:
    """With blocks of one token a block is a pair, so the pairs can be counted by hand."""
    one = replace(mini, model=replace(mini.model, block_size=1), schedule=mini.schedule)
    run = open_mini(one)
    step = mini.schedule.steps - 1
    window = window_of(one, step)
    tokens = run.stream.sequences(step, 0, 1).inputs[0].tolist()
    documents = [tokens[: i + 1].count(one.data.separator) for i in range(len(tokens))]
    pairs = {
        blocks: sum(
            documents[q] == documents[k] and q - k < blocks
            for q in range(len(tokens))
            for k in range(q + 1)
        )
        for blocks in window
    }
    expected = 12 * one.model.width * one.data.sequences_per_step
    expected *= 3 * pairs[window.long] + 2 * pairs[window.short]
    products = 6 * matrix_weights(one.model) * one.data.sequences_per_step * len(tokens)
    assert step_flops(run, step) - products == pytest.approx(expected)


@pytest.mark.slow
def test_the_benchmark_times_the_five_stretches_of_a_recipe(tmp_path: Path) -> None:
    figures = tmp_path / "figures.json"
    command = [sys.executable, "-m", "trainer", "bench", "--recipe", "tiny"]
    options = ["--data-dir", str(tmp_path), "--json", str(figures)]
    trace = tmp_path / "trace.json"
    options += ["--trace", str(trace)]
    done = subprocess.run([*command, *options], check=True, capture_output=True, text=True)
    report = json.loads(figures.read_text())
    windows = [stretch["window"] for stretch in report["stretches"]]
    assert windows == sorted(windows)
    assert (windows[0], windows[-1]) == (16, 64)
    mean = sum(stretch["step_ms"] for stretch in report["stretches"]) / 5
    assert report["mean_step_ms"] == pytest.approx(mean)
    assert f"mean                {mean:>9.1f}" in done.stdout
    single = sum(stretch["single_ms"] for stretch in report["stretches"]) / 5
    assert report["projected_s"] == pytest.approx(single * RECIPES["tiny"].schedule.steps / 1000)
    assert json.loads(trace.read_text())["traceEvents"]
    # A quarter of the step's four sequences, and the optimizers.
    assert single < mean


@pytest.mark.parametrize(
    ("name", "teraflops"),
    [
        ("NVIDIA H100 80GB HBM3", 989.5),
        ("NVIDIA H100 PCIe", 756),
        ("NVIDIA H200", 989.5),
        ("NVIDIA A100-SXM4-80GB", 312),
    ],
)
def test_a_card_is_measured_by_its_own_peak(name: str, teraflops: float) -> None:
    assert peak_flops(name) == teraflops * 1e12


def test_an_unknown_card_has_no_peak() -> None:
    assert peak_flops("Some Card") is None
