"""Runs as child processes of this one: `python -m trainer`, under torchrun for several ranks."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import signal
import subprocess
import sys
import tempfile
import weakref
from pathlib import Path
from typing import IO, Any

from speedcheck.errors import LaunchError
from speedcheck.rules.tracks import TRACK_OF_RECIPE
from speedcheck.run.launcher import Job, Process, Setup

# The trainer ends at the next step; a process that has not gone by then will not go by itself.
STOP_SECONDS = 10.0
# Enough for the end of a traceback, and short enough to read.
TAIL_LINES = 12
TAIL_BYTES = 16_384
# How the trainer begins the line that says why it stops.
TRAINER_SAYS = "trainer: "

# -P: a folder that happens to be called `trainer` where the user stands is not the trainer.
_PYTHON = (sys.executable, "-P", "-m")


class LocalLauncher:
    """Starts the installed trainer on this machine.

    Args:
        data_dir: where the trainer keeps its data; None for the trainer's own choice.
    """

    def __init__(self, data_dir: Path | None = None) -> None:
        self._data = () if data_dir is None else ("--data-dir", str(data_dir))

    def prepare(self, recipe: str) -> Setup:
        """Run `python -m trainer --prepare` and read the line that it prints."""
        if recipe not in TRACK_OF_RECIPE:
            remedy = f"choose one of {', '.join(TRACK_OF_RECIPE)}"
            raise LaunchError(f"there is no recipe {recipe!r}", where="--recipe", remedy=remedy)
        if importlib.util.find_spec("torch") is None:
            raise LaunchError(
                "training needs PyTorch, which is not installed",
                remedy="pip install 'speedcheck[train]'",
            )
        command = (*_PYTHON, "trainer", "--recipe", recipe, *self._data, "--prepare")
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode == 0:
            return _read_setup(done.stdout)
        lines = done.stderr.strip().splitlines() or [f"the trainer ended with {done.returncode}"]
        raise LaunchError(lines[-1].removeprefix(TRAINER_SAYS))

    def start(self, job: Job, *, lock: int) -> Process:
        """Start the run in a session of its own, so that Ctrl-C reaches it only through us."""
        output = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the process
        try:
            child = subprocess.Popen(
                (*_command(job), *self._data),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=os.environ | {"OMP_NUM_THREADS": str(job.threads)},
                start_new_session=True,
                pass_fds=(lock,),
            )
        except OSError as error:
            output.close()
            raise LaunchError(f"cannot start the trainer ({error.strerror})") from error
        return _LocalProcess(child, output)

    def take_over(self, job: Job) -> Process | None:  # noqa: ARG002 - the seam's signature
        """Return None: what outlives its launcher is ended, not followed."""
        return None


class _LocalProcess:
    def __init__(self, child: subprocess.Popen[bytes], output: IO[bytes]) -> None:
        self._child = child
        self._output = output
        weakref.finalize(self, output.close)

    def poll(self) -> int | None:
        return self._child.poll()

    def terminate(self) -> None:
        self._signal(signal.SIGTERM)

    def stop(self) -> None:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._child.wait(STOP_SECONDS)
        # The leader may be gone and a rank of it still there.
        self._signal(signal.SIGKILL)
        self._child.wait()

    def last_lines(self) -> str:
        size = self._output.seek(0, os.SEEK_END)
        self._output.seek(max(0, size - TAIL_BYTES))
        text = self._output.read().decode(errors="replace")
        return _telling_lines(text)

    def _signal(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._child.pid, number)


def _telling_lines(output: str) -> str:
    """The trainer's own last words, each once; for want of them the end of the output.

    With several ranks torchrun ends the output with a box of its own, and every rank that fails
    says the same.
    """
    lines = output.strip().splitlines()
    said = dict.fromkeys(line for line in lines if line.startswith(TRAINER_SAYS))
    return "\n".join(said or lines[-TAIL_LINES:])


def _command(job: Job) -> tuple[str, ...]:
    torchrun = (*_PYTHON, "torch.distributed.run", "--standalone", f"--nproc-per-node={job.ranks}")
    start = (*torchrun, "-m") if job.ranks > 1 else _PYTHON
    return (
        *start,
        "trainer",
        *("--recipe", job.recipe),
        *("--seed", str(job.seed)),
        *("--log-dir", str(job.log.parent)),
        *("--log-name", job.log.name),
    )


def _read_setup(output: str) -> Setup:
    try:
        raw: Any = json.loads(output.strip().splitlines()[-1])
        return Setup(
            recipe=str(raw["recipe"]),
            device=str(raw["device"]),
            ranks=int(raw["ranks"]),
            threads=int(raw["threads"]),
            steps=int(raw["steps"]),
            memory_mib=int(raw["memory_mib"]),
        )
    except (IndexError, KeyError, TypeError, ValueError) as error:
        raise LaunchError(
            "the trainer's --prepare printed no setup",
            remedy="install speedcheck and its trainer from the same source",
        ) from error
