"""A rank that is killed ends its run, and the ledger says so."""

from __future__ import annotations

import os
import signal
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

from speedcheck.records.ledger import LEDGER_NAME, LedgerWriter
from speedcheck.rules.tracks import TINY
from speedcheck.run.campaign import Campaign
from speedcheck.run.local import LocalLauncher

pytestmark = pytest.mark.skipif(not Path("/proc").is_dir(), reason="looks for a rank in /proc")


class Silent:
    """Whoever is told of the campaign, and keeps only its failures."""

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
