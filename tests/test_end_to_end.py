"""The whole chain once for real: the installed command trains, judges, stops and resumes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from speedcheck.records.ledger import parse_ledger

COMMAND = [sys.executable, "-m", "speedcheck"]


@pytest.fixture
def environment(tmp_path):
    return os.environ | {"SPEEDCHECK_DATA": str(tmp_path / "data"), "COLUMNS": "80"}


def events(record: Path) -> list[tuple[int, str]]:
    path = record / "ledger.jsonl"
    data = path.read_bytes() if path.exists() else b""
    return [(entry.seed, entry.event) for entry in parse_ledger(data).entries]


@pytest.mark.slow
def test_a_tiny_record_is_trained_stopped_resumed_and_certified(tmp_path, environment):
    record = tmp_path / "record"
    run = [*COMMAND, "run", "--out", str(record)]
    first = subprocess.Popen(
        [*run, "--recipe", "tiny", "--seeds", "2", "--jobs", "1"],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    # Into the second run, so that one seed is finished and one is under way.
    deadline = time.monotonic() + 240
    while (1, "started") not in events(record):
        assert first.poll() is None, first.communicate()
        assert time.monotonic() < deadline, "the first run took too long"
        time.sleep(0.05)
    first.send_signal(signal.SIGTERM)
    out, err = first.communicate(timeout=60)
    assert first.returncode == 128 + signal.SIGTERM, (out, err)
    assert err.count("\n") == 1
    assert "--resume" in err
    assert events(record)[-1] == (1, "abandoned")

    second = subprocess.run(
        [*run, "--resume"], env=environment, capture_output=True, text=True, check=False
    )
    assert second.returncode in (0, 1), second.stderr
    assert [event for seed, event in events(record) if seed == 0].count("started") == 1
    certificate = json.loads((record / "certificate.json").read_text())
    counted = [run for run in certificate["runs"] if run["counted"]]
    assert [run["log"] for run in counted] == [
        "logs/seed-000.txt",
        "logs/seed-001.attempt-2.txt",
    ]
    assert certificate["verdicts"]["provenance"]["status"] in ("pass", "warn")
    # Two runs of one machine and program: a working trainer is far below the untrained 5.6 nats.
    assert all(run["val_loss"] < 2.5 for run in counted)

    again = subprocess.run(
        [*COMMAND, "verify", str(record), "--json"], capture_output=True, text=True, check=False
    )
    assert again.returncode == second.returncode
    assert json.loads(again.stdout) == certificate


@pytest.mark.slow
def test_sub3_without_cuda_is_one_line_that_names_the_tiny_command(tmp_path, environment):
    pytest.importorskip("torch")
    hidden = environment | {"CUDA_VISIBLE_DEVICES": ""}
    done = subprocess.run(
        [*COMMAND, "run", "--out", str(tmp_path / "record")],
        env=hidden,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "speedcheck run --recipe tiny" in done.stderr
    assert not (tmp_path / "record").exists()
