"""Whatever the bytes are: never a crash, never a silent loss, always a stated problem."""

from __future__ import annotations

import pytest
from examples import examples
from hypothesis import example, given, settings
from hypothesis import strategies as st

from speedcheck.logs import parse_log

GOOD = "step:0/30 val_loss:9.1000 train_time:0ms\nstep:30/30 val_loss:3.2000 train_time:9ms\n"
PIECES = [
    *(b"step:", b"s:", b"0", b"30", b"/30", b"3.2", b"nan", b"1e400", b"-", b" ", b"\n", b"\r"),
    *(b" val_loss:", b" tel:", b" trl:", b" train_time:", b"ms", b"s", b"\xff", b"\0", b"\xd9\xa1"),
    *(b"import os\n", b'"""', b"\n" + b"=" * 100 + b"\n", b"Running Python 3.12\n"),
    *(b"Running on A with world_size 8\n", b"speedcheck_log: 1\n", b"config: {", b"\nstopped: "),
]


def parse(data: str | bytes):
    return parse_log(data.encode() if isinstance(data, str) else data, "a.txt")


def messages(data: str | bytes) -> list[tuple[int | None, str]]:
    return [(problem.line, problem.message) for problem in parse(data).problems]


@settings(max_examples=examples(300))
@given(
    st.one_of(
        st.binary(max_size=300),
        st.lists(st.sampled_from(PIECES), max_size=60).map(b"".join),
        st.lists(st.sampled_from(PIECES), max_size=30).map(
            lambda pieces: GOOD.encode() + b"".join(pieces)
        ),
    )
)
@example(b"")
@example(b"\xff\xfe")
@example(b"\xef\xbb\xbf")
def test_any_bytes_give_runs_or_a_reason(data):
    log = parse(data)
    assert log.runs or log.problems
    assert log.size == len(data)
    for run in log.runs:
        assert run.total_steps is None or run.complete == (run.final_step == run.total_steps)
        assert all(
            validation.train_time_ms is None or validation.train_time_ms >= 0
            for validation in run.validations
        )


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "empty file"),
        (b"\n \n", "empty file"),
        (b"val_loss = 3.2\n", "no step line"),
        (b"\x7fELF\x02\x01\x01" + b"\0" * 9, "binary: NUL byte at byte 7"),
    ],
)
def test_a_file_that_is_no_log_says_why(data, reason):
    log = parse(data)
    assert log.runs == ()
    assert [problem.message for problem in log.problems] == [reason]


@pytest.mark.parametrize(
    "encoded",
    [
        GOOD.replace("\n", "\r\n").encode(),
        GOOD.replace("\n", "\r").encode(),
        GOOD.encode("utf-8-sig"),
        GOOD.encode("utf-16"),
        b"\xfe\xff" + GOOD.encode("utf-16-be"),
        b"caf\xe9\n" + GOOD.encode(),
    ],
)
def test_line_ends_byte_order_marks_and_broken_utf8_change_no_figure(encoded):
    (run,) = parse(encoded).runs
    assert [(line.step, line.loss, line.train_time_ms) for line in run.validations] == [
        (0, 9.1, 0.0),
        (30, 3.2, 9.0),
    ]
    assert run.complete


def test_line_ends_change_nothing_of_the_program_digest():
    log = "import os\n" + "=" * 100 + "\n" + GOOD
    digests = [parse(text).runs[0].source_sha256 for text in (log, log.replace("\n", "\r\n"))]
    assert digests[0] == digests[1]


@pytest.mark.parametrize(
    "loss", ["1e400", "-0.0", "-3.2", "١٢٣", "3,2", "0x3", "3.2.1", "nano", "--", "1_0"]
)
def test_a_loss_that_is_no_loss_is_not_read_and_that_is_said(loss):
    log = parse(GOOD + f"step:30/30 val_loss:{loss} train_time:1ms\n".replace("30/30", "31/31"))
    assert [run.val_loss for run in log.runs] == [3.2]
    assert [problem.line for problem in log.problems] == [3]
    assert "the validation loss is not a number" in log.problems[0].message


@pytest.mark.parametrize("time_", ["-5ms", "9", "9min", "1e3ms", "٣ms", "nanms", "9" * 400 + "ms"])
def test_a_time_that_is_no_time_is_unknown_and_that_is_said(time_):
    log = parse(f"step:30/30 val_loss:3.2 train_time:{time_}\n")
    (run,) = log.runs
    assert (run.val_loss, run.train_time_ms) == (3.2, None)
    assert "train_time is not a time" in log.problems[0].message


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("step:-1/30 val_loss:3.1 train_time:9ms", "step is not a number of steps"),
        ("step:\u0661/30 val_loss:3.1 train_time:9ms", "step is not a number of steps"),
        (f"step:{'9' * 5000}/30 val_loss:3.1 train_time:9ms", "step is not a number of steps"),
        ("step:1/0 val_loss:3.1 train_time:9ms", "step 1 of 0 is not a step of a run"),
        ("step:10/30 val_loss:3.1 val_loss:3.0 train_time:9ms", "a field stands twice"),
        ("step:30/30 val_loss:3.1 train_time:9ms", "another validation at step 30"),
    ],
)
def test_a_line_that_cannot_be_read_is_named_and_changes_no_figure(line, message):
    log = parse(GOOD + line + "\n")
    assert [run.val_loss for run in log.runs] == [3.2]
    assert [problem.line for problem in log.problems] == [3]
    assert message in log.problems[0].message


def test_steps_running_backwards_within_a_run_are_said():
    steps = [0, 10, 20, 15, 25]
    log = parse(
        "".join(
            f"step:{step}/30 val_loss:{9 - step / 10} train_time:{i}ms\n"
            for i, step in enumerate(steps)
        )
    )
    assert len(log.runs) == 1
    assert [(problem.line, problem.message) for problem in log.problems] == [
        (4, "steps run backwards: 15 after 20")
    ]


def test_a_step_beyond_the_plan_is_said_and_completes_no_run():
    log = parse("step:30/30 val_loss:3.2 train_time:9ms\nstep:31/30 val_loss:3.1 train_time:9ms\n")
    assert [run.complete for run in log.runs] == [False]
    assert messages("step:31/30 val_loss:3.1 train_time:9ms\n") == [
        (1, "step 31 is beyond the planned 30")
    ]


def test_control_characters_and_long_lines_are_shown_escaped_and_shortened():
    ((_, message),) = messages(GOOD + "step:1/30 val_loss:\x1b[31m" + "x" * 5000 + "\n")
    assert "\x1b" not in message
    assert len(message) < 200


def test_a_line_longer_than_a_mebibyte_is_said_and_not_read():
    long = "step:30/30 val_loss:1.0 train_time:9ms " + "x" * (1 << 20) + "\n"
    log = parse(long + GOOD)
    assert [run.val_loss for run in log.runs] == [3.2]
    assert (1, "a line longer than 1 MiB is not read") in messages(long + GOOD)


def test_problems_without_end_are_counted():
    log = parse("step:1/30 val_loss:x\n" * 500)
    assert len(log.problems) == 101
    assert log.problems[-1].message == "400 further problems"


def test_more_validations_than_a_training_has_are_refused():
    log = parse("step:1/1 val_loss:3.2\n" * 100_001)
    assert log.runs == ()
    assert "more than 100000 validation lines" in log.problems[0].message


def test_more_separators_than_a_log_has_are_refused():
    log = parse(("=" * 100 + "\nRunning Python 3\n") * 10_001)
    assert log.runs == ()
    assert "more than 10000 separator lines" in log.problems[0].message
