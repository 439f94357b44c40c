"""Validations that no grammar reads are kept with the log, and found in any bytes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speedcheck.logs import find_validations, fold, parse_log
from speedcheck.logs.log_file import MAX_UNREAD

PROGRAM = 'import os\nprint(f"step:{step} val_loss:3.1")\n# step 5 val_loss 1.0\n'
LINE = "=" * 100 + "\n"
STEPS = [
    "step:0/30 val_loss:9.1000 train_time:0ms",
    "step:15/30 val_loss:4.3333 train_time:5ms",
    "step:30/30 val_loss:3.2751 train_time:9ms",
]
# Each sign of ASCII has a full-width one.
WIDE = {code: code + 0xFEE0 for code in range(0x21, 0x7F) if chr(code) != "."}


def read(*lines):
    text = PROGRAM + LINE + "Running Python 3.12.7\n" + LINE
    return parse_log((text + "".join(f"{line}\n" for line in lines)).encode(), "a.txt")


def unread(log):
    return [(u.step, u.loss) for u in log.unread]


def kinds(log):
    return [problem.kind for problem in log.problems]


@pytest.mark.parametrize(
    "spelling",
    [
        lambda line: f"[rank0]: {line}",
        lambda line: line.replace(":", "=", 2),
        lambda line: line.replace(":", "\uff1a"),
        lambda line: line.translate(WIDE),
        lambda line: line.replace("3", "\u0663").replace("0", "\u0660"),
        lambda line: line.replace("val", "v\u200bal"),
        lambda line: line.replace("step", "\U0001d69c\U0001d69d\U0001d68e\U0001d699"),
    ],
)
def test_a_line_in_another_spelling_is_read_or_unread(spelling):
    log = read(*STEPS[:2], spelling(STEPS[2]))
    assert [run.final_step for run in log.runs] == [15]
    assert unread(log) == [(30, 3.2751)]
    assert log.unread[0].line == 9


def test_lines_that_a_grammar_refuses_are_unread_and_cut_ones_are_not():
    twice = "step:30/30 val_loss:3.2751 val_loss:3.1"
    assert unread(read(*STEPS[:2], twice)) == [(30, 3.2751)]
    text = "\n".join([*STEPS[:2], "step:30/30 val_loss:3.27"])
    log = parse_log(text.encode(), "a.txt")
    assert (unread(log), kinds(log)) == ([], ["cut_line"])


def test_validations_behind_a_program_that_nothing_ends_are_unread():
    text = "\n".join([*STEPS, "import os", *STEPS]) + "\n"
    log = parse_log(text.encode(), "a.txt")
    assert unread(log) == [(0, 9.1), (15, 4.3333), (30, 3.2751)]
    assert [u.line for u in log.unread] == [5, 6, 7]


def test_a_line_too_long_to_read_is_unread_with_what_it_tells():
    log = read(*STEPS[:2], STEPS[2] + " " + "x" * (1 << 20))
    assert unread(log) == [(30, 3.2751)]
    assert all(len(u.text) <= 200 for u in log.unread)


def test_unread_lines_are_capped_and_counted():
    log = read(STEPS[0], *(f"x step:{n} val_loss:5.{n}" for n in range(2000)))
    assert len(log.unread) == MAX_UNREAD
    assert "2000 lines tell" in log.problems[0].message


PROBES = [f"tailavg step:{step} tau:150 lambda:0.4 val_loss:3.2{step}" for step in (15, 20, 30)]


def test_probes_beside_a_run_are_said_once_and_are_no_runs():
    log = read(*STEPS, *PROBES)
    assert [run.val_loss for run in log.runs] == [3.2751]
    assert (log.unread, kinds(log)) == ((), ["probe"])
    assert "3 lines give losses of evaluations beside the run" in log.problems[0].message


@pytest.mark.parametrize(
    "line",
    [
        "tailavg step:40 tau:150 val_loss:3.1",  # no run came so far
        "rank0 step:20 val_loss:3.1 train_time:7ms",  # nothing but a run's own fields
        "[0] step:20 tau:150 val_loss:3.1",
    ],
)
def test_what_is_no_probe_is_unread(line):
    log = read(*STEPS, line)
    assert (len(log.unread), kinds(log)) == (1, ["unread"])


def test_utf_16_is_a_log_and_a_binary_file_tells_what_is_in_it():
    text = "\n".join(STEPS) + "\n"
    for encoding in ("utf-16", "utf-16-le", "utf-16-be"):
        log = parse_log(text.encode(encoding), "a.txt")
        assert [run.val_loss for run in log.runs] == [3.2751]
    log = parse_log(b"\x7fELF\0\0" + text.encode(), "a.bin")
    assert (log.runs, kinds(log)) == ((), ["not_text"])
    assert unread(log) == [(0, 9.1), (15, 4.3333), (30, 3.2751)]


@pytest.mark.parametrize(
    "data",
    [
        "\n".join(f"> {line}" for line in STEPS).encode(),
        ("| " + " | ".join(STEPS) + " |").encode(),
        "\n".join(STEPS).translate(WIDE).encode(),
        "\n".join(STEPS).encode("utf-32"),
        b"\x80\x02PK\0" + "\n".join(STEPS).encode("utf-16-le"),
        "\r".join(STEPS).encode(),
        "\n".join("\x1b[32m" + line for line in STEPS).encode(),
        b"\0".join(bytes([byte]) for byte in "\n".join(STEPS).encode()),
        b"s:0 tel:9.1000\ns:15 tel:4.3333\ns:30 tel:3.2751",
    ],
)
def test_validations_are_found_in_any_bytes(data):
    assert [(v.step, v.loss) for v in find_validations(data)] == [
        (0, 9.1),
        (15, 4.3333),
        (30, 3.2751),
    ]


@pytest.mark.parametrize(
    "text",
    [
        "At step 5100 the val_loss is 3.2788, at step 5200 it is 3.2751.",
        "| step | val_loss |\n|---|---|\n| 5100 | 3.2788 |",
        'print(f"step:{step}/{total} val_loss:{loss:.4f}")',
        "timestep:3 val_loss:3.2",
        "step:30/30 train_loss:3.2",
    ],
)
def test_prose_tables_and_programs_hold_no_validation(text):
    assert find_validations(text.encode()) == []


def test_the_lines_of_found_validations_are_those_of_the_file():
    assert [v.line for v in find_validations(("a\n\n" + "\nb\n".join(STEPS)).encode())] == [3, 5, 7]


@given(st.binary(max_size=400), st.integers(0, 10**6), st.integers(0, 99999))
def test_a_validation_is_found_whatever_bytes_stand_around_it(noise, step, digits):
    line = f"\nstep:{step}/1000000 val_loss:3.{digits:05} train_time:9ms\n"
    found = find_validations(noise + line.encode() + noise)
    assert (step, float(f"3.{digits:05}")) in [(v.step, v.loss) for v in found]


@given(st.text())
def test_folding_leaves_ascii_and_is_done_at_once(text):
    folded = fold(text)
    assert fold(folded) == folded
    assert fold("".join(c for c in text if c.isascii())) == "".join(c for c in text if c.isascii())


def test_the_program_may_be_the_second_part_of_a_log():
    text = (
        "logs/08abc.txt\nRunning pytorch 2.6\n"
        + LINE
        + "import os\nval_tokens = 10485760\n"
        + LINE
        + "Running Python 3.11\nNVIDIA H100\n"
        + LINE
        + "\n".join(STEPS)
        + "\n"
    )
    log = parse_log(text.encode(), "a.txt")
    (run,) = log.runs
    program = ("\n" + text).encode()[slice(*run.source_span)]
    assert program == b"import os\nval_tokens = 10485760\n"
    assert (run.val_loss, run.environment.python, log.problems) == (3.2751, "3.11", ())


def test_runs_say_where_they_begin_and_how_far_apart_their_times_are():
    first = [
        "step:0/30 val_loss:9.1 train_time:0ms",
        "step:29/30 train_time:940ms",
        "step:30/30 train_time:970ms",
        "step:30/30 val_loss:3.3 train_time:971ms",
    ]
    second = [
        "step:16/40 train_time:20ms",
        "step:17/40 train_time:40ms",
        "step:20/40 val_loss:3.2 train_time:90ms",
        "step:21/40 train_time:125ms",
    ]
    runs = read(*first, *second).runs
    assert [(run.first_step, run.last_time_ms, run.step_time_ms) for run in runs] == [
        (0, 971.0, 31.0),
        (16, 125.0, 35.0),
    ]
    assert [run.last_step for run in runs] == [30, 21]


def test_the_output_of_published_logs_gives_its_fingerprints():
    run = read("val_tokens: 64", "train_shards:8", *STEPS).runs[0]
    assert (run.printed_val_tokens, run.printed_train_shards) == (64, 8)
    assert read(*STEPS).runs[0].printed_val_tokens is None
