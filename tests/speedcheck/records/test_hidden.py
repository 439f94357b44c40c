"""Runs that a folder hides: in disguises that a reader would see through, and in its own logs."""

from __future__ import annotations

import html
import json
import random

import pytest

from speedcheck.records.record_folder import read_record
from tests.speedcheck.gate.submissions import make_log, step_lines

RNG = random.Random(7)
LOG, OTHER = make_log(RNG, 3.2765), make_log(RNG, 3.36)
LINES = step_lines(OTHER).decode()
VALIDATIONS = [line for line in LINES.splitlines() if "val_loss" in line]


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


@pytest.mark.parametrize(
    "disguise", [name for name in DISGUISES if not name.startswith("escapes of")]
)
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
