"""Text of the embedded program is never data, and every run gets its own program."""

from __future__ import annotations

import hashlib

import pytest
from examples import examples
from hypothesis import given, settings
from hypothesis import strategies as st

from speedcheck.logs import parse_log, program_text

LINE = "=" * 100 + "\n"
ENVIRONMENT = "Running Python 3.12.7 (main)\nRunning PyTorch 2.7.0 compiled for CUDA 12.6\n"
DATA_LIKE = [
    "step:30/30 val_loss:1.0000 train_time:1ms step_avg:1.00ms",
    "step:10/30 train_time:1ms",
    "s:30 tel:1.0000",
    "peak memory allocated: 1 MiB reserved: 1 MiB",
    'stopped: "by the program"',
    "Running on device_name=NVIDIA L40S with world_size=1",
    "speedcheck_log: 1",
    "=" * 100,
]


def program(*lines: str) -> str:
    return "\n".join(['"""Train."""', "import os", 'usage = """', *lines, '"""', "main()\n"])


def steps(loss: float) -> str:
    return "".join(
        f"step:{step}/30 train_time:{step}ms step_avg:1.00ms\n"
        f"step:{step}/30 val_loss:{loss + (30 - step) / 100:.4f} train_time:{step}ms\n"
        for step in (0, 10, 20, 30)
    )


def full_log(loss: float, *lines: str) -> str:
    return (
        program(*lines) + LINE + ENVIRONMENT + LINE + steps(loss) + "peak memory allocated: 7 MiB\n"
    )


def read(text: str):
    return parse_log(text.encode(), "a.txt").runs


def figures(run):
    return [(line.step, line.loss, line.train_time_ms) for line in run.validations], (
        run.last_step,
        run.environment,
        run.peak_memory_mib,
        run.stopped,
        run.header,
        run.complete,
    )


@settings(max_examples=examples(150))
@given(st.lists(st.sampled_from(DATA_LIKE), max_size=6))
def test_no_line_inside_the_program_changes_a_figure(lines):
    assert [figures(run) for run in read(full_log(3.2, *lines))] == [
        figures(run) for run in read(full_log(3.2))
    ]


@settings(max_examples=examples(50))
@given(st.lists(st.sampled_from(DATA_LIKE), min_size=1, max_size=6))
def test_the_program_reaches_to_the_separator_before_the_environment(lines):
    text = full_log(3.2, *lines)
    (run,) = read(text)
    assert program_text(text.encode(), run) == program(*lines)
    assert run.source_sha256 == hashlib.sha256(program(*lines).encode()).hexdigest()


def test_a_separator_and_steps_in_a_docstring_are_no_output_since_no_environment_follows():
    inside = [*(LINE + steps(1.0)).splitlines()]
    assert [run.val_loss for run in read(full_log(3.2, *inside))] == [3.2]


# A log to be quoted in a program: nothing in it ends the string that it stands in.
QUOTED = "# an earlier log\n" + LINE + ENVIRONMENT + LINE + steps(1.0)


@pytest.mark.parametrize(
    "script",
    [
        f'"""\n{QUOTED}"""\nimport os\nmain()\n',
        f'import os\n"""\n{QUOTED}"""\nmain()\n',
        f"import os\nEXAMPLE = r'''\n{QUOTED}'''\nmain()\n",
        f'import os\nEXAMPLE = """\n{QUOTED}end"""\nmain()\n',
        f'import os\n# don\'t use """\nEXAMPLE = """\n{QUOTED}"""\nmain("it\'s")\n',
        f'import os\nA = "\'"; B = """\n{QUOTED}\\""" {QUOTED} """\nmain()\n',
    ],
)
@pytest.mark.parametrize("environment", [ENVIRONMENT + LINE, ""])
def test_a_whole_log_in_a_string_of_the_program_is_no_run_and_that_is_said(script, environment):
    text = script + LINE + environment + steps(3.2)
    log = parse_log(text.encode(), "a.txt")
    assert [(run.val_loss, run.final_step) for run in log.runs] == [(3.2, 30)]
    assert [p.message for p in log.problems if "environment within a string" in p.message]
    assert program_text(text.encode(), log.runs[0]) == script


def test_a_separator_in_a_string_ends_no_program_where_no_environment_is():
    script = f'import os\nEXAMPLE = """\n{LINE}{steps(1.0)}end"""\nmain()\n'
    assert [run.val_loss for run in read(script + LINE + steps(3.2))] == [3.2]


def test_a_log_cut_within_a_string_does_not_hide_the_next_one_without_a_word():
    cut = 'import os\n"""Train.\n'
    log = parse_log((cut + full_log(3.2) + full_log(3.1)).encode(), "a.txt")
    hidden = any("environment within a string" in problem.message for problem in log.problems)
    assert len(log.runs) + hidden == 2
    assert log.runs[-1].val_loss == 3.1


