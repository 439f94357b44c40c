"""`python -m speedcheck.run.slurm.task BATCH`: one array task, which trains its runs in turn.

A task never writes the ledger. When Slurm ends it (time limit, preemption, scancel), it stops its
trainer and leaves no exit status: that one comes only from a trainer that ended by itself.
"""

from __future__ import annotations

import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import FrameType

from speedcheck.errors import LaunchError, SpeedcheckError
from speedcheck.run.launchers.launcher import Job, Launcher, Process
from speedcheck.run.launchers.local_launcher import LocalLauncher
from speedcheck.run.launchers.worker_launcher import WorkerLauncher
from speedcheck.run.slurm.batch_files import (
    Batch,
    End,
    attempt_to_make,
    read_batch,
    write_end,
    write_start,
    write_whole,
)

TASK_VARIABLE = "SLURM_ARRAY_TASK_ID"
POLL_SECONDS = 0.2
# Slurm sends its signal to the trainer and to this process, one after the other.
SIGNAL_SECONDS = 2.0
UNUSABLE = 2

_ENDED_BY_SIGTERM = (-signal.SIGTERM, 128 + signal.SIGTERM)


class Evicted(Exception):  # noqa: N818 - what happened, not an error of anyone
    """Slurm wants the node back, or has lost the task."""


def main(arguments: list[str]) -> int:
    """Train the runs of this task; return the first exit status that is not 0."""
    try:
        batch = read_batch(Path(arguments[0]))
        index = int(os.environ[TASK_VARIABLE])
        with _evictions() as evicted:
            return run_task(batch, index, _launcher(batch, index), evicted)
    except Evicted:
        return 128 + signal.SIGTERM
    except (IndexError, KeyError):
        return _refuse(f"needs the file of a batch, and {TASK_VARIABLE} from Slurm")
    except OSError as error:
        return _refuse(f"{error.filename or arguments[0]}: {error.strerror}")
    except SpeedcheckError as error:
        return _refuse(str(error))


def run_task(batch: Batch, index: int, launcher: Launcher, evicted: Callable[[], bool]) -> int:
    """Train the runs of a task that have not come to an end; return the first bad status.

    Args:
        batch: the array's runs.
        index: number of the task.
        launcher: starts a run on this node.
        evicted: says whether Slurm wants the node back, or has lost the task.

    Raises:
        Evicted: it did; the trainer is gone.
        OSError: a file that the launcher reads cannot be written.
    """
    write_whole(batch.here(index), f"{socket.gethostname()}\n")
    bad = 0
    try:
        for planned in batch.tasks[index]:
            attempt = attempt_to_make(planned.log)
            if attempt is not None:
                write_start(attempt.log, _place())
                if attempt.interrupted < batch.max_attempts:
                    end = _train(replace(planned, log=attempt.log), launcher, evicted)
                else:
                    end = _given_up(attempt.interrupted)
                write_end(attempt.log, end)
                bad = bad or abs(end.status)
    finally:
        launcher.close()
    return bad


def _place() -> dict[str, str]:
    """Return the job's id, with the task's number, and the nodes, as Slurm names them."""
    array, task = os.environ.get("SLURM_ARRAY_JOB_ID"), os.environ.get(TASK_VARIABLE)
    job = f"{array}_{task}" if array else os.environ.get("SLURM_JOB_ID", "")
    return {"job": job, "nodes": os.environ.get("SLURM_JOB_NODELIST") or socket.gethostname()}


def _given_up(interrupted: int) -> End:
    why = f"Slurm interrupted {interrupted} attempts, and --max-attempts allows no more"
    return End(UNUSABLE, why, wrote_log=False)


def _train(job: Job, launcher: Launcher, evicted: Callable[[], bool]) -> End:
    try:
        setup = launcher.prepare(job.recipe, job.overrides)
        process = launcher.start(replace(job, ranks=setup.ranks, threads=setup.threads))
    except LaunchError as error:
        return End(UNUSABLE, str(error), wrote_log=False)
    end = _wait(process, setup.timeout_s, evicted)
    return replace(end, wrote_log=process.wrote(job.log))


def _wait(process: Process, timeout_s: float, evicted: Callable[[], bool]) -> End:
    limit = time.monotonic() + timeout_s
    while (status := process.poll()) is None and not evicted() and time.monotonic() < limit:
        time.sleep(POLL_SECONDS)
    if status is None:
        process.terminate()
    process.stop()
    if status in _ENDED_BY_SIGTERM:
        time.sleep(SIGNAL_SECONDS)
    if evicted():
        raise Evicted
    if isinstance(status, int):
        return End(status, process.last_lines())
    why = status.reason if status else f"stopped after {timeout_s:g} s without a result"
    return End(UNUSABLE, why)


@contextmanager
def _evictions() -> Iterator[Callable[[], bool]]:
    noted: list[int] = []
    # Slurm's process on the node: without it, nobody can end this task, and Slurm starts another.
    parent = os.getppid()

    def note(signum: int, frame: FrameType | None) -> None:  # noqa: ARG001 - signal's signature
        noted.append(signum)

    before = signal.signal(signal.SIGTERM, note)
    try:
        yield lambda: bool(noted) or os.getppid() != parent
    finally:
        signal.signal(signal.SIGTERM, before)


def _launcher(batch: Batch, index: int) -> Launcher:
    """Return what trains the runs of a task: in one set of processes where there are several."""
    alone = batch.isolate or len(batch.tasks[index]) == 1
    return (LocalLauncher if alone else WorkerLauncher)(batch.data_dir)


def _refuse(why: str) -> int:
    print(f"speedcheck: {why}", file=sys.stderr)  # noqa: T201 - the task's own output
    return UNUSABLE


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
