"""What a log says, as frozen records. None always means that the log does not say."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_UNREAD = 1000
"""More unread validations of one file teach nobody anything."""

LogFormat = Literal["modded", "llmc", "foreign"]
"""`step:125/1393 val_loss:4.4043 train_time:14281ms`, llm.c's `s:9536 tel:3.2760`, or what a
track's own pattern reads."""


ProblemKind = Literal[
    "not_text",
    "too_large",
    "flood",
    "no_run",
    "long_line",
    "cut_line",
    "malformed",
    "conflict",
    "backwards",
    "beyond_plan",
    "unread",
    "probe",
    "program",
    "header",
    "slow_pattern",
    "more",
]
"""What a problem is about; code compares this and never the message.

- `not_text`, `too_large`, `flood`, `no_run`, `slow_pattern`: the file was not read, or holds no
  run.
- `long_line`, `cut_line`, `malformed`, `unread`: a line was not read; for the last one see
  `LogFile.unread`.
- `conflict`: two different validations at one step; the first counts.
- `backwards`, `beyond_plan`: steps that fall within a run, or exceed the planned ones.
- `probe`: evaluations beside a run under parameters of their own.
- `program`: it is not clear everywhere what is program and what is output.
- `header`: a line of the bundled trainer's header could not be used.
- `more`: how many further problems there are.
"""


@dataclass(frozen=True, slots=True)
class Problem:
    """Something in a log that could not be read, or that contradicts the rest of it.

    Attributes:
        kind: what it is about.
        line: number of the line, from 1; None where the whole file is meant.
        message: what is wrong; control characters of the log are escaped.
    """

    kind: ProblemKind
    line: int | None
    message: str


@dataclass(frozen=True, slots=True)
class UnreadValidation:
    """A line that tells of a validation and was not read as one.

    Attributes:
        line: number of the line in the file, from 1.
        step: the step that it tells; None where it tells none.
        loss: the loss that it tells; nan or inf where it says so.
        text: the line, cut to 200 characters; not escaped.
    """

    line: int
    step: int | None
    loss: float
    text: str


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
        gpus: name, driver, id, power limit and clocks of each GPU; a log of an earlier version has
            the first two.
        argv: the words that started the process.
        variables: the environment variables that can change a run; empty where none was set.
        compile_cache: "cold", or "warm" where the compilers found work of earlier runs.
        device: "cpu" or "cuda".
        ranks: number of training processes.
        threads: CPU threads of each.
        started: UTC time of the start, ISO 8601.
        worker: id of the process that trained one seed after another; None for a run of its own.
        worker_order: place of the run in that process, from 1.
        side_by_side: how many runs shared the machine's GPUs.
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
    argv: tuple[str, ...] | None = None
    variables: Mapping[str, str] | None = None
    compile_cache: str | None = None
    device: str | None = None
    ranks: int | None = None
    threads: int | None = None
    started: str | None = None
    worker: str | None = None
    worker_order: int | None = None
    side_by_side: int = 1


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
        diverged: whether the run ended at a loss that is not a finite number.
        stopped: the trainer's reason for stopping early.
        peak_memory_mib: peak of the allocated GPU memory, in MiB.
        step_repeats: validation lines printed again and left out of `validations`.
        printed_seed: seed that a line of a foreign log gives.
        first_step: step of the run's first step line, training lines included; above 0 where the
            run may continue an earlier one. None where no line gives a step: the steps of the run
            are then those of counted validations, and tell nothing of where it ended.
        last_time_ms: timed training at the run's last step line, training lines included, in
            milliseconds.
        step_time_ms: time between the run's last two step lines with different steps, in
            milliseconds: how far apart the log tells the time.
        ended: whether the line that decides was printed, or a line that says the run has ended;
            None where the track's patterns name no such line (group `final`).
        result: the validation that decides, where it is not the last of `validations`: that of
            a `final` line, or the last one with a time that other lines give.
        eval_time_ms: time of the evaluation, in milliseconds.
        artifact_bytes: size of the artifact.
        printed_val_tokens: number of validation tokens that a line of the log gives.
        printed_train_shards: number of training shards that a line of the log gives.
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
    first_step: int | None = None
    last_time_ms: float | None = None
    step_time_ms: float | None = None
    ended: bool | None = None
    result: Validation | None = None
    eval_time_ms: float | None = None
    artifact_bytes: int | None = None
    printed_val_tokens: int | None = None
    printed_train_shards: int | None = None

    @property
    def seed(self) -> int | None:
        """Seed of the run."""
        return self.header.seed if self.header else self.printed_seed

    @property
    def final(self) -> Validation | None:
        """The validation that decides, else the last one, whether or not the run is complete."""
        return self.result or (self.validations[-1] if self.validations else None)

    @property
    def val_loss(self) -> float | None:
        """Loss of the validation that decides, in nats per token."""
        return self.final.loss if self.final else None

    @property
    def train_time_ms(self) -> float | None:
        """Training time at the validation that decides, in milliseconds.

        Clocks that restart (at step 10 in older logs) are taken as they stand: the published
        rule counts from there.
        """
        return self.final.train_time_ms if self.final else None

    @property
    def final_step(self) -> int | None:
        """Step of the validation that decides."""
        return self.final.step if self.final else None

    @property
    def complete(self) -> bool | None:
        """Whether the run came to its end; None where neither a plan nor a `final` line tells.

        Where the track names the line that decides, a run has ended when it is printed, at
        whatever step: a limit of time may end it before the last planned one.
        """
        if self.ended is not None:
            return self.ended
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
        runs: the runs in it, in order; empty where the file is not a log.
        problems: what could not be read; never empty when `runs` is.
        unread: lines that tell of a validation and were not read, the first `MAX_UNREAD` of them.
    """

    name: str
    sha256: str | None
    size: int
    runs: tuple[Run, ...]
    problems: tuple[Problem, ...]
    unread: tuple[UnreadValidation, ...] = ()
