"""The development set beside the checkout: 51 published logs, and the figures a person read."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from speedcheck.logs import LogFile, Run, read_log

ROOT = Path(__file__).resolve().parents[3] / "shared" / "logs"

pytestmark = pytest.mark.skipif(
    not (ROOT / "expected.json").is_file(), reason="no development set in ../shared/logs"
)

# Where a person knew more than the log says: the lines that named the devices of this captured
# output were removed with the script, as the test below shows.
WITHOUT_DEVICE = "20260518_soda_fade_3000_n9"
NOT_OF_THE_LOG = {"file", "duplicate_of", "gpu_from"}


@cache
def read(path: Path) -> LogFile:
    return read_log(path, ROOT)


def entries() -> list[tuple[Path, dict[str, Any]]]:
    if not (ROOT / "expected.json").is_file():
        return []
    folders = json.loads((ROOT / "expected.json").read_text(encoding="utf-8"))
    return [(ROOT / f["folder"] / log["file"], log) for f in folders for log in f["logs"]]


def figures(log: LogFile, run: Run) -> dict[str, Any]:
    assert run.final is not None
    return {
        "val_loss": run.val_loss,
        "train_time_ms": run.train_time_ms,
        "final_step": run.final_step,
        "total_steps": run.total_steps,
        "gpu": run.environment.gpu,
        "n_gpus": run.environment.n_gpus,
        "torch": run.environment.torch,
        "step_avg_ms": run.final.step_avg_ms,
        "n_val": len(run.validations),
        "first_val_step": run.validations[0].step,
        "last_step_logged": run.last_step,
        "complete": run.complete,
        "format": run.format,
        "run": run.index,
        "runs_in_file": len(log.runs),
        "extra": run.final.extra,
    }


def test_all_51_files_come_out_as_a_person_read_them():
    differences = []
    for path, entry in entries():
        log = read(path)
        found = figures(log, log.runs[entry.get("run", 0)])
        expected = {"run": 0, "runs_in_file": 1, "extra": {}} | entry
        unknown = {"gpu", "n_gpus"} if WITHOUT_DEVICE in path.parts else set()
        differences += [
            (log.name, entry.get("run"), key, value, found[key])
            for key, value in expected.items()
            if key not in NOT_OF_THE_LOG | unknown and found[key] != value
        ]
    assert differences == []
    assert len({path for path, _ in entries()}) == 51


def test_no_file_has_a_run_too_many_or_a_problem():
    expected: dict[Path, int] = {}
    for path, entry in entries():
        expected[path] = entry.get("runs_in_file", 1)
    assert {path: len(read(path).runs) for path in expected} == expected
    assert [read(path).problems for path in expected if read(path).problems] == []


def test_the_one_file_whose_device_is_not_read_does_not_name_it():
    (path,) = {path for path, _ in entries() if WITHOUT_DEVICE in path.parts}
    expected = {(entry["gpu"], entry["n_gpus"]) for found, entry in entries() if found == path}
    assert expected == {("NVIDIA H200", 4)}
    text = path.read_text(encoding="utf-8")
    assert not any(word in text for word in ("H200", "NVIDIA", "world_size", "device"))
    assert {run.environment.gpu for run in read(path).runs} == {None}


def test_documents_beside_the_logs_are_no_runs():
    documents = sorted(ROOT.rglob("*.md"))
    assert documents
    assert all(not read(path).runs and read(path).problems for path in documents)
