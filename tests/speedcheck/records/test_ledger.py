"""The ledger: nothing in it can be changed, left out or moved without a trace."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import json
import os
import subprocess
import sys
import textwrap

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from speedcheck.errors import RecordError
from speedcheck.records import ledger_writer
from speedcheck.records.ledger import parse_ledger
from speedcheck.records.ledger_writer import LedgerWriter

EVENTS = [
    {"event": "planned", "seed": 0},
    {"event": "planned", "seed": 1},
    {"event": "started", "seed": 0, "log": "seed-000.txt"},
    {"event": "finished", "seed": 0, "log": "seed-000.txt", "log_sha256": "ab" * 32},
    {"event": "failed", "seed": 1, "reason": "exit status 1: out of memory"},
]


@pytest.fixture(scope="module")
def lines(ledger_bytes):
    return ledger_bytes(EVENTS).splitlines(keepends=True)


def numbers_of_problems(lines):
    return [problem.line for problem in parse_ledger(b"".join(lines)).problems]


def test_an_untouched_chain_has_no_problem(lines):
    ledger = parse_ledger(b"".join(lines))
    assert ledger.problems == ()
    assert [(entry.event, entry.seed) for entry in ledger.entries] == [
        (event["event"], event["seed"]) for event in EVENTS
    ]


def test_what_a_writer_appends_is_what_a_reader_reads(tmp_path):
    log = tmp_path / "seed-003.txt"
    log.write_bytes(b"the log")
    path = tmp_path / "ledger.jsonl"
    path.touch()
    with LedgerWriter(path) as writer:
        writer.append_planned((3, 4))
        writer.append("started", 3, log=tmp_path / "not-there-yet.txt")
        writer.append("finished", 3, log=log, reason="a remark")
        written = writer.ledger
    read = parse_ledger(path.read_bytes())
    assert read == written
    assert read.problems == ()
    last = read.latest()[3]
    assert (last.event, last.log, last.reason) == ("finished", "seed-003.txt", "a remark")
    assert last.log_sha256 == hashlib.sha256(b"the log").hexdigest()
    assert read.attempts(3) == 1


def test_details_of_an_event_are_read_back_and_covered_by_the_chain(tmp_path):
    path = tmp_path / "ledger.jsonl"
    path.touch()
    details = {"argv": ["python", "train.py"], "seconds": 1.5, "host": {"id": "ab"}, "side": None}
    with LedgerWriter(path) as writer:
        writer.append("started", 0, details=details)
        writer.append("finished", 0)
    data = path.read_bytes()
    entries = parse_ledger(data).entries
    assert [entry.details for entry in entries] == [details, {}]
    assert b"details" not in data.splitlines()[1]
    assert parse_ledger(data.replace(b"1.5", b"1.4")).problems


def test_details_that_are_not_an_object_are_a_problem(ledger_bytes):
    data = ledger_bytes([{"event": "started", "seed": 0, "details": [1]}])
    (problem,) = parse_ledger(data).problems
    assert "details is not an object" in problem.message


def test_logs_are_named_from_the_folder_that_the_writer_is_given(tmp_path):
    log = tmp_path / "a" / "logs" / "seed-000.txt"
    (tmp_path / "ledger.jsonl").touch()
    with LedgerWriter(tmp_path / "ledger.jsonl", logs=tmp_path) as writer:
        assert writer.append("started", 0, log=log).log == "a/logs/seed-000.txt"


def test_a_second_session_goes_on_with_the_chain_and_plans_no_seed_twice(tmp_path):
    path = tmp_path / "ledger.jsonl"
    path.touch()
    for seeds in ((0, 1), (0, 1, 2)):
        with LedgerWriter(path) as writer:
            writer.append_planned(seeds)
    ledger = parse_ledger(path.read_bytes())
    assert ledger.problems == ()
    planned = [entry.seed for entry in ledger.entries if entry.event == "planned"]
    assert planned == list(ledger.latest()) == [0, 1, 2]


def test_a_plan_never_grows_without_a_line_that_says_so(tmp_path):
    path = tmp_path / "ledger.jsonl"
    path.touch()
    with LedgerWriter(path) as writer:
        writer.append_planned((0, 1))
        writer.append_planned((0, 1))
        writer.append_planned((0, 1, 2, 3), {"stopping_rule": "sequential"})
        assert writer.ledger.looks() == ()
        writer.append("finished", 0)
        writer.append_planned(range(5))
    ledger = parse_ledger(path.read_bytes())
    grown = [(e.seed, e.reason) for e in ledger.entries if e.event == "extended"]
    assert grown == [(2, "2 to 4 runs"), (4, "4 to 5 runs")]
    assert [(e.event, e.seed) for e in ledger.looks()] == [("extended", 4), ("planned", 4)]
    assert list(ledger.latest()) == list(range(5))
    assert ledger.stopping_rules() == {"fixed", "sequential"}


@given(data=st.data())
def test_any_edit_of_a_line_before_the_last_is_found(lines, data):
    index = data.draw(st.integers(0, len(lines) - 2), label="line")
    line = lines[index]
    start = data.draw(st.integers(0, len(line)), label="from")
    end = data.draw(st.integers(start, len(line)), label="to")
    edited = line[:start] + data.draw(st.binary(max_size=4), label="put in") + line[end:]
    assume(edited != line)
    assert numbers_of_problems([*lines[:index], edited, *lines[index + 1 :]])


@given(data=st.data())
def test_any_value_rewritten_as_valid_json_is_found(lines, data):
    index = data.draw(st.integers(0, len(lines) - 2))
    entry = json.loads(lines[index])
    key = data.draw(st.sampled_from(["seed", "reason", "utc", "log"]))
    value = data.draw(st.integers(0, 9) if key == "seed" else st.text(max_size=4))
    assume(entry[key] != value)
    edited = json.dumps(entry | {key: value}, sort_keys=True).encode() + b"\n"
    assert numbers_of_problems([*lines[:index], edited, *lines[index + 1 :]]) == [index + 2]


@pytest.mark.parametrize("index", range(len(EVENTS) - 1))
def test_a_removed_line_is_found_at_the_line_that_followed_it(lines, index):
    assert numbers_of_problems([*lines[:index], *lines[index + 1 :]]) == [index + 1]


@given(order=st.permutations(range(len(EVENTS))))
def test_any_other_order_of_the_lines_is_found(lines, order):
    assume(order != sorted(order))
    assert numbers_of_problems([lines[index] for index in order])


@pytest.mark.parametrize("index", range(len(EVENTS)))
@pytest.mark.parametrize("inserted", [b"\n", b"{}\n", b"not JSON\n"])
def test_an_inserted_line_is_found_even_an_empty_one(lines, index, inserted):
    assert index + 1 in numbers_of_problems([*lines[:index], inserted, *lines[index:]])


@pytest.mark.parametrize("index", range(len(EVENTS)))
def test_a_forged_line_that_follows_from_the_one_before_it_breaks_the_next(
    lines, ledger_bytes, index
):
    forged = ledger_bytes([*EVENTS[:index], {"event": "failed", "seed": 7}])
    problems = numbers_of_problems([forged, *lines[index:]])
    assert problems == [index + 2]


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        (b"[1, 2]", "not an object"),
        (b'{"event": "planned"}', "utc is missing"),
        (b'{"event": "won", "utc": "", "seed": 0, "prev": ""}', "unknown event 'won'"),
        (b'{"event": "planned", "utc": "", "seed": 0.5, "prev": ""}', "seed is not a whole number"),
        (b'{"event": "planned", "utc": "", "seed": true, "prev": ""}', "seed is not a whole"),
        (b'{"event": "planned", "utc": 7, "seed": 0, "prev": ""}', "utc is not text"),
        (b'{"event": "planned", "utc": "", "seed": 0, "prev": "", "log": []}', "log is not text"),
        (b"\xff\xfe\xfd", "is not a ledger entry"),
        (b"[" * 100_000, "is not a ledger entry"),
    ],
)
def test_a_line_that_is_no_entry_is_named_and_the_rest_is_still_read(line, complaint, ledger_bytes):
    rest = ledger_bytes(EVENTS[:1])
    ledger = parse_ledger(line + b"\n" + rest)
    assert ledger.problems[0].line == 1
    assert complaint in ledger.problems[0].message
    assert [entry.event for entry in ledger.entries] == ["planned"]


def test_a_line_cut_by_a_crash_is_told_from_one_that_was_changed(lines):
    half = lines[1][: len(lines[1]) // 2].rstrip(b"\n")
    after = json.loads(lines[2]) | {"prev": hashlib.sha256(half).hexdigest()}
    torn = b"".join([lines[0], half + b"\n", json.dumps(after).encode() + b"\n"])
    assert [(p.line, p.torn) for p in parse_ledger(torn).problems] == [(2, True)]
    changed = b"".join([lines[0], half + b"\n", lines[2]])
    assert [(p.line, p.torn) for p in parse_ledger(changed).problems] == [(2, True), (3, False)]


def test_a_line_cut_by_a_crash_stays_and_the_chain_goes_on_from_it(tmp_path, lines):
    path = tmp_path / "ledger.jsonl"
    path.touch()
    torn = b"".join(lines[:-1]) + lines[-1][:30]
    path.write_bytes(torn)
    with LedgerWriter(path) as writer:
        writer.append("started", 1)
        writer.append("failed", 1, reason="again")
    data = path.read_bytes()
    assert data.startswith(torn + b"\n")
    ledger = parse_ledger(data)
    assert [problem.line for problem in ledger.problems] == [len(lines)]
    assert [entry.event for entry in ledger.entries[-2:]] == ["started", "failed"]


def test_a_second_writer_is_refused_while_the_first_one_writes(tmp_path):
    path = tmp_path / "ledger.jsonl"
    path.touch()
    with LedgerWriter(path) as first:
        with pytest.raises(RecordError, match="another process is running this record"):
            LedgerWriter(path)
        first.append("planned", 0)
    with LedgerWriter(path) as second:
        assert list(second.ledger.latest()) == [0]


def test_somebody_who_looks_at_the_lock_for_an_instant_refuses_no_writer(tmp_path, monkeypatch):
    path = tmp_path / "ledger.jsonl"
    path.touch()
    path.touch()
    with path.open("rb") as looking:
        fcntl.flock(looking, fcntl.LOCK_SH)
        monkeypatch.setattr(
            ledger_writer.time, "sleep", lambda _seconds: fcntl.flock(looking, fcntl.LOCK_UN)
        )
        LedgerWriter(path).__exit__(None, None, None)


def test_the_lock_goes_with_the_process_that_held_it_however_it_ends(tmp_path):
    path = tmp_path / "ledger.jsonl"
    path.touch()
    hold = (
        "import pathlib, sys; from speedcheck.records.ledger_writer import LedgerWriter; "
        "writer = LedgerWriter(pathlib.Path(sys.argv[1])); print('held', flush=True); input()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", hold, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(RecordError, match="another process"):
            LedgerWriter(path)
        holder.kill()
    LedgerWriter(path).__exit__(None, None, None)


FILL = """
    import resource, sys
    from pathlib import Path
    from speedcheck.errors import RecordError
    from speedcheck.records.ledger_writer import LedgerWriter

    path = Path(sys.argv[1])
    path.touch()
    with LedgerWriter(path) as writer:
        writer.append("planned", 0)
        limit = path.stat().st_size * 5 // 2
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
        for seed in (1, 2, 3):
            try:
                writer.append("planned", seed)
            except RecordError as error:
                print(seed, error)
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)
        writer.append("planned", 4)
