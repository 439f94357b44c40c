"""Why Slurm ended a task: by its state, and by what it writes into the task's output."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

MEMORY_VARIABLES = ("SBATCH_MEM_PER_NODE", "SBATCH_MEM_PER_CPU", "SBATCH_MEM_PER_GPU")
"""By these sbatch learns how much memory a task may use."""

_MEMORY = "OUT_OF_MEMORY"
_MEANING = {
    "TIMEOUT": "its time limit is over",
    "DEADLINE": "its deadline has passed",
    "CANCELLED": "somebody cancelled it",
    _MEMORY: "it used more memory than it may",
    "NODE_FAIL": "its node failed",
    "BOOT_FAIL": "its node failed",
    "PREEMPTED": "it was preempted and not put back into the queue",
}
_REMEDY = {"TIMEOUT": "; raise --time", _MEMORY: f"; raise {MEMORY_VARIABLES[0]}"}

# Where Slurm measures memory itself, without cgroups, a kill for memory has one of these states.
_VAGUE = frozenset({"", "CANCELLED", "FAILED"})
# Such as "slurmstepd-node1: error: StepId=4.batch exceeded memory limit (9 > 5), being killed" and,
# from cgroups, "slurmstepd: error: Detected 1 oom_kill event in StepId=4.batch. Some ...".
_ABOUT_MEMORY = re.compile(
    r"^slurmstepd\S*: error: (.*(?:memory limit|oom[-_]kill).*)$", re.MULTILINE
)
_TAIL_BYTES = 1 << 16


@dataclass(frozen=True, slots=True)
class Cause:
    """Why Slurm ended a task.

    Attributes:
        text: what people read.
        is_memory: whether the task used too much memory.
    """

    text: str
    is_memory: bool


def find_cause(state: str, output: Path) -> Cause | None:
    """Return why Slurm ended a task; None where that is not known.

    Args:
        state: the state in which the task ended; "" where Slurm has forgotten it.
        output: the file that took what the task, and Slurm about it, printed.
    """
    complaint = _memory_complaint(output) if state in _VAGUE or state == _MEMORY else ""
    state = _MEMORY if complaint else state
    if state not in _MEANING:
        return None
    text = f"{_MEANING[state]} ({complaint or state}){_REMEDY.get(state, '')}"
    return Cause(text, state == _MEMORY)


def _memory_complaint(output: Path) -> str:
    try:
        with output.open("rb") as file:
            file.seek(max(0, output.stat().st_size - _TAIL_BYTES))
            tail = file.read().decode(errors="replace")
    except OSError:
        return ""
    found = _ABOUT_MEMORY.search(tail)
    return found[1] if found else ""
