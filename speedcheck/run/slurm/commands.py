"""sbatch, scancel and sacct, called and their complaints put into one line."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Iterable, Sequence

from speedcheck.errors import LaunchError

# A controller that is busy answers late; one that is gone lets its clients wait for minutes.
ANSWER_SECONDS = 120.0
_MOST_IDS = 100


def submit(script: str, options: Sequence[str]) -> str:
    """Hand a job to Slurm; return its id.

    Raises:
        LaunchError: sbatch is not here, or refuses.
    """
    printed = _call(("sbatch", "--parsable", *options), script)
    return printed.strip().partition(";")[0]


def check_options(script: str, options: Sequence[str]) -> None:
    """Let Slurm judge a job without submitting it.

    Raises:
        LaunchError: sbatch is not here, or would refuse the job.
    """
    _call(("sbatch", "--test-only", *options), script)


def cancel_tasks(tasks: Iterable[str]) -> None:
    """Cancel array tasks, such as 12_3; one that has ended is none of Slurm's business.

    Raises:
        LaunchError: scancel is not here, or fails.
    """
    left = list(tasks)
    while left:
        some, left = left[:_MOST_IDS], left[_MOST_IDS:]
        _call(("scancel", "--quiet", *some))


def cancel_name(name: str) -> None:
    """Cancel the jobs of a name, if there are any and Slurm answers."""
    with contextlib.suppress(LaunchError):
        _call(("scancel", "--quiet", f"--name={name}"))


def final_state(name: str, task: int) -> str:
    """Return the state in which a task of the array ended; "" where no accounting answers."""
    options = ("--noheader", "--allocations", "--parsable2", "--format=JobID,State")
    try:
        # Without a start it shows today's jobs alone.
        printed = _call(("sacct", *options, f"--name={name}", "--starttime=now-30days"))
    except LaunchError:
        return ""
    for line in printed.splitlines():
        job, _, state = line.partition("|")
        if job.endswith(f"_{task}"):
            return state.partition(" ")[0]  # of "CANCELLED by 1000"
    return ""


def _call(command: Sequence[str], script: str = "") -> str:
    name = command[0]
    try:
        done = subprocess.run(
            command,
            input=script,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=ANSWER_SECONDS,
            check=False,
            # In a session of its own, so that Ctrl-C does not cut it short.
            start_new_session=True,
        )
    except FileNotFoundError:
        raise LaunchError(
            f"{name} is not on PATH", where="--launcher slurm", remedy="run this on a login node"
        ) from None
    except OSError as error:
        raise LaunchError(f"cannot run {name} ({error.strerror})") from error
    except subprocess.TimeoutExpired:
        raise LaunchError(
            f"{name} has not answered for {ANSWER_SECONDS:.0f} s", remedy="try again later"
        ) from None
    if done.returncode:
        raise LaunchError(f"{name} failed: {complaint(done.stderr) or f'exit {done.returncode}'}")
    return done.stdout


def complaint(stderr: str) -> str:
    """Return what a command of Slurm complains of, without its prefixes, each thing once."""
    lines = (line.strip() for line in stderr.splitlines())
    said = dict.fromkeys(line.split(": error: ")[-1] for line in lines if line)
    return ", ".join(said)
