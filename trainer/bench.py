"""`python -m trainer bench`: how long the real step takes at five window sizes.

The step is the one that a run takes, on the run's own shards, with the model and the optimizers of
a run; only the steps between the measured ones are left out.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from statistics import median
from typing import Any

import torch

from trainer.config import ModelConfig, Recipe
from trainer.data.sources import find_data
from trainer.data.stream import TokenStream
from trainer.operations.masks import block_mask
from trainer.run import make_deterministic, open_run
from trainer.runtime.clock import Clock
from trainer.runtime.distributed import World, open_world
from trainer.train import Run, Trainee, start, train_step, window_of

# First and last step of each stretch in a schedule of 1393 steps, as the record's program was
# measured: the long window is 1, 4, 7, 11 and 14 blocks there.
STRETCHES = ((4, 13), (342, 351), (692, 701), (1042, 1051), (1381, 1385))
SCHEDULE_STEPS = 1393
# Steps whose tokens are read, over and over: enough for some variety, and they fit in a shard.
DATA_STEPS = 40
# Untimed steps before each stretch: memory settles, and clocks rise from idle.
SETTLING = 2
# Repeats of a step whose launches are timed.
LAUNCHED_STEPS = 5
# Dense bfloat16 rates by the vendor's datasheets, FLOP/s, for names that begin like this; the first
# that fits counts.
PEAK_FLOPS = {
    "NVIDIA H100 PCIe": 756e12,
    "NVIDIA H100 NVL": 835e12,
    "NVIDIA H100": 989.5e12,
    "NVIDIA H200 NVL": 835.5e12,
    "NVIDIA H200": 989.5e12,
    "NVIDIA GH200": 989.5e12,
    "NVIDIA A100": 312e12,
    "NVIDIA L40S": 362e12,
    "NVIDIA GeForce RTX 4090": 165.2e12,
}
NODE_RANKS = 8


@dataclass(frozen=True)
class Stretch:
    """One line of the table.

    Attributes:
        first: number of the first timed step, from 0.
        last: of the last.
        window: of the long layers, tokens.
        step_ms: wall time of a step, milliseconds.
        mfu: model FLOPs of a step over what the GPUs could do in that time; None on a CPU and on
            cards whose peak is not known here.
        single_ms: the same for a step of one sequence a rank, what a rank of eight computes.
    """

    first: int
    last: int
    window: int
    step_ms: float
    mfu: float | None
    single_ms: float


@dataclass(frozen=True)
class Report:
    """What the benchmark measured.

    Attributes:
        gpu: name of the card.
        ranks: how many there were.
        torch: its version.
        windows: the recipe's pattern.
        stretches: the steps at five windows.
        mean_step_ms: over them.
        launch_ms: what the processor takes to launch a step of one sequence a rank while the GPU
            keeps it waiting for nothing; None on a CPU.
        projected_s: time of a whole run on a node of eight such GPUs, not measured but projected:
            every step takes the mean of the steps of one sequence a rank.
        peak_allocated_mib: memory of a rank.
        kernels: name, milliseconds and launches in a last step.
    """

    gpu: str
    ranks: int
    torch: str
    windows: str
    stretches: tuple[Stretch, ...]
    mean_step_ms: float
    launch_ms: float | None
    projected_s: float
    peak_allocated_mib: float
    kernels: tuple[tuple[str, float, int], ...]


def run_bench(
    recipe: Recipe,
    data_dir: Path,
    *,
    kernels: int,
    json_file: Path | None,
    trace_file: Path | None = None,
) -> None:
    """Measure and print.

    Args:
        recipe: whose steps are timed.
        data_dir: folder of the shards.
        kernels: lines of the kernel table.
        json_file: takes the figures as well.
        trace_file: takes a trace of what processor and GPU do in a step of one sequence a rank.

    Raises:
        TrainerError: the ranks or the data cannot be used.
    """
    make_deterministic(recipe)
    # Windows follow the number of the step; the tokens may come from other ones.
    shards = find_data(_short(recipe), data_dir)
    with open_world(recipe) as world:
        run = replace(open_run(_short(recipe), 0, shards, world), recipe=recipe)
        trainee = start(run)
        if world.device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(world.device)
        single = _of_one_sequence_a_rank(run)
        stretches = tuple(
            _measure(trainee, run, single, *stretch) for stretch in _stretches(recipe)
        )
        single_ms = sum(s.single_ms for s in stretches) / len(stretches)
        report = Report(
            gpu=_device_name(world),
            ranks=world.size,
            torch=torch.__version__,
            windows=recipe.model.windows,
            stretches=stretches,
            mean_step_ms=sum(s.step_ms for s in stretches) / len(stretches),
            launch_ms=_launch_ms(trainee, single),
            projected_s=single_ms * recipe.schedule.steps / 1000,
            peak_allocated_mib=_peak_mib(world),
            kernels=_kernel_table(trainee, run, kernels) if kernels else (),
        )
        if trace_file is not None:
            _trace(trainee, single, trace_file)
        if world.is_main:
            print(text_of(report))  # noqa: T201 - the command's own output
            if json_file is not None:
                json_file.write_text(json.dumps(asdict(report), indent=2) + "\n", encoding="utf-8")


def _short(recipe: Recipe) -> Recipe:
    return replace(recipe, schedule=replace(recipe.schedule, steps=DATA_STEPS))


def _stretches(recipe: Recipe) -> list[tuple[int, int]]:
    """The stretches at the same fractions of the recipe's schedule."""
    starts = [first * recipe.schedule.steps // SCHEDULE_STEPS for first, _ in STRETCHES]
    lengths = [last - first for first, last in STRETCHES]
    return [(first, first + length) for first, length in zip(starts, lengths, strict=True)]


def _of_one_sequence_a_rank(run: Run) -> Run:
    """The same run with steps of one sequence a rank."""
    recipe, stream = run.recipe.with_sequences_per_step(run.world.size), run.stream
    single = TokenStream(
        stream.shards,
        sequences_per_step=recipe.data.sequences_per_step,
        sequence_length=stream.sequence_length,
    )
    return replace(run, recipe=recipe, stream=single)


def _measure(trainee: Trainee, run: Run, single: Run, first: int, last: int) -> Stretch:
    step_ms = _step_ms(trainee, run, first, last)
    return Stretch(
        first,
        last,
        window_of(run.recipe, first).long * run.recipe.model.block_size,
        step_ms,
        _mfu(run, first, step_ms),
        _step_ms(trainee, single, first, last),
    )


def _step_ms(trainee: Trainee, run: Run, first: int, last: int) -> float:
    clock = Clock(run.world.device)
    available = run.stream.steps_available
    for step in range(max(0, first - SETTLING), first):
        train_step(trainee, run, step, data_step=step % available)
    clock.start()
    for step in range(first, last + 1):
        train_step(trainee, run, step, data_step=step % available)
    clock.stop()
    return clock.milliseconds / (last + 1 - first)


def _launch_ms(trainee: Trainee, single: Run) -> float | None:
    """Median time until a step's launches are handed over, of steps that find the GPU idle.

    One sequence's launches fit into the GPU's queue, so that the processor is not held up.
    """
    device, step = single.world.device, _stretches(single.recipe)[-1][0]
    if device.type != "cuda":
        return None
    times = []
    for _ in range(LAUNCHED_STEPS):
        torch.cuda.synchronize(device)
        start = time.perf_counter()
        train_step(trainee, single, step, data_step=0)
        times.append(1000 * (time.perf_counter() - start))
    torch.cuda.synchronize(device)
    return median(times)


def _mfu(run: Run, step: int, step_ms: float) -> float | None:
    peak = peak_flops(_device_name(run.world))
    if peak is None:
        return None
    return step_flops(run, step) / (step_ms / 1000) / (run.world.size * peak)


def peak_flops(name: str) -> float | None:
    """Dense bfloat16 rate of a card, FLOP/s; None for cards that are not in the list."""
    return next((peak for prefix, peak in PEAK_FLOPS.items() if name.startswith(prefix)), None)


def step_flops(run: Run, step: int) -> float:
    """Floating-point operations of the model in one step, without recomputation.

    Six for each weight of a matrix and each token (two forward, four backward); and in attention
    12 E for each head and each pair of tokens in a block that is not empty.
    """
    model, data = run.recipe.model, run.recipe.data
    tokens = data.sequences_per_step * data.sequence_length
    return 6.0 * matrix_weights(model) * tokens + _attention_flops(run, step)


def matrix_weights(model: ModelConfig) -> int:
    """Weights of the matrices that every token passes, the head's padding included."""
    attentions, d = model.depth - 1, model.width
    return attentions * 4 * d * d + model.depth * 8 * d * d + model.head_rows * d


def _attention_flops(run: Run, step: int) -> float:
    model, window = run.recipe.model, window_of(run.recipe, step)
    batch = run.stream.sequences(step % run.stream.steps_available, 0, 1)
    tokens = torch.from_numpy(batch.inputs)
    documents = (tokens == run.recipe.data.separator).cumsum(-1)
    blocks = block_mask(documents, model.block_size, window.long)
    pairs = [
        int((mask.full | mask.partial).sum()) * model.block_size**2
        for mask in (blocks, blocks.within(window.short))
    ]
    long = 3 if model.windows == "long-short" else (model.depth - 1) * (model.windows == "all-long")
    per_sequence = long * pairs[0] + (model.depth - 1 - long) * pairs[1]
    return 12.0 * model.width * per_sequence * run.recipe.data.sequences_per_step


def _kernel_table(trainee: Trainee, run: Run, lines: int) -> tuple[tuple[str, float, int], ...]:
    """Name, milliseconds and launches of the kernels that take most of a step at the end."""
    if run.world.device.type != "cuda":
        return ()
    step = _stretches(run.recipe)[-1][0]
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CUDA]) as profile:
        train_step(trainee, run, step, data_step=0)
        torch.cuda.synchronize(run.world.device)
    return tuple(_busiest(profile.key_averages(), lines))