"""


def test_a_line_that_no_longer_fits_is_an_error_and_leaves_a_ledger_that_can_go_on(tmp_path):
    path = tmp_path / "ledger.jsonl"
    path.touch()
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(FILL), path],
        capture_output=True,
        text=True,
        check=True,
    )
    complaints = done.stdout.splitlines()
    assert [line[0] for line in complaints] == ["2", "3"]
    assert all("ledger.jsonl: cannot write" in line for line in complaints)
    ledger = parse_ledger(path.read_bytes())
    assert ledger.problems == ()
    assert [entry.seed for entry in ledger.entries] == [0, 1, 4]


def test_a_line_that_may_not_last_is_taken_back_with_an_error_that_says_what_to_do(
    tmp_path, monkeypatch
):
    def full(file):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    path = tmp_path / "ledger.jsonl"
    path.touch()
    with LedgerWriter(path) as writer:
        with monkeypatch.context() as patch:
            patch.setattr(ledger_writer.os, "fsync", full)
            with pytest.raises(RecordError, match=r"No space left on device.*free some space"):
                writer.append("planned", 0)
        writer.append("planned", 1)
    ledger = parse_ledger(path.read_bytes())
    assert ledger.problems == ()
    assert [entry.seed for entry in ledger.entries] == [1]


def test_a_ledger_that_is_missing_is_an_error_and_never_made_anew(tmp_path):
    with pytest.raises(RecordError, match=r"ledger\.jsonl: the ledger is missing; restore it"):
        LedgerWriter(tmp_path / "ledger.jsonl")
    assert not (tmp_path / "ledger.jsonl").exists()


def test_a_ledger_that_may_not_be_written_is_not_called_a_full_disk(tmp_path, monkeypatch):
    path = tmp_path / "ledger.jsonl"
    path.touch()

    def refuse(path, flags):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr(ledger_writer, "_existing", refuse)
    with pytest.raises(RecordError, match=r"cannot write \(Permission denied\); check its rights"):
        LedgerWriter(path)


def test_a_plan_of_thousands_of_runs_is_written_at_once(tmp_path, monkeypatch):
    path, synced = tmp_path / "ledger.jsonl", []
    path.touch()
    monkeypatch.setattr(ledger_writer.os, "fsync", synced.append)
    with LedgerWriter(path) as writer:
        writer.append_planned(range(5000))
    assert len(synced) == 1
    ledger = parse_ledger(path.read_bytes())
    assert (len(ledger.entries), ledger.problems) == (5000, ())


def test_a_log_that_cannot_be_read_is_an_error_and_no_line(tmp_path):
    path = tmp_path / "ledger.jsonl"
    path.touch()
    with LedgerWriter(path) as writer, pytest.raises(RecordError, match="cannot read the log"):
        writer.append("finished", 0, log=tmp_path)
    assert path.read_bytes() == b""
