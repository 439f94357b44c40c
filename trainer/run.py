"""Runs of a process: threads, determinism, ranks, data, and the log around the loop."""

from __future__ import annotations

import dataclasses
import gc
import os
import resource
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import torch
from torch.utils import deterministic

from trainer.config import Recipe
from trainer.data.fineweb import ShardPaths
from trainer.data.shards import Manifest, read_shard
from trainer.data.sources import describe_data
from trainer.data.stream import TokenStream, ValidationSet
from trainer.runtime import provenance
from trainer.runtime.conditions import conditions
from trainer.runtime.distributed import World, open_world
from trainer.runtime.log import FileLog, NoLog, header_line, memory_line, stopped_line
from trainer.train import DivergedError, Run, train

LOG_VERSION = 1
TIMING_RULE = "every training step is timed; validation is not; "
WARM_UP_RULE = {
    True: "kernels were warmed up on dummy data before, untimed, and the state was reset",
    False: "no warm-up",
}


@dataclass(frozen=True)
class WorkerOrder:
    """Which of a worker's runs this one is.

    Attributes:
        id: tells the workers of a machine apart.
        order: 1 for the first run of the worker.
    """

    id: str
    order: int


@dataclass(frozen=True)
class Evidence:
    """What the logs of a process say of its program and data, as they were when it read them.

    Attributes:
        program: the source files.
        git: the state of the working tree.
        data: the shards.
        variables: the environment variables that the process started with.
        side_by_side: runs that share the machine's GPUs.
    """

    program: str
    git: provenance.GitState | None
    data: Manifest
    variables: Mapping[str, str]
    side_by_side: int


@dataclass(frozen=True)
class Session:
    """What all runs of a process share: opened, read and hashed once.

    Attributes:
        run: everything that is fixed but the seed, which is that of no run.
        evidence: for the logs; None where another rank writes them.
    """

    run: Run
    evidence: Evidence | None

    def train(self, seed: int, log_path: Path, worker: WorkerOrder | None = None) -> bool:
        """Train one seed, write its log, and return whether the loss stayed finite.

        Nothing of an earlier run is left: neither in the model, nor in the random state, nor in
        the allocator. All ranks call it together.

        Raises:
            TrainerError: the log file cannot be used.
        """
        run = replace(self.run, seed=seed)
        _free_memory(run.world.device)
        if self.evidence is None:
            finite = train_to_the_end(run, NoLog())
        else:
            with FileLog.create(log_path, run.recipe.schedule.steps) as log:
                _say_that_it_is_ours(log_path)
                log.header(self.evidence.program, environment(run, self.evidence, worker))
                finite = train_to_the_end(run, log)
        run.world.end_training()
        return finite


@contextmanager
def open_session(recipe: Recipe, shards: ShardPaths, side_by_side: int = 1) -> Iterator[Session]:
    """Join the other ranks and open the data, for as many runs as are asked for.

    Args:
        recipe: of all runs.
        shards: their data.
        side_by_side: runs that share the machine's GPUs, for the log.

    Raises:
        TrainerError: the ranks or the data cannot be used.
    """
    # PyTorch adds variables of its own.
    variables = dict(os.environ)
    make_deterministic(recipe)
    with open_world(recipe) as world:
        run = open_run(recipe, 0, shards, world)
        if not world.is_main:
            yield Session(run, None)
            return
        program, git = provenance.program_text(), provenance.git_state()
        data = describe_data(recipe, shards)
        yield Session(run, Evidence(program, git, data, variables, side_by_side))


def run_seed(
    recipe: Recipe, seed: int, shards: ShardPaths, log_path: Path, *, side_by_side: int = 1
) -> bool:
    """Train one seed, write its log, and return whether the loss stayed finite.

    Raises:
        TrainerError: the ranks, the data or the log file cannot be used.
    """
    with open_session(recipe, shards, side_by_side) as session:
        return session.train(seed, log_path)


