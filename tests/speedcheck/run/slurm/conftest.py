"""A stand-in for the trainer, and what the tests of both Slurms share."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from speedcheck import cli
from speedcheck.records.ledger import Entry, parse_ledger
from speedcheck.run.slurm import array, process, queue

# A campaign that hangs is to fail its test, not to hold up all others.
PATIENCE_SECONDS = 180.0
STAND_IN = Path(__file__).parent / "stand_in"


@dataclass
class Result:
    code: int
    out: str
    err: str
    record: Path

    def entries(self, seed: int) -> list[Entry]:
        entries = parse_ledger((self.record / "ledger.jsonl").read_bytes()).entries
        return [entry for entry in entries if entry.seed == seed]

    def events(self, seed: int) -> list[str]:
        return [entry.event for entry in self.entries(seed)][1:]


@pytest.fixture
def record(tmp_path: Path) -> Path:
    return tmp_path / "record"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the stand-in trainer, which takes the trainer's place for this test."""
    folder = tmp_path / "stand-in"
    folder.mkdir()
    monkeypatch.setenv("STAND_IN", str(folder))
    monkeypatch.setenv("PYTHONPATH", f"{STAND_IN}:{os.environ.get('PYTHONPATH', '')}")
    return folder


@pytest.fixture
def fates(home: Path) -> Callable[[dict[int, str]], None]:
    def write(of: dict[int, str]) -> None:
        for seed, lines in of.items():
            (home / str(seed)).write_text(lines)

    return write


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(queue.INTERVAL_VARIABLE, "0.3")
    monkeypatch.setattr(process, "LOOK_SECONDS", 0.1)
    monkeypatch.setattr(array, "GRACE_SECONDS", 1.5)


@pytest.fixture
def run(
    record: Path, home: Path, quick: None, capsys: pytest.CaptureFixture[str]
) -> Callable[..., Result]:
    """`speedcheck run --launcher slurm` with the stand-in trainer."""

    def run(*options: str) -> Result:
        capsys.readouterr()
        words = ["run", "--launcher", "slurm", "--recipe", "tiny", "--out", str(record)]
        guard = threading.Timer(PATIENCE_SECONDS, os.kill, (os.getpid(), signal.SIGTERM))
        guard.start()
        try:
            code = cli.main([*words, *options])
        finally:
            guard.cancel()
        return Result(code, *capsys.readouterr(), record)

    return run
