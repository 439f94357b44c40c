"""Train pairs of variants on real text, and compare their final validation losses seed by seed.

    python -m benchmarks.gpu.studies norm-eps --data-dir D --seeds 16 --out runs.jsonl
    python -m benchmarks.gpu.studies reference --data-dir D --seeds 8 --out runs.jsonl
    python -m benchmarks.gpu.studies norm-eps --out runs.jsonl --report

`norm-eps`: sub3 with an epsilon of 2^-7 in its norms, and with 2^-23; 200 steps of two sequences of
65,536 tokens. `reference`: sub3 at full width as it runs on a GPU, and the reference of the tests
in float32 without TF32, both from the same weights and with an epsilon of 2^-23; 200 steps of four
sequences of 4,096 tokens.

Every GPU runs one process (`--workers`), which takes run after run; each result is a line of the
file at once, and runs that the file holds are not repeated. The pairs are compared by a paired t
interval and by two one-sided paired t-tests (TOST).
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy import stats

from trainer.config import BFLOAT16_EPS, FLOAT32_EPS, RECIPES, Recipe
from trainer.data.fineweb import find_shards
from trainer.model import GPT
from trainer.operations.plain import PlainOperations
from trainer.run import make_deterministic, open_run
from trainer.runtime.distributed import World
from trainer.schedule import lr_multiplier, momentum_at
from trainer.train import Run, train, window_of

MARGIN = 0.015  # nats
STEPS = 200
REFERENCE = Path(__file__).parents[2] / "tests" / "reference"


class Silent:
    """A log that nobody reads."""

    def step(self, step: int, *, kind: str, loss: float, train_ms: float) -> None:
        """Say nothing."""


def fast_loss(run: Run) -> float:
    """Final validation loss of the trainer's own run."""
    return train(run, Silent())


def reference_loss(run: Run) -> float:
    """Final validation loss of the reference in float32, from the same weights and tokens."""
    sys.path.insert(0, str(REFERENCE))
    # Of the tests, which are not a package.
    from reference_step import Reference, ReferenceOptimizers  # noqa: PLC0415

    torch.backends.cuda.matmul.allow_tf32 = False
    recipe, device = run.recipe, run.world.device
    config, steps = recipe.optimizer, recipe.schedule.steps
    torch.manual_seed(run.seed)
    with device:
        operations = PlainOperations(torch.float32, recipe.model.norm_eps)
        start = GPT(recipe.model, recipe.data.sequence_length, operations)
    reference = Reference.of(start, recipe.data.separator, torch.float32)
    rates = {
        "muon": config.muon_lr,
        "head": config.head_lr,
        "embedding": config.embedding_lr,
        "scalar": config.scalar_lr,
    }
    optimizers = ReferenceOptimizers(reference, rates, torch.float32)
    for step in range(steps):
        batch = run.stream.sequences(step)
        for arrays in zip(*batch, strict=True):
            inputs, targets = (torch.from_numpy(array).to(device) for array in arrays)
            loss = reference.loss(inputs, targets, window_of(recipe, step))
            (loss / recipe.data.sequences_per_step).backward()
        optimizers.step(
            lr_multiplier(step, steps, cooldown=recipe.schedule.cooldown),
            momentum_at(step, warmup=config.momentum_warmup),
        )
    total = 0.0
    with torch.no_grad():
        for arrays in zip(*run.validation.sequences(), strict=True):
            inputs, targets = (torch.from_numpy(array).to(device) for array in arrays)
            total += reference.loss(inputs, targets, window_of(recipe, steps)).item()
    return total / run.validation.count


@dataclass(frozen=True)
class Variant:
    """One side of a pair.

    Attributes:
        recipe: what is trained.
        loss_of: trains it and returns the final validation loss.
    """

    recipe: Recipe
    loss_of: Callable[[Run], float]


def short(sequences: int, length: int, val_tokens: int) -> Recipe:
    """sub3 over 200 smaller steps, validated at the end."""
    sub3 = RECIPES["sub3"]
    return replace(
        sub3,
        warm_up=False,
        data=replace(
            sub3.data,
            sequence_length=length,
            sequences_per_step=sequences,
            val_tokens=val_tokens,
        ),
        schedule=replace(sub3.schedule, steps=STEPS, val_every=STEPS),
    )


def with_eps(recipe: Recipe, eps: float) -> Recipe:
    """The recipe with another epsilon in its norms."""
    return replace(recipe, model=replace(recipe.model, norm_eps=eps))


LONG = short(2, 65_536, 2_097_152)
SHORT = with_eps(short(4, 4_096, 524_288), FLOAT32_EPS)
STUDIES = {
    "norm-eps": {
        "2^-7": Variant(with_eps(LONG, BFLOAT16_EPS), fast_loss),
        "2^-23": Variant(with_eps(LONG, FLOAT32_EPS), fast_loss),
    },
    "reference": {
        "fast": Variant(SHORT, fast_loss),
        "reference": Variant(SHORT, reference_loss),
    },
}