def _say_that_it_is_ours(log_path: Path) -> None:
    """Say that this process has made the log: its launcher trusts no other file of that name."""
    sys.stderr.write(f"trainer writes {log_path.name}\n")
    sys.stderr.flush()


def _free_memory(device: torch.device) -> None:
    """Leave nothing of an earlier run in memory, and let the peak begin anew."""
    gc.collect()
    if device.type == "cuda":
        torch._C._cuda_clearCublasWorkspaces()
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats(device)


def train_to_the_end(run: Run, log: FileLog | NoLog) -> bool:
    """Train and write the log's last line; return whether the loss stayed finite."""
    try:
        train(run, log)
    except DivergedError as error:
        log.line(stopped_line(error.step))
        return False
    log.line(memory_line(*peak_memory_mib(run.world.device)))
    return True


def make_deterministic(recipe: Recipe) -> None:
    """Same seed, same machine: same losses, bit for bit."""
    torch.set_num_threads(recipe.threads)
    if recipe.device == "cuda":
        # cuBLAS chooses among its kernels by the workspace that it finds; read at its first use.
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        return
    torch.use_deterministic_algorithms(True)
    # Filling fresh memory would only hide a read of it, and costs a pass over each tensor.
    deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]


def open_run(recipe: Recipe, seed: int, shards: ShardPaths, world: World) -> Run:
    """Open the shards and check that they suffice.

    Raises:
        TrainerError: a shard is broken or too short.
    """
    data, vocab_size = recipe.data, recipe.model.vocab_size
    stream = TokenStream(
        [read_shard(path, vocab_size=vocab_size) for path in shards.train],
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


def environment(run: Run, evidence: Evidence, worker: WorkerOrder | None) -> list[str]:
    """The lines of the log's environment part."""
    recipe, world = run.recipe, run.world
    compiled_for = f"CUDA {torch.version.cuda}" if torch.version.cuda else "CPU"
    facts = {
        "speedcheck_log": LOG_VERSION,
        "seed": run.seed,
        "recipe": recipe.name,
        "config": dataclasses.asdict(recipe),
        "source_sha256": provenance.sha256(evidence.program),
        "git": evidence.git,
        "data": dataclasses.asdict(evidence.data),
        "timing": TIMING_RULE + WARM_UP_RULE[recipe.warm_up],
        "host": provenance.host(),
        "gpus": provenance.gpus(),
        **conditions(evidence.variables),
        "world": {"device": world.device.type, "ranks": world.size, "threads": recipe.threads},
        "head": _head_dtype(run),
        "started": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        **_shared(evidence, worker),
    }
    return [
        f"Running Python {provenance.python_version()}",
        f"Running PyTorch {torch.__version__} compiled for {compiled_for}",
        *(header_line(key, value) for key, value in facts.items()),
        *provenance.nvidia_smi().splitlines(),
    ]


def _shared(evidence: Evidence, worker: WorkerOrder | None) -> dict[str, object]:
    """What the run shares with others: its process, or the machine's GPUs."""
    facts: dict[str, object] = {}
    if worker is not None:
        facts["worker"] = dataclasses.asdict(worker)
    if evidence.side_by_side > 1:
        facts["side_by_side"] = evidence.side_by_side
    return facts


def _head_dtype(run: Run) -> str:
    """In what the head's products are computed in training."""
    if run.world.device.type == "cpu":
        return run.recipe.model.dtype
    from trainer.operations.head import head_precision  # noqa: PLC0415 - the CPU recipe needs no Triton

    return {"fp8": "float8", "bf16": "bfloat16"}[head_precision(run.world.device)]


def peak_memory_mib(device: torch.device) -> tuple[float, float]:
    """Peak memory, allocated and reserved: the GPU's, or what of the process was resident."""
    if device.type == "cuda":
        allocated, reserved = (
            torch.cuda.max_memory_allocated(device),
            torch.cuda.max_memory_reserved(device),
        )
        return allocated / (1 << 20), reserved / (1 << 20)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    mib = peak / (1 << 20 if sys.platform == "darwin" else 1 << 10)
    return mib, mib