def test_three_quotes_without_an_end_behind_each_of_many_programs_hide_nothing():
    text = ('import os\n"""' + LINE) * 9_000 + LINE + ENVIRONMENT + LINE + steps(3.2)
    assert [run.val_loss for run in read(text)] == [3.2]


def test_without_an_environment_the_output_is_what_follows_the_last_program():
    text = LINE + program(*steps(1.0).splitlines()) + LINE + steps(3.2)
    assert [run.val_loss for run in read(text)] == [3.2]


def test_steps_above_a_later_program_without_environment_are_not_read_and_that_is_said():
    text = program() + LINE + steps(3.1) + program() + LINE + steps(3.2)
    log = parse_log(text.encode(), "a.txt")
    assert [run.val_loss for run in log.runs] == [3.2]
    first_step_line = 1 + text[: text.index("step:0/30")].count("\n")
    assert [problem.line for problem in log.problems] == [first_step_line]


@settings(max_examples=examples(40))
@given(
    st.lists(st.integers(30_000, 40_000), min_size=1, max_size=5),
    st.lists(st.sampled_from(DATA_LIKE), max_size=3),
)
def test_k_logs_one_after_another_are_k_runs_with_a_program_each(losses, lines):
    logs = [full_log(loss / 10_000, *lines, f"# {loss}") for loss in losses]
    runs = read("".join(logs))
    assert [run.val_loss for run in runs] == [loss / 10_000 for loss in losses]
    assert [run.index for run in runs] == list(range(len(losses)))
    assert [run.source_sha256 for run in runs] == [read(log)[0].source_sha256 for log in logs]
    assert [figures(run) for run in runs] == [figures(read(log)[0]) for log in logs]


def test_a_log_that_is_its_own_copy_twice_is_two_runs():
    assert [run.val_loss for run in read(full_log(3.2) * 2)] == [3.2, 3.2]


def test_a_run_that_crashed_before_its_first_step_leaves_the_next_program_whole():
    crashed = program() + LINE + ENVIRONMENT + LINE
    (run,) = read(crashed + full_log(3.2, "again"))
    assert run.source_sha256 == hashlib.sha256(program("again").encode()).hexdigest()


@pytest.mark.parametrize("inside", [*DATA_LIKE[:3], LINE + steps(1.0)])
def test_a_log_cut_within_its_program_has_no_run(inside):
    text = program(*inside.splitlines())
    log = parse_log(text[: text.index("main()")].encode(), "a.txt")
    assert log.runs == ()
    assert any("no separator ends it" in problem.message for problem in log.problems)


@pytest.mark.parametrize(
    "text",
    [
        full_log(3.2),
        full_log(3.2, *steps(1.0).splitlines()),
        full_log(3.2).replace(ENVIRONMENT + LINE, ""),
        full_log(3.2) + full_log(3.1),
        steps(3.2) + steps(3.1),
        steps(3.2).replace("ms", ".125s"),
        "s:0 tel:11.0092\ns:0 trl:11.0\ns:128 tel:6.5432\n",
    ],
)
def test_cutting_a_log_anywhere_never_gives_another_result(text):
    whole = read(text)
    data = text.encode()
    for size in range(len(data)):
        for run, full in zip(parse_log(data[:size], "a.txt").runs, whole, strict=False):
            assert full.validations[: len(run.validations)] == run.validations
            if run.complete:
                assert (run.val_loss, run.train_time_ms) == (full.val_loss, full.train_time_ms)


def test_a_cut_last_line_is_not_read_and_that_is_said():
    log = parse_log(b"step:0/30 val_loss:9.1 train_time:0ms\nstep:30/30 val_loss:3.2", "a.txt")
    assert [run.complete for run in log.runs] == [False]
    assert [problem.line for problem in log.problems] == [2]
    whole = parse_log(b"step:30/30 val_loss:3.2 train_time:9ms step_avg:0.30ms", "a.txt")
    assert [run.complete for run in whole.runs] == [True]


@pytest.mark.parametrize(
    ("last", "read_step"),
    [("s:9536 tel:3.2760", 9536), ("s:9536 tel:3.276", 9472), ("s:9536 tel:3", 9472)],
)
def test_a_last_loss_without_a_line_end_is_whole_with_as_many_decimals_as_before(last, read_step):
    log = parse_log(f"s:9472 tel:3.2801\ns:9472 trl:3.1\n{last}".encode(), "main.log")
    assert [run.final_step for run in log.runs] == [read_step]
    assert bool(log.problems) == (read_step != 9536)


def test_the_last_field_of_a_cut_line_is_left_out():
    (run,) = read("step:30/30 val_loss:3.2 train_time:9ms ema_beta:0.2 ref_gamma:-0.07")
    assert run.final.extra == {"ema_beta": "0.2"}
