"""Runs that a folder hides: in disguises that a reader would see through, and in its own logs."""

from __future__ import annotations

import csv
import html
import io
import json
import random
import re
import unicodedata
from statistics import fmean
from urllib.parse import quote

import pytest

from speedcheck.logs.curves import MAX_JSON_BYTES
from speedcheck.records.record_folder import read_record
from tests.speedcheck.gate.submissions import make_log, make_logs, step_lines

RNG = random.Random(7)
LOG, OTHER = make_log(RNG, 3.2765), make_log(RNG, 3.36)
LINES = step_lines(OTHER).decode()
VALIDATIONS = [line for line in LINES.splitlines() if "val_loss" in line]
SMALL_CAPITALS = {
    ord(letter): unicodedata.lookup(f"LATIN LETTER SMALL CAPITAL {letter.upper()}")
    for letter in "aelopt"
}


def rows(log):
    """The steps and losses of a log's validations, by an expression of their own."""
    found = re.findall(r"(?m)^step:(\d+)/\d+ val_loss:(\S+)", step_lines(log).decode())
    return [(int(step), float(loss)) for step, loss in found]


def as_csv(table, header=("step", "val_loss"), delimiter=","):
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter).writerows([header, *table])
    return text.getvalue()


def prefixed(prefix):
    return "".join(f"{prefix}{line}\n" for line in LINES.splitlines())


DISGUISES = {
    "capital letters": LINES.upper().encode(),
    "letters that look like Latin ones": LINES.replace("step", "st\u0435p").encode(),
    "escapes of JSON": json.dumps({"log": LINES}).encode(),
    "escapes of HTML": "".join(f"&#{ord(c)};" if c in ":_" else c for c in LINES).encode(),
    "blanks around colons": LINES.replace(":", " : ").encode(),
    "the name of a rank": prefixed("[rank0]: ").encode(),
    "other words": LINES.replace("step:", "iter ").replace("val_loss:", "valloss=").encode(),
    "comments": prefixed("# ").encode(),
    "one string with escapes of line ends": LINES.replace("\n", "\\n").encode() + b"\n",
    "a string of JSON within one": json.dumps(json.dumps({"log": LINES})).encode() + b"\n",
    "named entities": LINES.replace(":", "&colon;").replace("_", "&lowbar;").encode(),
    "escapes of addresses": quote(LINES, safe="\n").encode(),
    "escapes of mail": LINES.replace(":", "=3A").encode(),
    "signs behind a backslash": LINES.replace("_", "\\_").encode(),
    "bold type": LINES.replace("val_loss:", "**val_loss:** ").encode(),
    "accents": LINES.replace("a", "a\u0301").replace("e", "\u00e9").encode(),
    "small capitals": LINES.translate(SMALL_CAPITALS).encode(),
    "letters that are printed over": LINES.replace("v", "x\bv").encode(),
    "attributes of XML": re.sub(r"(step|val_loss):(\S+)", r'\1="\2"', LINES).encode(),
    "losses on lines of their own": LINES.replace(" val_loss", "\n  val_loss").encode(),
}


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "0.txt").write_bytes(LOG)
    return tmp_path


def hidden(folder):
    return [(run.file, run.validations) for run in read_record(folder).hidden]


@pytest.mark.parametrize("disguise", DISGUISES)
def test_a_run_in_disguise_is_found_in_a_file_of_its_own(folder, disguise):
    # A prefix or blanks may also leave it a log that is read: then it counts.
    (folder / "notes").write_bytes(DISGUISES[disguise])
    assert hidden(folder) == [("notes", len(VALIDATIONS))]


@pytest.mark.parametrize("disguise", DISGUISES)
def test_a_run_in_disguise_is_found_behind_another_run_of_the_same_steps(folder, disguise):
    (folder / "0.txt").write_bytes(LOG + DISGUISES[disguise])
    assert hidden(folder) == [("0.txt", len(VALIDATIONS))]


def test_another_figure_beside_the_own_validation_of_a_step_hides_nothing(folder):
    text = LOG.decode()
    for line in step_lines(LOG).decode().splitlines():
        if "val_loss" in line:
            step = line.partition(" ")[0]
            text = text.replace(line, f"{line}\nema {step} val_loss:3.9876")
    (folder / "0.txt").write_text(text)
    log = read_record(folder).logs[0]
    assert len(log.unread) == len(VALIDATIONS)
    assert hidden(folder) == []


def test_escapes_leave_the_numbers_of_lines(folder):
    (folder / "notes").write_text("a\nb\n" + html.escape(json.dumps(LINES)))
    (run,) = read_record(folder).hidden
    assert (run.file, run.line) == ("notes", 3)


@pytest.mark.parametrize(
    ("content", "is_searched"),
    [
        (LINES.encode("cp037"), True),
        (b"\x89PNG\r\n\x1a\n", True),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n", False),
        (b"/annex/objects/SHA256E-s9--00.txt\n", False),
        (b"outs:\n- md5: 00\n  path: 9.txt\n", False),
        (b"\x1f\x8b\x08", False),
    ],
)
def test_what_is_not_text_is_listed(folder, content, is_searched):
    (folder / "notes").write_bytes(content)
    (file,) = read_record(folder).opaque
    assert (file.name, file.is_searched) == ("notes", is_searched)


