"""One run as a process: threads, determinism, ranks, data, and the log around the loop."""

from __future__ import annotations

import dataclasses
import resource
import sys
from datetime import UTC, datetime
from pathlib import Path

import torch
from torch.utils import deterministic

from trainer import provenance
from trainer.config import Recipe
from trainer.corpus import CorpusPaths
from trainer.data import TokenStream, ValidationSet
from trainer.distributed import World, open_world
from trainer.log import FileLog, NoLog, header_line, memory_line, stopped_line
from trainer.shards import manifest, read_shard
from trainer.train import DivergedError, Run, train

LOG_VERSION = 1
TIMING_RULE = "every training step is timed; validation is not; no warm-up"


def run_seed(recipe: Recipe, seed: int, shards: CorpusPaths, log_path: Path) -> bool:
    """Train one seed, write its log, and return whether the loss stayed finite.

    Raises:
        TrainerError: the ranks, the data or the log file cannot be used.
    """
    make_deterministic(recipe.threads)
    with open_world(recipe) as world:
        run = open_run(recipe, seed, shards, world)
        if not world.is_main:
            return train_to_the_end(run, NoLog())
        with FileLog.create(log_path, recipe.schedule.steps) as log:
            program = provenance.program_text()
            log.header(program, environment(run, shards, provenance.sha256(program)))
            return train_to_the_end(run, log)


def train_to_the_end(run: Run, log: FileLog | NoLog) -> bool:
    """Train and write the log's last line; return whether the loss stayed finite."""
    try:
        train(run, log)
    except DivergedError as error:
        log.line(stopped_line(error.step))
        return False
    log.line(memory_line(*peak_memory_mib()))
    return True


def make_deterministic(threads: int) -> None:
    """Same seed, same machine: same losses, bit for bit."""
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(True)
    # Filling fresh memory would only hide a read of it, and costs a pass over each tensor.
    deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]


def open_run(recipe: Recipe, seed: int, shards: CorpusPaths, world: World) -> Run:
    """Open the shards and check that they suffice.

    Raises:
        TrainerError: a shard is broken or too short.
    """
    data, vocab_size = recipe.data, recipe.model.vocab_size
    stream = TokenStream(
        [read_shard(shards.train, vocab_size=vocab_size)],
        sequences_per_step=data.sequences_per_step,
        sequence_length=data.sequence_length,
    )
    stream.require(recipe.schedule.steps)
    validation = ValidationSet(
        read_shard(shards.val, vocab_size=vocab_size),
        val_tokens=data.val_tokens,
        sequence_length=data.sequence_length,
    )
    return Run(recipe, seed, stream, validation, world)


def environment(run: Run, shards: CorpusPaths, source_sha256: str) -> list[str]:
    """The lines of the log's environment part."""
    recipe, world = run.recipe, run.world
    data = manifest([shards.train], [shards.val], recipe.data.val_tokens)
    compiled_for = f"CUDA {torch.version.cuda}" if torch.version.cuda else "CPU"
    facts = {
        "speedcheck_log": LOG_VERSION,
        "seed": run.seed,
        "recipe": recipe.name,
        "config": dataclasses.asdict(recipe),
        "source_sha256": source_sha256,
        "git": provenance.git_state(),
        "data": dataclasses.asdict(data),
        "timing": TIMING_RULE,
        "host": provenance.host(),
        "gpus": provenance.gpus(),
        "world": {"device": world.device.type, "ranks": world.size, "threads": recipe.threads},
        "started": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
    }
    return [
        f"Running Python {provenance.python_version()}",
        f"Running PyTorch {torch.__version__} compiled for {compiled_for}",
        *(header_line(key, value) for key, value in facts.items()),
        *provenance.nvidia_smi().splitlines(),
    ]


def peak_memory_mib() -> tuple[float, float]:
    """Peak memory of this process: resident, for want of an allocator that tells two figures."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    mib = peak / (1 << 20 if sys.platform == "darwin" else 1 << 10)
    return mib, mib