def _trace(trainee: Trainee, single: Run, file: Path) -> None:
    """Write a step of one sequence a rank in Chrome's format, from rank 0."""
    step = _stretches(single.recipe)[-1][0]
    with torch.profiler.profile() as profile:
        train_step(trainee, single, step, data_step=0)
        if single.world.device.type == "cuda":
            torch.cuda.synchronize(single.world.device)
    if single.world.is_main:
        profile.export_chrome_trace(str(file))


def _busiest(events: Iterable[Any], lines: int) -> list[tuple[str, float, int]]:
    rows = [(e.key, e.self_device_time_total / 1000, e.count) for e in events]
    return sorted(rows, key=lambda row: -row[1])[:lines]


def _device_name(world: World) -> str:
    return torch.cuda.get_device_name(world.device) if world.device.type == "cuda" else "CPU"


def _peak_mib(world: World) -> float:
    if world.device.type != "cuda":
        return 0.0
    return torch.cuda.max_memory_allocated(world.device) / (1 << 20)


def _percent(fraction: float | None) -> str:
    return "-" if fraction is None else f"{fraction:.1%}"


def text_of(report: Report) -> str:
    """The report as a table."""
    lines = [
        f"{report.ranks} x {report.gpu}, torch {report.torch}, windows {report.windows}",
        "",
        "steps        window   ms/step    MFU   one sequence a rank",
        *(
            f"{f'{s.first}-{s.last}':<12} {s.window:>6} {s.step_ms:>9.1f} {_percent(s.mfu):>6}"
            f" {s.single_ms:>21.1f}"
            for s in report.stretches
        ),
        f"mean                {report.mean_step_ms:>9.1f}",
        "",
        f"projected, not measured: {report.projected_s:.1f} s for a run on {NODE_RANKS} such GPUs,",
        "whose every step takes the mean of one sequence a rank",
    ]
    if report.launch_ms is not None:
        lines.append(
            f"the processor launches a step of one sequence a rank in {report.launch_ms:.1f} ms"
        )
    if report.peak_allocated_mib:
        lines.append(f"peak memory allocated: {report.peak_allocated_mib:,.0f} MiB")
    if report.kernels:
        lines += ["", "ms of a last step  launches  kernel"]
        lines += [f"{ms:>17.2f}  {count:>8}  {name[:100]}" for name, ms, count in report.kernels]
    return "\n".join(lines)
