"""How many runs the machine has room for at one time."""

from __future__ import annotations

import sys

from speedcheck.machine import available_cpus, available_memory_mib
from speedcheck.run.launchers.launcher import Setup


def slots(setup: Setup) -> int:
    """Return how many runs of `setup` can train side by side, at least 1.

    A run on GPUs takes all of them, so that its time can be compared with the next one's, unless
    it was asked for to take some. A queue takes every run at once.
    """
    if setup.queue:
        return sys.maxsize
    if setup.device != "cpu":
        return max(1, setup.gpus // setup.gpus_per_run) if setup.gpus_per_run else 1
    by_cpu = available_cpus() // (setup.ranks * setup.threads)
    memory = available_memory_mib()
    by_memory = by_cpu if memory is None else memory // max(setup.memory_mib, 1)
    return max(1, min(by_cpu, by_memory))
