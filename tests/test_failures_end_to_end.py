"""Ranks, workers and launchers that are killed cost their own run, and leave no process."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

from speedcheck.records.ledger import LEDGER_NAME, parse_ledger
from speedcheck.records.ledger_writer import LedgerWriter
from speedcheck.rules.tracks import TINY
from speedcheck.run.campaign.campaign import Campaign
from speedcheck.run.launchers.local_launcher import LocalLauncher
from speedcheck.run.launchers.processes import find_processes, mark_of

pytestmark = pytest.mark.skipif(not Path("/proc").is_dir(), reason="looks for a rank in /proc")


class Silent:
    """An observer that keeps only failures."""

    def __init__(self) -> None:
        self.failures: list[str] = []

    def failed(self, seed: int, reason: str, last_lines: str) -> None:
        self.failures.append(last_lines)

    def kept(self, runs: object) -> None: ...

    def started(self, seed: int, log: Path) -> None: ...

    def progressed(self, seed: int, line: object) -> None: ...

    def finished(self, seed: int, run: object) -> None: ...

    def abandoned(self, seed: int) -> None: ...


def ranks_of(folder: Path) -> dict[int, int]:
    """Process ids of the ranks whose log is in `folder`, by rank."""
    found = {}
    for process in Path("/proc").glob("[0-9]*"):
        try:
            arguments = (process / "cmdline").read_bytes().split(b"\0")
            variables = (process / "environ").read_bytes().split(b"\0")
        except OSError:  # it has just ended
            continue
        rank = [text for text in variables if text.startswith(b"RANK=")]
        if rank and str(folder).encode() in arguments:
            found[int(rank[0].removeprefix(b"RANK="))] = int(process.name)
    return found


@pytest.mark.slow
def test_a_killed_rank_fails_the_run_within_a_minute(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    launcher = LocalLauncher(tmp_path / "data")
    # Several ranks of the CPU recipe work, though it asks for one.
    setup = replace(launcher.prepare("tiny"), ranks=2)
    logs = tmp_path / "logs"
    logs.mkdir()
    ranks: dict[int, int] = {}
    killed: list[float] = []

    def kill_a_rank_in_the_middle() -> None:
        log = logs / "seed-000.txt"
        while not (log.exists() and "\nstep:5/" in log.read_text()):
            time.sleep(0.05)
        ranks.update(ranks_of(logs))
        os.kill(ranks[1], signal.SIGKILL)
        killed.append(time.monotonic())

    killer = threading.Thread(target=kill_a_rank_in_the_middle, daemon=True)
    killer.start()
    observer = Silent()
    (tmp_path / LEDGER_NAME).touch()
    with LedgerWriter(tmp_path / LEDGER_NAME) as ledger:
        ledger.append_planned((0,))
        Campaign(
            tmp_path,
            ledger=ledger,
            setup=setup,
            launcher=launcher,
            observer=observer,
            slots=1,
            track=TINY,
        ).run((0,))
        entries = ledger.ledger.entries
    assert killed
    assert time.monotonic() - killed[0] < 60
    assert [entry.event for entry in entries] == ["planned", "started", "failed"]
    assert len(observer.failures) == 1
    assert "SIGKILL" in observer.failures[0]
    assert not ranks_of(logs)


COMMAND = [sys.executable, "-m", "speedcheck", "run"]
QUICK = ["--recipe", "tiny", "--seeds", "3", "--jobs", "1", "--steps", "30"]


@pytest.mark.slow
@pytest.mark.parametrize("way", [[], ["--isolate"]])
def test_no_trainer_outlives_a_killed_launcher_and_resume_repeats_no_result(
    tmp_path: Path, way: list[str]
) -> None:
    record = tmp_path / "record"
    environment = os.environ | {"SPEEDCHECK_DATA": str(tmp_path / "data")}
    options = [*way, "--out", str(record)]
    with subprocess.Popen(
        [*COMMAND, *QUICK, *options], env=environment, stdout=subprocess.DEVNULL
    ) as launcher:
        second = record / "logs/seed-001.txt"
        while not (second.exists() and "\nstep:5/" in second.read_text()):
            assert launcher.poll() is None
            time.sleep(0.05)
        assert find_processes(mark_of(record))
        launcher.kill()
    limit = time.monotonic() + 20
    while find_processes(mark_of(record)):
        assert time.monotonic() < limit
        time.sleep(0.05)
    before = (record / "logs/seed-000.txt").read_bytes()
    done = subprocess.run(
        [*COMMAND, "--resume", *options], env=environment, capture_output=True, check=False
    )
    assert done.returncode in (0, 1), done.stderr
    assert (record / "logs/seed-000.txt").read_bytes() == before
    entries = parse_ledger((record / LEDGER_NAME).read_bytes()).entries
    events = {seed: [e.event for e in entries if e.seed == seed] for seed in (0, 1, 2)}
    assert events[0] == events[2] == ["planned", "started", "finished"]
    assert events[1] == ["planned", "started", "abandoned", "started", "finished"]


@pytest.mark.slow
def test_a_worker_that_is_killed_costs_its_own_run_only(tmp_path: Path) -> None:
    record = tmp_path / "record"
    environment = os.environ | {"SPEEDCHECK_DATA": str(tmp_path / "data")}
    with subprocess.Popen(
        [*COMMAND, *QUICK, "--out", str(record)], env=environment, stdout=subprocess.DEVNULL
    ) as launcher:
        second = record / "logs/seed-001.txt"
        while not (second.exists() and "\nstep:5/" in second.read_text()):
            assert launcher.poll() is None
            time.sleep(0.05)
        (worker,) = find_processes(mark_of(record))
        os.kill(worker.pid, signal.SIGKILL)
        launcher.wait()
    latest = parse_ledger((record / LEDGER_NAME).read_bytes()).latest()
    assert [latest[seed].event for seed in (0, 1, 2)] == ["finished", "failed", "finished"]
    assert not find_processes(mark_of(record))