def test_text_is_not_listed_whatever_character_the_searched_beginning_cuts(folder):
    for length in range(4090, 4100):
        (folder / f"{length}.md").write_text("x" * length + "\u20ac" * 10)
    assert read_record(folder).opaque == ()


def test_a_sentence_for_each_validation_is_found(folder):
    told = [f"After step {step} the validation loss was {loss}\n" for step, loss in rows(OTHER)]
    (folder / "notes").write_text("".join(told))
    assert hidden(folder) == [("notes", len(VALIDATIONS))]


COURSE = rows(OTHER)
TABLES = {
    "CSV": as_csv(COURSE),
    "columns behind semicolons": as_csv(COURSE, ("Iteration", "Validation loss"), ";"),
    "an export of W&B": as_csv(COURSE, ("Step", "seed 9 - val/loss")),
    "objects of JSON": json.dumps([{"_step": s, "val/loss": v} for s, v in COURSE], indent=2),
    "a column with a unit below a remark": "# seed 9\n"
    + as_csv(COURSE, ("step", "val_loss (nats)")),
    "decimal commas": as_csv(COURSE, delimiter=";").replace(".", ","),
    "losses by steps in JSON": json.dumps({"val_loss": dict(COURSE)}),
    "pairs in JSON": json.dumps({"run": {"val_loss": COURSE}}),
    "arrays of JSON": json.dumps(
        {"a": dict(zip(("step", "val_loss"), zip(*COURSE, strict=True), strict=True))}, indent=1
    ),
    "YAML": "".join(f"- step: {step}\n  val_loss: {loss}\n" for step, loss in COURSE),
}


@pytest.mark.parametrize("kind", TABLES)
def test_a_run_in_a_table_is_found(folder, kind):
    (folder / "history").write_text(TABLES[kind])
    assert hidden(folder) == [("history", len(COURSE))]


def test_a_run_in_a_table_in_utf_16_is_found(folder):
    (folder / "history").write_text(TABLES["CSV"], encoding="utf-16")
    assert hidden(folder) == [("history", len(COURSE))]


def test_a_run_is_found_of_which_each_file_holds_one_validation(folder):
    for count, (step, loss) in enumerate(COURSE, 1):
        (folder / f"README-{step}.md").write_text(f"step:{step}/1390 val_loss:{loss}\n")
        assert hidden(folder) == ([("README-0.md", count)] if count > 2 else [])


def test_a_table_in_a_document_or_a_program_is_not_searched(folder):
    for name in ("README.md", "plot.py", "a.ipynb"):
        (folder / name).write_text(TABLES["arrays of JSON"])
    assert hidden(folder) == []


def test_tables_of_other_things_hide_nothing(folder):
    logs = make_logs(RNG, 3, 3.2765)
    for name, log in logs.items():
        (folder / name).write_bytes(log)
    courses = [rows(log) for log in logs.values()]
    means = [
        (run[0][0], round(fmean(loss for _, loss in run), 5)) for run in zip(*courses, strict=True)
    ]
    steps = [step for step, _ in COURSE]
    (folder / "0.txt").unlink()
    for name, table in {
        "own.csv": courses[1],
        "rounded.csv": [(step, round(loss, 2)) for step, loss in courses[2]],
        "mean.csv": means,
        "by length.csv": [(step, 3.28 + step / 1e6) for step in steps[-5:]],
        "other steps.csv": [(step + 7, 3.5) for step in steps],
        "two.csv": COURSE[:2],
    }.items():
        (folder / name).write_text(as_csv(table))
    assert hidden(folder) == []


@pytest.mark.parametrize(
    "text",
    [
        *("[" * 100_000, '{"step": [[1]], "val_loss": {"a": 1}}', "step,val_loss\n1\n,\nx,y\n"),
        *(
            'step,val_loss\n"1,2',
            '[{"step": 1e400, "val_loss": NaN}]',
            '{"step": "", "val_loss": ""}',
        ),
    ],
)
def test_a_broken_table_hides_nothing(folder, text):
    (folder / "history").write_text(text)
    assert hidden(folder) == []


def test_json_that_is_too_large_to_be_read_is_said(tmp_path):
    (tmp_path / "0.txt").write_bytes(LOG)
    for name, key in (("history.json", "val_loss"), ("weights.json", "w")):
        (tmp_path / name).write_text(json.dumps({key: ["0.12345678"] * (MAX_JSON_BYTES // 12)}))
    record = read_record(tmp_path)
    assert [(file.name, file.is_searched) for file in record.opaque] == [("history.json", False)]


def test_lines_of_a_table_keep_their_numbers_below_comments(tmp_path):
    (tmp_path / "0.txt").write_bytes(LOG)
    table = "# by a tool\n\n" + as_csv(rows(OTHER))
    (tmp_path / "history.csv").write_text(table)
    (hidden,) = read_record(tmp_path).hidden
    step, loss = next(row for row in rows(OTHER) if row not in rows(LOG))
    assert table.splitlines()[hidden.line - 1] == f"{step},{loss}"
