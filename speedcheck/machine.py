"""What the machine has to give: processors and memory."""

from __future__ import annotations

import os
from pathlib import Path

_CGROUP_CPU = Path("/sys/fs/cgroup/cpu.max")
_MEMINFO = Path("/proc/meminfo")


def available_cpus() -> int:
    """Return the CPUs that this process may use: its affinity, and a container's quota."""
    cpus = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota = _cgroup_quota()
    return cpus if quota is None else max(1, min(cpus, quota))


def available_memory_mib() -> int | None:
    """Return the memory that can be had without swapping, MiB; None if unknown."""
    try:
        for line in _MEMINFO.read_text(encoding="ascii").splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) // 1024
    except (OSError, ValueError):
        pass
    return None


def _cgroup_quota() -> int | None:
    try:
        quota, period = _CGROUP_CPU.read_text(encoding="ascii").split()
        return None if quota == "max" else int(quota) // int(period)
    except (OSError, ValueError):
        return None
