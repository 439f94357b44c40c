"""Tables and JSON lines by the names of their columns."""

from __future__ import annotations

import csv
import io
import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speedcheck.logs import Columns, ForeignFormat, ForeignParser, LogPattern

NAMES = {
    "val_loss": "val/loss",
    "step": "_step",
    "seed": "config.seed",
    "run": "run_id",
    "train_time_s": "_runtime",
}


def read(text, names=NAMES, patterns=()):
    log_format = ForeignFormat(tuple(map(LogPattern, patterns)), Columns(tuple(names.items())))
    return ForeignParser(log_format)(text.encode(), "a.csv")


def taken(log):
    return [(r.seed, [(v.step, v.loss, v.train_time_ms) for v in r.validations]) for r in log.runs]


def as_csv(rows, header, delimiter=","):
    text = io.StringIO()
    writer = csv.writer(text, delimiter=delimiter, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return text.getvalue()


HEADER = ["_step", "train/loss", "val/loss", "_runtime", "config.seed", "run_id"]
ROWS = [
    [0, 9.0, 8.5, 0.5, 7, "a"],
    [50, 4.0, "", 5, 7, "a"],
    [100, 3.9, 3.25, 10.25, 7, "a"],
]


@pytest.mark.parametrize("delimiter", [",", "\t", ";"])
def test_a_table_is_read_by_the_names_of_its_columns(delimiter):
    log = read(as_csv(ROWS, HEADER, delimiter))
    assert taken(log) == [(7, [(0, 8.5, 500.0), (100, 3.25, 10_250.0)])]
    (run,) = log.runs
    assert (run.last_time_ms, run.step_time_ms) == (10_250.0, 5250.0)
    assert log.problems == ()


def test_json_lines_are_read_by_the_names_of_their_keys_among_other_lines():
    lines = [json.dumps(dict(zip(HEADER, row, strict=True))) for row in ROWS]
    lines[1] = lines[1].replace('"val/loss": ""', '"val/loss": null')
    text = "starting\n" + "\n".join(lines) + '\n{"val/loss": 3.0\n[1, 2]\ndone'
    assert taken(read(text)) == [(7, [(0, 8.5, 500.0), (100, 3.25, 10_250.0)])]


@given(
    st.lists(st.sampled_from([("a", 1), ("a", 2), ("b", 1)]), max_size=40),
    st.sampled_from(["csv", "json"]),
)
def test_rows_of_one_run_and_seed_are_one_run_in_whatever_order_they_stand(keys, form):
    steps = dict.fromkeys(keys, 0)
    rows = []
    for run, seed in keys:
        steps[run, seed] += 1
        rows.append([steps[run, seed], 1, 1 + len(rows) / 64, len(rows), seed, run])
    objects = [json.dumps(dict(zip(HEADER, row, strict=True))) + "\n" for row in rows]
    log = read(as_csv(rows, HEADER) if form == "csv" else "".join(objects))
    wanted = {
        key: [(row[0], row[2]) for row in rows if (row[5], row[4]) == key]
        for key in dict.fromkeys(keys)
    }
    found = [[(v.step, v.loss) for v in run.validations] for run in log.runs]
    assert found == list(wanted.values())
    assert [run.seed for run in log.runs] == [seed for _, seed in wanted]


def test_without_a_run_or_seed_a_run_begins_where_the_steps_start_again():
    names = {"val_loss": "loss", "step": "step"}
    text = "step,loss\n0,9\n10,3.1\n0,9.1\n10,3.2\n"
    assert [run.val_loss for run in read(text, names).runs] == [3.1, 3.2]


def test_an_export_with_a_column_a_run_gives_each_run():
    header = ["Step", "x - val/loss", "x - val/loss__MIN", "y - z - val/loss"]
    text = as_csv([[0, 9, 9, 8], [10, 3.5, 3.5, ""], [20, "", "", 3.25]], header)
    runs = read(text).runs
    assert [[(v.step, v.loss) for v in run.validations] for run in runs] == [
        [(0, 9.0), (10, 3.5)],
        [(0, 8.0), (20, 3.25)],
    ]


def test_a_file_without_the_column_is_read_by_the_patterns():
    patterns = (r"^step (?P<step>\d+) loss (?P<val_loss>\S+)",)
    assert read("step 1 loss 2.5\n", patterns=patterns).runs[0].val_loss == 2.5
    assert read(as_csv(ROWS, HEADER), patterns=patterns).runs[0].val_loss == 3.25


@pytest.mark.parametrize(
    ("cell", "loss"), [("nan", math.nan), ("NaN", math.nan), ("Infinity", math.inf)]
)
def test_a_diverged_row_is_a_diverged_run(cell, loss):
    (run,) = read(f"_step,val/loss\n0,9\n5,{cell}\n").runs
    assert run.diverged
    assert run.val_loss == pytest.approx(loss, nan_ok=True)
    (run,) = read(f'{{"_step": 5, "val/loss": {"NaN" if cell == "nan" else cell}}}\n').runs
    assert run.diverged


def test_the_last_row_of_a_cut_table_is_not_read_where_it_may_have_lost_digits():
    whole = read("_step,val/loss\n0,9\n5,3.25")
    assert [problem.kind for problem in whole.problems] == ["cut_line"]
    assert whole.runs[0].val_loss == 9
    assert read("val/loss,_step\n9,0\n3.25,5").runs[0].val_loss == 3.25
    assert [p.kind for p in read("val/loss,_step,x\n9,0,1\n3.25").problems] == ["cut_line"]


@pytest.mark.parametrize(
    "line",
    [
        '{"val/loss": ' + "[" * 5000 + "}",
        '{"val/loss": ' + "9" * 6000 + "}",
        '{"val/loss": true}',
        '{"val/loss": {"a": 1}}',
        "{}",
        '{"val/loss": "1e400"}',
    ],
)
def test_hostile_json_is_no_crash_and_no_run(line):
    log = read(line + "\n")
    assert log.runs == ()
    assert log.problems


@given(st.text(max_size=200))
def test_any_text_behind_a_header_is_no_crash(text):
    log = read("_step,val/loss\n" + text)
    assert log.runs or log.problems


def test_a_row_whose_measure_is_no_number_is_said_with_its_line():
    log = read("_step,val/loss\n0,9\n5,3;25\n")
    assert [(p.kind, p.line) for p in log.problems] == [("malformed", 3)]
