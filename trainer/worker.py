"""`python -m trainer worker`: seed after seed in one set of processes.

Jobs come as lines of JSON on standard input, `{"seed": 3, "log": "logs/seed-003.txt"}`; after each
an answer goes out, `{"seed": 3, "status": 0, "seconds": 9.7}`, with the exit status that a process
of its own would have had. The worker ends when its input does, and at the first run that fails.
"""

from __future__ import annotations

import json
import os
import select
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trainer.config import Recipe
from trainer.data.fineweb import ShardPaths
from trainer.errors import TrainerError
from trainer.run import Session, WorkerOrder, open_session

EXIT_COMPLETE = 0
EXIT_DIVERGED = 3
STDIN = 0
# Ranks that wait for a job exchange a word this often: in silence they would time out.
KEEP_ALIVE_SECONDS = 60.0


@dataclass(frozen=True)
class Job:
    """One run: its seed, and the log that it is to create."""

    seed: int
    log: Path


@dataclass(frozen=True)
class Pause:
    """No job came for a while."""


def work(
    recipe: Recipe, shards: ShardPaths, *, jobs: int = STDIN, answers: int, side_by_side: int = 1
) -> int:
    """Train one seed after another until no job is left; return the exit status.

    Args:
        recipe: of all runs.
        shards: their data.
        jobs: file descriptor that gives the jobs.
        answers: file descriptor that takes the answers.
        side_by_side: runs that share the machine's GPUs, for the log.

    Raises:
        TrainerError: a job cannot be read, or its run cannot be started.
    """
    name = uuid.uuid4().hex[:12]
    with open_session(recipe, shards, side_by_side) as session:
        for order, job in enumerate(_jobs(session, jobs), start=1):
            began = time.perf_counter()
            finite = session.train(job.seed, job.log, WorkerOrder(name, order))
            if session.run.world.is_main:
                status = EXIT_COMPLETE if finite else EXIT_DIVERGED
                _answer(answers, job.seed, status, time.perf_counter() - began)
    return EXIT_COMPLETE


def _jobs(session: Session, descriptor: int) -> Iterator[Job]:
    """The jobs, on all ranks alike; rank 0 alone reads them."""
    world = session.run.world
    lines = read_lines(descriptor) if world.is_main else iter(())
    while True:
        job = world.from_main(_next_job(lines))
        if job is None:
            return
        if isinstance(job, Job):
            yield job


def _next_job(lines: Iterator[str | None]) -> Job | Pause | None:
    try:
        line = next(lines)
    except StopIteration:
        return None
    return Pause() if line is None else parse_job(line)


def read_lines(descriptor: int, patience: float = KEEP_ALIVE_SECONDS) -> Iterator[str | None]:
    """The lines that come through `descriptor`, and None whenever none came for `patience` s."""
    waiting = b""
    while True:
        if not select.select([descriptor], [], [], patience)[0]:
            yield None
            continue
        received = os.read(descriptor, 1 << 16)
        *lines, waiting = (waiting + received).split(b"\n")
        yield from (line.decode(errors="replace") for line in lines if line.strip())
        if not received:
            if waiting.strip():
                yield waiting.decode(errors="replace")
            return


def parse_job(line: str) -> Job:
    """Read a job.

    Raises:
        TrainerError: it is not one.
    """
    try:
        raw: Any = json.loads(line)
        seed, log = raw["seed"], raw["log"]
        if type(seed) is not int or not 0 <= seed < 1 << 64 or not isinstance(log, str):
            raise TypeError
    except (KeyError, TypeError, ValueError) as error:
        raise TrainerError(
            f"{line[:100]!r} is not a job",
            where="standard input",
            remedy='write lines such as {"seed": 3, "log": "logs/seed-003.txt"}',
        ) from error
    return Job(seed, Path(log))


def _answer(descriptor: int, seed: int, status: int, seconds: float) -> None:
    answer = {"seed": seed, "status": status, "seconds": round(seconds, 3)}
    os.write(descriptor, json.dumps(answer).encode() + b"\n")
