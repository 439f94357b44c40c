"""Runs by workers: processes that train one seed after another, until one of them fails."""

from __future__ import annotations

import contextlib
import json
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from speedcheck.run.launchers.child import Child
from speedcheck.run.launchers.launcher import Job, Process
from speedcheck.run.launchers.trainer_launcher import TrainerLauncher
from speedcheck.run.launchers.trainer_process import environment_of, trainer_command

STDIN = "0"
_MOST_BYTES = 1 << 16


class WorkerLauncher(TrainerLauncher):
    """Keeps a worker for each slot: the runs of a slot share its processes.

    A worker that ends, is killed or stopped takes its own run with it and no other: the next run
    of its slot gets another worker.

    Args:
        data_dir: where the trainer keeps its data; None for the trainer's own choice.
    """

    def __init__(self, data_dir: Path | None = None) -> None:
        super().__init__(data_dir)
        self._workers: dict[int, _Worker] = {}

    def start(self, job: Job) -> Process:
        """Give the run to the slot's worker, or to a new one where it has none."""
        worker = self._workers.get(job.slot)
        if worker is None or not worker.send(job):
            if worker is not None:
                worker.stop()
            worker = self._workers[job.slot] = _Worker(self._command(job), job)
            worker.send(job)
        return _WorkerRun(worker, job.seed)

    def _command(self, job: Job) -> tuple[str, ...]:
        return (*trainer_command(job, "worker", self._data), "--answers", STDIN)

    def close(self) -> None:
        """End the workers, which have no jobs left."""
        for worker in self._workers.values():
            worker.hang_up()
        for worker in self._workers.values():
            worker.stop()
        self._workers.clear()


class _Worker:
    """A worker's process, and the socket that carries jobs to it and answers back.

    The worker has the other end as its standard input, which is the one descriptor that torchrun
    passes on to the ranks.
    """

    def __init__(self, command: tuple[str, ...], job: Job) -> None:
        self._socket, theirs = socket.socketpair()
        with theirs:
            self.child = Child(
                command,
                folder=job.folder,
                environment=environment_of(job),
                stdin=theirs.fileno(),
            )
        self._socket.setblocking(False)
        self._received = b""

    def send(self, job: Job) -> bool:
        """Hand over a job; return whether the worker is there to take it."""
        if self.child.poll() is not None:
            return False
        self.child.forget_output()
        line = json.dumps({"seed": job.seed, "log": str(job.log.absolute())})
        try:
            self._socket.sendall(line.encode() + b"\n")
        except OSError:
            return False
        return True

    def answer(self, seed: int) -> int | None:
        """Return the status of a seed's run; None where the worker has not answered."""
        with contextlib.suppress(OSError):  # nothing has come, or nothing will come any more
            self._received += self._socket.recv(_MOST_BYTES)
        *lines, self._received = self._received.split(b"\n")
        statuses = [answer["status"] for answer in map(json.loads, lines) if answer["seed"] == seed]
        return int(statuses[-1]) if statuses else None

    def hang_up(self) -> None:
        """Let the worker read the end of its input."""
        self._socket.close()

    def stop(self) -> None:
        """End the worker, by force if need be."""
        self.hang_up()
        self.child.stop()


class _WorkerRun:
    """One run of a worker."""

    def __init__(self, worker: _Worker, seed: int) -> None:
        self._worker = worker
        self._seed = seed
        self._status: int | None = None

    def poll(self) -> int | None:
        if self._status is None:
            # In this order: the answer may be the last thing that the worker has done.
            ended = self._worker.child.poll()
            self._status = self._worker.answer(self._seed)
            if self._status is None:
                self._status = ended
        return self._status

    def terminate(self) -> None:
        self._worker.child.terminate()

    def stop(self) -> None:
        if self._status is None or self._worker.child.poll() is not None:
            self._worker.stop()

    def wrote(self, log: Path) -> bool:
        return self._worker.child.wrote(log)

    def last_lines(self) -> str:
        return self._worker.child.last_lines()

    def details(self) -> Mapping[str, Any]:
        return {}
