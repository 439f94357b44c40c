"""The files by which launcher and tasks understand each other."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speedcheck.errors import RecordError
from speedcheck.records.log_names import log_name, next_log
from speedcheck.records.overrides import RecipeOverrides
from speedcheck.run.launchers.launcher import Job
from speedcheck.run.slurm.batch_files import (
    ENDED,
    STARTED,
    Attempt,
    Batch,
    End,
    attempt_to_make,
    marker,
    read_batch,
    read_end,
    read_start,
    write_end,
    write_start,
)


@pytest.fixture
def log(tmp_path: Path) -> Path:
    (tmp_path / ".slurm").mkdir()
    return tmp_path / "logs" / "seed-003.txt"


@given(seed=st.integers(0, 10**6), earlier=st.integers(0, 50))
def test_the_task_names_the_next_log_as_the_launcher_does(seed, earlier):
    log = Path("record/logs") / log_name(seed, earlier)
    assert next_log(log) == log.with_name(log_name(seed, earlier + 1))


def test_a_batch_is_read_as_it_was_written(tmp_path):
    folder = tmp_path / "a record of 100 %"
    folder.mkdir()
    overrides = RecipeOverrides(steps=7)
    jobs = tuple(
        Job("tiny", seed, folder / "logs" / log_name(seed, seed), 0, 0, overrides)
        for seed in range(3)
    )
    tasks = jobs[:2], jobs[2:]
    batch = Batch(folder, "name", tasks, Path("/data"), isolate=True, max_attempts=3)
    batch.write()
    assert read_batch(batch.path) == batch


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"tasks": [[{}]], "data_dir": null}'])
def test_a_broken_batch_is_one_line(tmp_path, text):
    (tmp_path / "b.json").write_text(text)
    with pytest.raises(RecordError, match="cannot be read"):
        read_batch(tmp_path / "b.json")


def test_an_interrupted_attempt_is_followed_by_the_next(log):
    assert attempt_to_make(log) == Attempt(log, 0)
    marker(log, STARTED).touch()
    assert attempt_to_make(log) == Attempt(next_log(log), 1)
    marker(next_log(log), STARTED).touch()
    assert attempt_to_make(log) == Attempt(next_log(next_log(log)), 2)


def test_where_a_run_started_is_read_as_it_was_written(log):
    assert read_start(log) == {}
    write_start(log, {"job": "77_0", "nodes": "node[1-2]"})
    assert read_start(log) == {"job": "77_0", "nodes": "node[1-2]"}


@pytest.mark.parametrize("text", ["", "{", "[1]", "node1"])
def test_half_a_start_tells_nothing(log, text):
    marker(log, STARTED).write_text(text)
    assert read_start(log) == {}


def test_a_run_that_has_ended_is_not_repeated_in_its_block(log):
    marker(log, STARTED).touch()
    write_end(log, End(2, "trainer: no"))
    assert attempt_to_make(log) is None


@pytest.mark.parametrize("text", ["", "{", '{"status": "soon", "last_lines": ""}', "[1]"])
def test_half_an_exit_status_is_none(log, text):
    assert read_end(log) is None
    marker(log, ENDED).write_text(text)
    assert read_end(log) is None
