"""Why Slurm ended a task, by its state and by its own lines in the task's output."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from speedcheck.run.slurm.causes import find_cause
from speedcheck.run.slurm.queue import OVER

OVER_LIMIT = "StepId=4.batch exceeded memory limit (457531392 > 209715200), being killed"
CGROUP = "Detected 1 oom_kill event in StepId=4.batch. Some of the step tasks have been OOM Killed."
OLD_CGROUP = (
    "Detected 1 oom-kill event(s) in StepId=4.batch cgroup. Some of your processes may have been "
    "killed by the cgroup out-of-memory handler."
)


@pytest.fixture
def output(tmp_path: Path) -> Path:
    return tmp_path / "task.out"


@pytest.mark.parametrize("words", [OVER_LIMIT, CGROUP, OLD_CGROUP])
@pytest.mark.parametrize("state", ["", "CANCELLED", "FAILED", "OUT_OF_MEMORY"])
def test_what_slurm_prints_about_memory_is_the_cause(output, words, state):
    end = "slurmstepd-n7: error: *** JOB 4 ON n7 CANCELLED AT 2026-01-01T00:00:00 ***"
    output.write_text(f"step 3\nslurmstepd-n7: error: {words}\n{end}\n")
    cause = find_cause(state, output)
    assert cause.is_memory
    assert cause.text == f"it used more memory than it may ({words}); raise SBATCH_MEM_PER_NODE"


def test_a_state_that_says_more_is_believed(output):
    output.write_text(f"slurmstepd: error: {CGROUP}\n")
    cause = find_cause("TIMEOUT", output)
    assert not cause.is_memory
    assert cause.text == "its time limit is over (TIMEOUT); raise --time"


def test_out_of_memory_needs_no_line(output):
    assert "(OUT_OF_MEMORY); raise" in find_cause("OUT_OF_MEMORY", output).text


@given(printed=st.text(), state=st.sampled_from(sorted(OVER)))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_the_trainer_prints_is_not_taken_for_slurms_word(output, printed, state):
    output.write_text(f"trainer: memory limit of {printed}\n oom-kill: {printed}\n")
    cause = find_cause(state, output)
    assert cause is None or cause.is_memory == (state == "OUT_OF_MEMORY")


def test_the_end_of_a_long_output_is_read(output):
    output.write_text("step 1\n" * 100_000 + f"slurmstepd: error: {OVER_LIMIT}\n")
    assert OVER_LIMIT in find_cause("FAILED", output).text
