"""A launcher without a trainer: each seed's fate is scripted, and its log written by hand."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from speedcheck import cli
from speedcheck.errors import LaunchError
from speedcheck.records.ledger import Entry, parse_ledger
from speedcheck.records.overrides import NO_OVERRIDES, RecipeOverrides
from speedcheck.report import report_files
from speedcheck.run.campaign import campaign
from speedcheck.run.launchers.launcher import Job, Setup

SEPARATOR = "=" * 100
PROGRAM = "# file: trainer/train.py\nprint('step:1/1 val_loss:0.1')\n"
STEPS = 4


def log_text(seed: int, loss: str, *, recipe: str = "tiny", steps: int = STEPS) -> str:
    """A complete log of docs/log-format.md whose last validation loss is `loss`."""
    header = {
        "speedcheck_log": 1,
        "seed": seed,
        "recipe": recipe,
        "config": {"name": recipe, "steps": steps},
        "source_sha256": hashlib.sha256(PROGRAM.encode()).hexdigest(),
        "git": {"clean": True, "commit": "0" * 40},
        "gpus": [],
        "world": {"device": "cpu", "ranks": 1, "threads": 1},
    }
    last = f"step:{steps}/{steps}"
    lines = [
        f"step:0/{steps} val_loss:5.545177 train_time:0ms step_avg:0.00ms",
        *(
            f"step:{step}/{steps} train_loss:{6 - step:.6f} train_time:{10 * step}ms "
            "step_avg:10.00ms"
            for step in range(1, steps + 1)
        ),
        f"{last} val_loss:{loss} train_time:{10 * steps + seed}ms step_avg:10.00ms",
    ]
    return "\n".join(
        [
            PROGRAM + SEPARATOR,
            "Running Python 3.11.7 (main)",
            "Running PyTorch 2.13.0+cpu compiled for CPU",
            *(f"{key}: {json.dumps(value, sort_keys=True)}" for key, value in header.items()),
            SEPARATOR,
            *lines,
            "peak memory allocated: 100 MiB reserved: 100 MiB",
            "",
        ]
    )


@dataclass
class Fate:
    """What a run does: its log, what it prints, and how it ends after how many looks."""

    log: str
    status: int = 0
    output: str = ""
    looks: int = 1


def finishes(seed: int, loss: str = "") -> Fate:
    return Fate(log_text(seed, loss or f"{1.18 + 0.01 * seed:.6f}"))


def crashes(seed: int) -> Fate:
    text = log_text(seed, "1.5").split("step:3/")[0]
    return Fate(text, status=1, output="Traceback ...\nRuntimeError: boom\n")


def diverges(seed: int) -> Fate:
    text = log_text(seed, "1.5").split("step:3/")[0]
    nan = f"step:3/{STEPS} train_loss:nan train_time:30ms step_avg:10.00ms\n"
    return Fate(text + nan + 'stopped: "loss is not a finite number at step 3"\n', status=3)


def hangs(seed: int) -> Fate:
    return Fate(log_text(seed, "1.5").split("step:3/")[0], status=-15, looks=10**9)


class FakeProcess:
    def __init__(self, job: Job, fate: Fate) -> None:
        self._job = job
        self._fate = fate
        self._looks = 0
        self.terminated = False
        self.stopped = False
        self._write(fate.log[: len(fate.log) // 2])

    def poll(self) -> int | None:
        if self._looks >= self._fate.looks:
            return self._fate.status
        self._looks += 1
        self._write(self._fate.log)
        return None

    def terminate(self) -> None:
        self.terminated = True

    def stop(self) -> None:
        assert self.terminated or self.poll() is not None
        self.stopped = True

    def wrote(self, log: Path) -> bool:
        return bool(self._fate.log) and log == self._job.log

    def last_lines(self) -> str:
        return self._fate.output.strip()

    def details(self) -> dict[str, Any]:
        return {}

    def _write(self, text: str) -> None:
        if text:
            self._job.log.write_text(text)


@dataclass
class FakeLauncher:
    """Starts scripted runs; remembers what it was asked to start."""

    fate: Callable[[int], Fate] = finishes
    setup: Setup = field(default_factory=lambda: Setup("tiny", "cpu", 1, 1, STEPS, 1))
    refusal: str = ""
    jobs: list[Job] = field(default_factory=list)
    processes: list[FakeProcess] = field(default_factory=list)
    on_start: Callable[[Job], None] | None = None
    closed: int = 0

    def prepare(
        self,
        recipe: str,
        overrides: RecipeOverrides = NO_OVERRIDES,
        gpus_per_run: int | None = None,
    ) -> Setup:
        if self.refusal:
            raise LaunchError(self.refusal)
        assert recipe == self.setup.recipe
        return replace(self.setup, overrides=overrides, gpus_per_run=gpus_per_run)

    def details(self, job: Job) -> dict[str, Any]:
        return {"argv": ["fake", str(job.seed)]}

    def take_over(self, job: Job) -> None:
        return None

    def close(self) -> None:
        self.closed += 1

    def start(self, job: Job) -> FakeProcess:
        assert not job.log.exists(), "a log must never be overwritten"
        self.jobs.append(job)
        process = FakeProcess(job, self.fate(job.seed))
        self.processes.append(process)
        if self.on_start:
            self.on_start(job)
        return process

    @property
    def seeds(self) -> list[int]:
        return [job.seed for job in self.jobs]


@pytest.fixture(autouse=True)
def _no_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Do not draw in every test, and run them the same with and without matplotlib."""
    monkeypatch.setattr(report_files, "can_draw", lambda: False)


@pytest.fixture(autouse=True)
def _quick_polls(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(campaign, "POLL_SECONDS", 0.001)


@dataclass
class Result:
    code: int
    out: str
    err: str


@pytest.fixture
def fake() -> FakeLauncher:
    return FakeLauncher()


@pytest.fixture
def fates() -> dict[str, Callable[[int], Fate]]:
    return {"finishes": finishes, "crashes": crashes, "diverges": diverges, "hangs": hangs}


@pytest.fixture
def run_tiny(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], fake: FakeLauncher
) -> Callable[..., Result]:
    """`speedcheck run --recipe tiny` into tmp_path/record with the fake launcher."""

    def run(*options: str, out: Path | None = None) -> Result:
        target = ["--out", str(out or tmp_path / "record")]
        code = cli.main(["run", "--recipe", "tiny", *target, *options], launcher=fake)
        return Result(code, *capsys.readouterr())

    return run


@pytest.fixture
def make_log_text() -> Callable[..., str]:
    return log_text


def ledger_entries(record: Path) -> tuple[Entry, ...]:
    return parse_ledger((record / "ledger.jsonl").read_bytes()).entries


def ledger_events(record: Path) -> list[tuple[int, str]]:
    return [(entry.seed, entry.event) for entry in ledger_entries(record)]


def certificate(record: Path) -> dict:
    return json.loads((record / "certificate.json").read_text())
