"""The launcher: gathers runs into a job array, submits it, and takes over one that is there."""

from __future__ import annotations

import math
import os
import shlex
import sys
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from speedcheck.errors import LaunchError, UsageError
from speedcheck.records.log_names import next_log
from speedcheck.records.overrides import NO_OVERRIDES, RecipeOverrides
from speedcheck.run.launchers.launcher import Job, Process, Setup
from speedcheck.run.launchers.trainer_process import ask_trainer, data_options
from speedcheck.run.slurm.array import Array
from speedcheck.run.slurm.batch_files import MAX_ATTEMPTS, STARTED, Batch, marker, read_batches
from speedcheck.run.slurm.causes import MEMORY_VARIABLES
from speedcheck.run.slurm.commands import cancel_name, check_options, submit
from speedcheck.run.slurm.process import SlurmProcess
from speedcheck.run.slurm.queue import Queue

# Slurm kills a task that uses more than it asked for, and counts the task's own process too.
HEADROOM = 1.5


@dataclass(frozen=True, slots=True)
class SlurmOptions:
    """Where and how the runs are submitted.

    Attributes:
        partition: the partition; "" for the cluster's default.
        nodes: tasks that may run at one time; None for as many as the cluster lets.
        seeds_per_task: runs that one task trains, one after another; None for 1.
        minutes: time limit of a task; None for the partition's.
        max_attempts: attempts at a run that Slurm may interrupt; None for 5.

    Raises:
        UsageError: a number is below 1.
    """

    partition: str = ""
    nodes: int | None = None
    seeds_per_task: int | None = None
    minutes: int | None = None
    max_attempts: int | None = None

    def __post_init__(self) -> None:
        numbers = {
            "--nodes": self.nodes,
            "--seeds-per-task": self.seeds_per_task,
            "--time": self.minutes,
            "--max-attempts": self.max_attempts,
        }
        for option, value in numbers.items():
            if value is not None and value < 1:
                raise UsageError(f"{option} is {value}", remedy="give a whole number from 1")

    def words(self, setup: Setup, tasks: int) -> list[str]:
        """Return the options of sbatch for an array of so many tasks."""
        at_once = f"%{self.nodes}" if self.nodes else ""
        words = [f"--array=0-{tasks - 1}{at_once}", "--nodes=1", "--ntasks=1", "--requeue"]
        if self.partition:
            words.append(f"--partition={self.partition}")
        if self.minutes:
            words.append(f"--time={self.minutes}")
        if setup.device == "cpu":
            cpus = setup.ranks * setup.threads
            asked = f"{int(HEADROOM * setup.memory_mib)}M"
            return [*words, f"--cpus-per-task={cpus}", *_memory(asked)]
        # A run takes the whole node, so that its time can be compared with the next one's.
        return [*words, "--exclusive", *_memory("0")]


