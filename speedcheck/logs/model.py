"""What a log says, as frozen records. None always means that the log does not say."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

LogFormat = Literal["modded", "llmc", "foreign"]
"""`step:125/1393 val_loss:4.4043 train_time:14281ms`, llm.c's `s:9536 tel:3.2760`, or what a
track's own pattern reads."""


@dataclass(frozen=True, slots=True)
class Problem:
    """Something in a log that could not be read, or that contradicts the rest of it.

    Attributes:
        line: number of the line, from 1; None where the whole file is meant.
        message: what is wrong; control characters of the log are escaped.
    """

    line: int | None
    message: str


@dataclass(frozen=True, slots=True)
class Validation:
    """One validation line.

    Attributes:
        step: number of updates done.
        total_steps: number of updates planned; None in llm.c's format.
        loss: mean cross-entropy in nats per token; nan or inf where the run diverged.
        train_time_ms: timed training so far, in milliseconds.
        step_avg_ms: what the log prints as its average, in milliseconds. Its meaning differs
            between logs (time/step, time/(step - 10), time since the last validation).
        line: number of the line in the file, from 1.
        extra: every further `key:value` of the line, as printed.
    """

    step: int
    total_steps: int | None
    loss: float
    train_time_ms: float | None
    step_avg_ms: float | None
    line: int
    extra: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Environment:
    """Software and hardware that a log names.

    Attributes:
        python: version, such as "3.12.7".
        torch: version, such as "2.7.0.dev20250110+cu126".
        cuda: CUDA version that PyTorch was compiled for.
        triton: version.
        gpu: name of the GPU; different names are joined by " + ".
        gpu_names: one name for each GPU listed, in the order of the log.
        n_gpus: GPUs that trained: the world size where the log states it, else those listed;
            0 for a run on CPU.
        driver: version of the NVIDIA driver.
    """

    python: str | None = None
    torch: str | None = None
    cuda: str | None = None
    triton: str | None = None
    gpu: str | None = None
    gpu_names: tuple[str, ...] = ()
    n_gpus: int | None = None
    driver: str | None = None


@dataclass(frozen=True, slots=True)
class Header:
    """The lines that the bundled trainer adds to the environment (docs/log-format.md).

    Attributes:
        seed: seed of the run.
        recipe: name of the recipe.
        config: the recipe's full configuration.
        source_sha256: SHA-256 of the program, as the trainer states it.
        git_commit: commit of the working tree; None outside a repository.
        git_clean: whether the tree was clean.
        data: manifest of the shards.
        timing: the timing rule, in words.
        host: cores, cpu, id (a digest) and os of the machine.
        gpus: name and driver of each GPU.
        device: "cpu" or "cuda".
        ranks: number of training processes.
        threads: CPU threads of each.
        started: UTC time of the start, ISO 8601.
    """

    seed: int | None = None
    recipe: str | None = None
    config: Mapping[str, Any] | None = None
    source_sha256: str | None = None
    git_commit: str | None = None
    git_clean: bool | None = None
    data: Mapping[str, Any] | None = None
    timing: str | None = None
    host: Mapping[str, Any] | None = None
    gpus: tuple[Mapping[str, Any], ...] | None = None
    device: str | None = None
    ranks: int | None = None
    threads: int | None = None
    started: str | None = None


@dataclass(frozen=True, slots=True)
class Run:
    """One training run.

    Attributes:
        log: name of the log file.
        index: position of the run within the file, from 0.
        format: format of its step lines.
        validations: validation lines in the order of the file, repeats left out.
        last_step: step of the run's last step line, training lines included.
        total_steps: number of updates planned; None in llm.c's format.
        environment: software and hardware.
        header: the bundled trainer's header; None in other logs.
        source_sha256: SHA-256 of the embedded program's bytes with line ends as LF; None where
            no program is embedded.
        source_span: first and one-past-last position of the program, for `program_text`.
        diverged: whether the run ended at a loss that is no finite number.
        stopped: the trainer's reason for stopping early.
        peak_memory_mib: peak of the allocated GPU memory, in MiB.
        step_repeats: validation lines printed again and left out of `validations`.
        printed_seed: seed that a line of a foreign log gives.
        last_time_ms: training time at the last step line that prints one, in milliseconds.
        step_time_ms: training time between the last two such lines, in milliseconds.
        counts_steps: whether the log prints steps; otherwise its validations are counted.
    """

    log: str
    index: int
    format: LogFormat
    validations: tuple[Validation, ...]
    last_step: int
    total_steps: int | None
    environment: Environment
    header: Header | None
    source_sha256: str | None
    source_span: tuple[int, int] | None
    diverged: bool
    stopped: str | None
    peak_memory_mib: int | None
    step_repeats: int
    printed_seed: int | None = None
    last_time_ms: float | None = None
    step_time_ms: float | None = None
    counts_steps: bool = True

    @property
    def seed(self) -> int | None:
        """Seed of the run."""
        return self.header.seed if self.header else self.printed_seed

    @property
    def final(self) -> Validation | None:
        """The last validation, whether or not the run is complete."""
        return self.validations[-1] if self.validations else None

    @property
    def val_loss(self) -> float | None:
        """Loss of the last validation, in nats per token."""
        return self.final.loss if self.final else None

    @property
    def train_time_ms(self) -> float | None:
        """Training time at the last validation, in milliseconds.

        Clocks that restart (at step 10 in older logs) are taken as they stand: the published
        rule counts from there.
        """
        return self.final.train_time_ms if self.final else None

    @property
    def final_step(self) -> int | None:
        """Step of the last validation."""
        return self.final.step if self.final else None

    @property
    def complete(self) -> bool | None:
        """Whether the last validation is at the last planned step; None without a plan."""
        if self.total_steps is None:
            return None
        return self.final_step == self.total_steps


@dataclass(frozen=True, slots=True)
class LogFile:
    """One file.

    Attributes:
        name: path below the folder that is judged, with "/".
        sha256: of the file's bytes; None where the file was too large to read.
        size: bytes.
        runs: the runs in it, in order; empty where the file is no log.
        problems: what could not be read; never empty when `runs` is.
    """

    name: str
    sha256: str | None
    size: int
    runs: tuple[Run, ...]
    problems: tuple[Problem, ...]
