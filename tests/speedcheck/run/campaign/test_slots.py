"""How many runs go side by side."""

from __future__ import annotations

import os

import pytest

from speedcheck import machine
from speedcheck.run.campaign import slots
from speedcheck.run.launchers.launcher import Setup


@pytest.mark.parametrize(
    ("device", "ranks", "threads", "cpus", "memory", "expected"),
    [
        ("cpu", 1, 1, 2, 10_000, 2),
        ("cpu", 1, 1, 8, 10_000, 8),
        ("cpu", 1, 2, 8, 10_000, 4),
        ("cpu", 2, 2, 8, 10_000, 2),
        ("cpu", 1, 1, 8, 1_300, 2),
        ("cpu", 1, 1, 8, None, 8),
        ("cpu", 1, 4, 2, 100, 1),
        ("cuda", 8, 1, 64, 10_000, 1),
    ],
)
def test_runs_share_the_machine_by_cores_and_memory_and_never_share_gpus(
    monkeypatch, device, ranks, threads, cpus, memory, expected
):
    monkeypatch.setattr(slots, "available_cpus", lambda: cpus)
    monkeypatch.setattr(slots, "available_memory_mib", lambda: memory)
    setup = Setup("tiny", device, ranks, threads, steps=10, memory_mib=600)
    assert slots.slots(setup) == expected


def test_a_containers_quota_limits_the_cpus(monkeypatch, tmp_path):
    quota = tmp_path / "cpu.max"
    monkeypatch.setattr(machine, "_CGROUP_CPU", quota)
    quota.write_text("100000 100000\n")
    assert machine.available_cpus() == 1
    quota.write_text("max 100000\n")
    assert machine.available_cpus() == len(os.sched_getaffinity(0))


def test_memory_is_unknown_where_nothing_tells(monkeypatch, tmp_path):
    monkeypatch.setattr(machine, "_MEMINFO", tmp_path / "absent")
    assert machine.available_memory_mib() is None