class SlurmLauncher:
    """Runs as tasks of a job array.

    Runs that are started in one go become one array, which is submitted when the first of them
    is looked at.

    Args:
        options: where and how they are submitted.
        data_dir: where the trainer keeps its data; None for the trainer's own choice.
        say: tells the user something.
        isolate: give each seed of a task a fresh process.
    """

    def __init__(
        self,
        options: SlurmOptions,
        data_dir: Path | None,
        say: Callable[[str], None],
        *,
        isolate: bool = False,
    ) -> None:
        self._options = options
        self._isolate = isolate
        self._data_dir = data_dir.absolute() if data_dir else None
        self._say = say
        self._queue = Queue(say)
        self._setup: Setup | None = None
        self._gathered: list[SlurmProcess] = []
        self._known: list[SlurmProcess] = []
        self._requeued: dict[Path, SlurmProcess] = {}
        self._arrays: dict[str, Array] = {}

    def prepare(
        self,
        recipe: str,
        overrides: RecipeOverrides = NO_OVERRIDES,
        gpus_per_run: int | None = None,
    ) -> Setup:
        """Ask the trainer about the recipe, and sbatch whether it would take the job."""
        data = data_options(self._data_dir)
        setup = ask_trainer(recipe, overrides, data, gpus_per_run, elsewhere=True)
        check_options(_script(Path("batch")), self._options.words(setup, tasks=1))
        where = f"partition {self._options.partition}" if self._options.partition else "Slurm"
        # A run may wait for days; the tasks themselves watch for one that hangs.
        self._setup = replace(setup, queue=where, timeout_s=math.inf)
        return self._setup

    def details(self, job: Job) -> Mapping[str, Any]:  # noqa: ARG002 - the seam's signature
        """Return the partition: the conditions are those of a node that is not chosen yet."""
        return {"launcher": "slurm", "partition": self._options.partition}

    def start(self, job: Job) -> Process:
        """Return the run, in the task that Slurm has put back or else in the next array.

        Raises:
            LaunchError: something is there of a run that no array in the queue has.
        """
        process = SlurmProcess(job, self)
        before = self._requeued.pop(job.log, None)
        if before is None and (job.log.exists() or marker(job.log, STARTED).exists()):
            what, remedy = "is there before its run has started", "add --resume for another attempt"
            raise LaunchError(what, where=str(job.log), remedy=remedy)
        if before is not None and before.place is not None:
            process.place = before.place
        else:
            self._gathered.append(process)
        self._known.append(process)
        return process

    def take_over(self, job: Job) -> Process | None:
        """Return the run of an array that an earlier session submitted; None where none has it."""
        for batch in reversed(tuple(read_batches(job.folder))):
            for task, jobs in enumerate(batch.tasks):
                if job.seed in {planned.seed for planned in jobs}:
                    process = SlurmProcess(job, self)
                    process.place = self._array(batch, taken_over=True), task
                    self._known.append(process)
                    return process
        return None

    def close(self) -> None:
        """Ask squeue no more."""
        self._queue.close()

    def submit(self) -> None:
        """Submit what has been gathered.

        Raises:
            RecordError: the array's file cannot be written.
            LaunchError: sbatch refuses.
        """
        gathered, self._gathered = self._gathered, []
        if not gathered:
            return
        size = self._options.seeds_per_task or 1
        blocks = [gathered[first : first + size] for first in range(0, len(gathered), size)]
        array = self._submit(gathered[0].job.folder.absolute(), blocks)
        for task, block in enumerate(blocks):
            for process in block:
                process.place = array, task

    def _submit(self, folder: Path, blocks: list[list[SlurmProcess]]) -> Array:
        if self._setup is None:
            raise LaunchError("nothing was prepared")
        tasks = tuple(tuple(process.job for process in block) for block in blocks)
        name = _array_name(folder)
        batch = Batch(
            folder,
            name,
            tasks,
            self._data_dir,
            isolate=self._isolate,
            max_attempts=self._options.max_attempts or MAX_ATTEMPTS,
        )
        batch.write()
        words = self._options.words(self._setup, len(tasks))
        # sbatch replaces what follows a %.
        output = str(batch.output("TASK")).replace("%", "%%").replace("TASK", "%a")
        words += [f"--output={output}", "--open-mode=append", f"--job-name={batch.name}"]
        try:
            number = submit(_script(batch.path), words)
        except LaunchError:
            # sbatch may fail with the job in the queue, when the controller answers late.
            cancel_name(batch.name)
            batch.path.unlink()
            raise
        array = self._array(batch, taken_over=False)
        array.id = number
        return array

    def put_back(self, process: SlurmProcess) -> None:
        """Note that Slurm has put a run's task back: its next attempt is in the queue already."""
        self._requeued[next_log(process.job.log)] = process

    def cancel(self) -> None:
        """Cancel each task whose runs are all to end.

        Raises:
            LaunchError: scancel fails.
        """
        self._gathered = [process for process in self._gathered if not process.is_doomed]
        open_runs = [process for process in self._known if process.is_open]
        for array in self._arrays.values():
            here = [p for p in open_runs if p.place is not None and p.place[0] is array]
            kept = {p.place[1] for p in here if p.place and not p.is_doomed}
            doomed = {p.place[1] for p in here if p.place and p.is_doomed} - kept
            if doomed:
                array.cancel(doomed)

    def _array(self, batch: Batch, *, taken_over: bool) -> Array:
        if batch.name not in self._arrays:
            self._arrays[batch.name] = Array(batch, self._queue, self._say, taken_over)
            self._queue.watch(batch.name)
        return self._arrays[batch.name]


def _memory(asked: str) -> list[str]:
    """Return the option that asks for memory; none where a variable does, which would be hidden."""
    return [] if any(map(os.environ.get, MEMORY_VARIABLES)) else [f"--mem={asked}"]


def _array_name(folder: Path) -> str:
    number = 1 + sum(1 for _ in read_batches(folder))
    return f"speedcheck-{number:03d}-{uuid.uuid4().hex[:8]}"


def _script(batch: Path) -> str:
    words = (sys.executable, "-P", "-m", "speedcheck.run.slurm.task", str(batch))
    return f"#!/bin/sh\nexec {shlex.join(words)}\n"