def run_one(study: str, name: str, seed: int, data_dir: Path) -> dict[str, Any]:
    """Train one seed of a variant on the GPU that this process sees."""
    variant = STUDIES[study][name]
    recipe = variant.recipe
    make_deterministic(recipe)
    shards = find_shards(data_dir, recipe.data, recipe.schedule.steps)
    world = World(0, 1, torch.device(recipe.device))
    start = time.perf_counter()
    loss = variant.loss_of(open_run(recipe, seed, shards, world))
    return {
        "study": study,
        "variant": name,
        "seed": seed,
        "val_loss": loss,
        "seconds": round(time.perf_counter() - start, 1),
        "gpu": torch.cuda.get_device_name() if recipe.device == "cuda" else "CPU",
    }


def work(gpu: int, tasks: Any, data_dir: Path, out: Path) -> None:
    """Take runs until none is left."""
    # Before the first look at the GPUs.
    os.environ["CUDA_VISIBLE_DEVICES"] = str(gpu)
    while (task := tasks.get()) is not None:
        line = json.dumps(run_one(*task, data_dir)) + "\n"
        with out.open("a", encoding="utf-8") as file:
            file.write(line)
        print(line, end="", flush=True)


def run_all(study: str, seeds: int, workers: int, data_dir: Path, out: Path) -> None:
    """Train what the file lacks, on all GPUs."""
    done = {(row["study"], row["variant"], row["seed"]) for row in rows_of(out)}
    wanted = [(study, name, seed) for seed in range(seeds) for name in STUDIES[study]]
    context = get_context("spawn")
    tasks = context.Queue()
    gpus = list(range(torch.cuda.device_count())) * workers
    for task in [*(task for task in wanted if task not in done), *[None] * len(gpus)]:
        tasks.put(task)
    processes = [context.Process(target=work, args=(gpu, tasks, data_dir, out)) for gpu in gpus]
    for process in processes:
        process.start()
    for process in processes:
        process.join()


def rows_of(out: Path) -> list[dict[str, Any]]:
    """The runs that the file holds."""
    return [json.loads(line) for line in out.read_text().splitlines()] if out.exists() else []


def report(study: str, rows: list[dict[str, Any]]) -> str:
    """Means, and the comparison of the seeds that both variants have."""
    losses = {
        name: {row["seed"]: row["val_loss"] for row in rows if row["variant"] == name}
        for name in STUDIES[study]
    }
    lines = [
        f"{name}: {len(own)} seeds, mean {np.mean(list(own.values())):.5f}, "
        f"sd {np.std(list(own.values()), ddof=1):.5f}"
        for name, own in losses.items()
    ]
    first, second = losses.values()
    seeds = sorted(first.keys() & second.keys())
    differences = np.array([first[seed] - second[seed] for seed in seeds])
    lines.append(" - ".join(losses) + f", paired over {len(seeds)} seeds: " + paired(differences))
    return "\n".join(lines)


def paired(differences: np.ndarray) -> str:
    """Mean difference, intervals, the t-test against zero, and TOST."""
    test = stats.ttest_1samp(differences, 0.0)
    wide, narrow = test.confidence_interval(0.95), test.confidence_interval(0.90)
    below = stats.ttest_1samp(differences, MARGIN, alternative="less").pvalue
    above = stats.ttest_1samp(differences, -MARGIN, alternative="greater").pvalue
    return (
        f"{differences.mean():+.5f} (sd {differences.std(ddof=1):.5f}), "
        f"90 % interval [{narrow.low:+.5f}, {narrow.high:+.5f}], "
        f"95 % [{wide.low:+.5f}, {wide.high:+.5f}], p of no difference {test.pvalue:.2g}, "
        f"TOST p {max(below, above):.2g} (margin {MARGIN})"
    )


def main() -> None:
    """Run a study, or report on the runs so far."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("study", choices=STUDIES)
    parser.add_argument("--seeds", type=int, default=16)
    parser.add_argument("--workers", type=int, default=1, help="processes a GPU")
    parser.add_argument("--data-dir", type=Path, default=Path("data"))
    parser.add_argument("--out", type=Path, required=True, help="JSON lines, a run each")
    parser.add_argument("--report", action="store_true", help="train nothing")
    options = parser.parse_args()
    if not options.report:
        run_all(options.study, options.seeds, options.workers, options.data_dir, options.out)
    print(report(options.study, [r for r in rows_of(options.out) if r["study"] == options.study]))


if __name__ == "__main__":
    main()
