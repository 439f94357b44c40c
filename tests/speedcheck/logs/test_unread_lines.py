"""A validation that is not on a step line is reported, and one that is only repeated is not."""

from __future__ import annotations

import pytest

from speedcheck.logs import parse_log
from tests.speedcheck.logs.test_unread import STEPS, read


def unread(log):
    return [(p.line, p.message) for p in log.problems if "of a validation" in p.message]


@pytest.mark.parametrize(
    "prefix",
    [
        *("[rank0]:", "[rank0]: ", "0: ", "2026-01-02 03:04:05,678 INFO ", " ", "\t", "\x1b[32m"),
        *(" 45%|####5     | 9/20 [00:01<00:02, 1.2it/s]", "timestep:3 ", "rank 0 | ", "- "),
    ],
)
def test_a_step_line_behind_something_else_is_said(prefix):
    log = read(*STEPS[:2], prefix + STEPS[2])
    assert [(run.final_step, run.complete) for run in log.runs] == [(15, False)]
    ((line, message),) = unread(log)
    assert line == 9
    assert "1 line tells of a validation, not as a step line does" in message


@pytest.mark.parametrize(
    "line",
    [
        "step:30/30 val_loss=3.2751 train_time:9ms",
        "step:30/30 val loss:3.2751 train_time:9ms",
        "step:30/30 Val_loss:3.2751 train_time:9ms",
        "step:30/30 validation_loss:3.2751 train_time:9ms",
        "step:30/30\tval_loss:3.2751\ttrain_time:9ms",
        "step:30/30, val_loss=3.2751",
        "Step 30 | Validation loss: 3.2751",
        '{"step": 30, "val_loss": 3.2751}',
        "val_loss 3.2751 at step 30",
    ],
)
def test_another_spelling_of_a_validation_is_said(line):
    ((_, message),) = unread(read(*STEPS[:2], line))
    assert "1 line tells" in message


@pytest.mark.parametrize("step", ["step:30 / 30", "step: 30/30", "step:30/30,"])
def test_a_step_that_is_written_otherwise_is_not_read_as_one_without_a_total(step):
    log = read(*STEPS[:2], f"{step} val_loss:3.2751 train_time:9ms")
    assert [(run.final_step, run.complete) for run in log.runs] == [(15, False)]
    assert ["step is not a number of steps" in p.message for p in log.problems] == [True]


def test_a_log_of_such_lines_alone_is_no_run_and_the_first_of_them_is_shown():
    log = read(*(f"[rank0]: {line}" for line in STEPS))
    assert log.runs == ()
    ((line, message),) = unread(log)
    assert (line, message.partition(" of")[0]) == (7, "3 lines tell")
    assert "'[rank0]: step:0/30 val_loss:9.1000" in message


def test_a_prefix_before_a_line_of_llmc_is_said():
    text = "s:0 tel:11.0092\ns:0 trl:11.0\n[1,0]<stdout>: s:128 tel:6.5000\n"
    log = parse_log(text.encode(), "a.txt")
    assert [run.final_step for run in log.runs] == [0]
    assert [line for line, _ in unread(log)] == [3]


@pytest.mark.parametrize(
    "line",
    [
        "[rank1]: step:30/30 val_loss:3.2751 train_time:9ms",
        "Final: step 30, val_loss 3.275",
        "Early stop at step 30: val loss 3.28",
        '{"step": 15, "val_loss": 4.3333}',
    ],
)
def test_a_validation_that_was_read_may_be_printed_again_in_any_way(line):
    assert read(*STEPS, line).problems == ()


@pytest.mark.parametrize(
    "line",
    [
        "val_loss_every=125 step=3",
        "best val_loss: 3.1",
        "step:31/30 train_loss:3.1 train_time:9ms",
        "Hyperparameters(num_iterations=30, val_loss_every=15, step_size=0.1)",
    ],
)
def test_what_tells_no_loss_at_a_step_is_nothing(line):
    assert read(*STEPS, line).problems == ()


def test_a_line_that_is_a_problem_already_is_no_second_one():
    log = read(*STEPS[:2], "step:30/30 val_loss: 3.2751 train_time:9ms")
    assert [p.message for p in log.problems] == ["the validation loss is not a number: ''"]
