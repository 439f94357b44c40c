"""Train the fast path and the reference side by side, and test whether they end alike.

    python -m benchmarks.gpu.equivalence [--seeds 8] [--steps 200] [--json FILE]

The fast path is the trainer as `sub3` runs it on a GPU: bfloat16, FlexAttention, the FP8 head, the
kernels. The reference is tests/reference: float32, dense masks, plain loss, torch's Adam, Muon one
matrix at a time. Both start from the same weights and read the same tokens, of the corpus of
`tiny`. Equivalence is shown by two one-sided Welch tests (TOST) on the final validation losses.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import torch
from scipy import stats

from trainer.config import RECIPES, Recipe
from trainer.data.corpus.config import CorpusConfig
from trainer.data.corpus.files import generate_tokens
from trainer.data.corpus.language import Purpose
from trainer.data.stream import TokenStream, ValidationSet
from trainer.model import GPT
from trainer.operations.plain import PlainOperations
from trainer.run import make_deterministic
from trainer.runtime.distributed import World
from trainer.schedule import lr_multiplier, momentum_at
from trainer.train import Run, train, window_of

MARGIN = 0.01  # nats; the record's runs have a standard deviation of 0.0013 to 0.0015
CONFIDENCE = 0.95
PROCESSES = 4
REFERENCE = Path(__file__).parents[2] / "tests" / "reference"


def reduced(steps: int) -> Recipe:
    """sub3 at a third of its width, with steps of one sequence of 2,048 bytes."""
    sub3, tiny = RECIPES["sub3"], RECIPES["tiny"]
    return replace(
        sub3,
        warm_up=False,
        model=replace(
            sub3.model,
            width=256,
            heads=2,
            vocab_size=tiny.model.vocab_size,
            head_rows=tiny.model.head_rows,
        ),
        data=replace(
            sub3.data,
            separator=tiny.data.separator,
            sequence_length=2048,
            sequences_per_step=1,
            val_tokens=32 * 2048,
        ),
        schedule=replace(sub3.schedule, steps=steps, val_every=steps, max_window=1024),
    )


def open_run(recipe: Recipe, seed: int, folder: Path) -> Run:
    """The run on the tokens that `write_tokens` left."""
    data = recipe.data
    tokens, val = np.load(folder / "train.npy"), np.load(folder / "val.npy")
    stream = TokenStream(
        [tokens],
        sequences_per_step=data.sequences_per_step,
        sequence_length=data.sequence_length,
    )
    validation = ValidationSet(
        val, val_tokens=data.val_tokens, sequence_length=data.sequence_length
    )
    return Run(recipe, seed, stream, validation, World(0, 1, torch.device("cuda", 0)))


def write_tokens(recipe: Recipe, folder: Path) -> None:
    """Training and validation tokens of the tiny corpus's language."""
    data, config = recipe.data, CorpusConfig()
    span = data.sequences_per_step * data.sequence_length
    np.save(
        folder / "train.npy",
        generate_tokens(config, Purpose.TRAIN, recipe.schedule.steps * span + 2),
    )
    np.save(folder / "val.npy", generate_tokens(config, Purpose.VAL, data.val_tokens + 1))


class Silent:
    """A log that nobody reads."""

    def step(self, step: int, *, kind: str, loss: float, train_ms: float) -> None:
        """Say nothing."""


def fast_loss(recipe: Recipe, seed: int, folder: Path) -> float:
    """Final validation loss of the trainer's own run."""
    make_deterministic(recipe)
    return train(open_run(recipe, seed, folder), Silent())


def reference_loss(recipe: Recipe, seed: int, folder: Path) -> float:
    """Final validation loss of the reference, in float32."""
    sys.path.insert(0, str(REFERENCE))
    # Of the tests, which are no package.
    from reference_step import Reference, ReferenceOptimizers  # noqa: PLC0415

    torch.backends.cuda.matmul.allow_tf32 = False
    run = open_run(recipe, seed, folder)
    torch.manual_seed(seed)
    with run.world.device:
        start = GPT(recipe.model, recipe.data.sequence_length, PlainOperations(torch.float32))
    reference = Reference.of(start, recipe.data.separator, torch.float32)
    config, steps = recipe.optimizer, recipe.schedule.steps
    rates = {
        "muon": config.muon_lr,
        "head": config.head_lr,
        "embedding": config.embedding_lr,
        "scalar": config.scalar_lr,
    }
    optimizers = ReferenceOptimizers(reference, rates, torch.float32)
    for step in range(steps):
        batch = run.stream.sequences(step)
        for inputs, targets in zip(*map(_on_gpu, batch), strict=True):
            loss = reference.loss(inputs, targets, window_of(recipe, step))
            (loss / recipe.data.sequences_per_step).backward()
        optimizers.step(
            lr_multiplier(step, steps, cooldown=recipe.schedule.cooldown),
            momentum_at(step, warmup=config.momentum_warmup),
        )
    with torch.no_grad():
        batch = run.validation.sequences()
        losses = [
            reference.loss(inputs, targets, window_of(recipe, steps)).item()
            for inputs, targets in zip(*map(_on_gpu, batch), strict=True)
        ]
    return sum(losses) / len(losses)


def _on_gpu(array: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(array).cuda()


def tost(first: list[float], second: list[float], margin: float) -> dict[str, float]:
    """Difference of means, its 90 % interval by Welch, and the larger of the two one-sided p."""
    difference = float(np.mean(first) - np.mean(second))
    test = stats.ttest_ind(first, second, equal_var=False)
    interval = test.confidence_interval(2 * CONFIDENCE - 1)
    above = stats.ttest_ind(
        np.array(first) + margin, second, equal_var=False, alternative="greater"
    )
    below = stats.ttest_ind(np.array(first) - margin, second, equal_var=False, alternative="less")
    return {
        "difference": difference,
        "low": float(interval.low),
        "high": float(interval.high),
        "p": float(max(above.pvalue, below.pvalue)),
    }


def main() -> None:
    """Run both for every seed and print what came out."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seeds", type=int, default=8)
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--folder", type=Path, default=Path("build/equivalence"))
    options = parser.parse_args()
    recipe = reduced(options.steps)
    options.folder.mkdir(parents=True, exist_ok=True)
    write_tokens(recipe, options.folder)
    start = time.perf_counter()
    # Both wait for their launches more than for the GPU, but contexts take turns on it.
    with ProcessPoolExecutor(PROCESSES, mp_context=get_context("spawn")) as pool:
        seeds = range(options.seeds)
        references = [pool.submit(reference_loss, recipe, s, options.folder) for s in seeds]
        fasts = [pool.submit(fast_loss, recipe, s, options.folder) for s in seeds]
        losses = {
            "reference": [future.result() for future in references],
            "fast": [future.result() for future in fasts],
        }
    result = tost(losses["fast"], losses["reference"], MARGIN)
    for name, values in losses.items():
        print(f"{name:10} mean {np.mean(values):.5f} sd {np.std(values, ddof=1):.5f}", values)
    print(
        f"difference {result['difference']:+.5f}, 90 % interval "
        f"[{result['low']:+.5f}, {result['high']:+.5f}], TOST p {result['p']:.2g} "
        f"(margin {MARGIN}); {time.perf_counter() - start:.0f} s"
    )
    if options.json:
        options.json.write_text(json.dumps({**losses, **result}, indent=2) + "\n")


if __name__ == "__main__":
    main()
