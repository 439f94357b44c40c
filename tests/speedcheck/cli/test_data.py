from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap

import pytest

from speedcheck.cli import data as data_command
from speedcheck.cli import main

ECHO = "import json, sys; print(json.dumps(sys.argv[1:]))"


def stand_in(program):
    """The command that starts `program` in the place of the trainer's."""
    return (sys.executable, "-c", textwrap.dedent(program))


@pytest.fixture
def passed_on(monkeypatch, capfd):
    """Run a command and return the words that the process was started with."""
    monkeypatch.setattr(data_command, "_COMMAND", stand_in(ECHO))

    def run(*words):
        assert main(["data", *words]) == 0
        return json.loads(capfd.readouterr().out)

    return run


def test_what_was_typed_is_passed_on_and_nothing_else(passed_on):
    assert passed_on("fetch") == ["fetch"]
    assert passed_on("fetch", "--shards", "3", "--data-dir", "d") == [
        "fetch",
        "--shards=3",
        "--data-dir=d",
    ]
    assert passed_on("check") == ["check"]
    assert passed_on("check", "--json", "d") == ["check", "--json", "d"]
    assert passed_on("tokenize", "a.txt", "b c.jsonl", "--out", "d", "--val-tokens", "9") == [
        *("tokenize", "--out=d", "--val-tokens=9", "a.txt", "b c.jsonl"),
    ]
    words = ("--field=body", "--shard-tokens=7", "--processes=1")
    assert passed_on("tokenize", "a.txt", "--out", "d", *words) == [
        *("tokenize", "--out=d", *words, "a.txt"),
    ]
    words = ("--shards=1", "--tokens=2", "--val-tokens=3", "--seed=-4", "--data-dir=d")
    assert passed_on("synth", *words) == ["synth", *words]


@pytest.mark.parametrize("status", [0, 2, 7])
def test_the_exit_status_is_the_processs(monkeypatch, status):
    monkeypatch.setattr(data_command, "_COMMAND", stand_in(f"raise SystemExit({status})"))
    assert main(["data", "check"]) == status


def test_a_process_that_a_signal_ends_gives_the_shells_status(monkeypatch):
    program = "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"
    monkeypatch.setattr(data_command, "_COMMAND", stand_in(program))
    assert main(["data", "check"]) == 128 + signal.SIGKILL


def test_the_handlers_of_signals_are_put_back(monkeypatch):
    monkeypatch.setattr(data_command, "_COMMAND", stand_in("pass"))
    before = signal.getsignal(signal.SIGINT)
    main(["data", "check"])
    assert signal.getsignal(signal.SIGINT) is before


def start(program, *words):
    """Start the command line in a session of its own, with `program` as the trainer's."""
    front = f"""
        import sys
        from speedcheck.cli import data as data_command
        from speedcheck.cli import main
        data_command._COMMAND = {stand_in(program)!r}
        sys.exit(main(["data", *{words!r}]))
        """
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(front)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


# Written without Python's buffers: the signal may come before `print` has returned.
CLOSING = """
    import os, signal, sys, time
    def end(number, frame):
        signal.signal(number, signal.SIG_IGN)
        time.sleep(0.5)
        os.write(1, b"closed\\n")
        sys.exit(128 + number)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, end)
    os.write(1, b"ready\\n")
    time.sleep(60)
    """


@pytest.mark.parametrize("to_all", [True, False])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_lets_the_process_close_its_files_and_ends_both_quietly(number, to_all):
    front = start(CLOSING, "check")
    assert front.stdout.readline() == "ready\n"
    if to_all:
        os.killpg(front.pid, number)
    else:
        front.send_signal(number)
    out, err = front.communicate(timeout=60)
    assert (front.returncode, out, err) == (128 + number, "closed\n", "")
    with pytest.raises(ProcessLookupError):
        os.killpg(front.pid, 0)


def speedcheck(*words, **variables):
    return subprocess.run(
        [sys.executable, "-m", "speedcheck", "data", *map(str, words)],
        env=os.environ | {"COLUMNS": "80"} | variables,
        capture_output=True,
        text=True,
        check=False,
    )


def test_shards_are_made_and_checked_for_real(tmp_path):
    sizes = ("--shards", "2", "--tokens", "600000", "--val-tokens", "500")
    made = speedcheck("synth", *sizes, SPEEDCHECK_DATA=str(tmp_path))
    assert (made.returncode, made.stderr) == (0, "")
    assert "fineweb_train_000002.bin: 600,000 tokens" in made.stdout
    assert f"{tmp_path}: synthetic tokens (seed 0), not FineWeb" in made.stdout
    checked = speedcheck("check", tmp_path)
    assert (checked.returncode, checked.stderr) == (1, "")
    assert "2 shards hold 2 steps" in checked.stdout
    assert max(map(len, checked.stdout.splitlines())) <= 80
    again = speedcheck("synth", "--data-dir", tmp_path)
    assert again.returncode == 2
    assert "the folder holds 3 shards already" in again.stderr


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (("fetch", "--shards", "104"), "104 is not between 1 and 103"),
        (("fetch", "--shards", "0"), "0 is not between 1 and 103"),
        (("synth", "--tokens", "1e8"), "'1e8' is not a whole number"),
        (("synth", "--tokens", "3000000000"), "is not between 1 and 2,147,483,647"),
        (("synth", "--seed", "-1"), "'-1' is not a whole number"),
        (("tokenize", "--out", "d"), "Missing argument"),
        (("tokenize", "a.txt"), "Missing option '--out'"),
        (("tokenize", __file__, "--out", "d"), "known are .txt, .jsonl, .parquet"),
        (("tokenize", "nope", "--out", "d"), "error: nope: does not exist; name files that end in"),
        (("tokenize", "/", "--out", "d"), "error: /: is a folder; name files that end in .txt"),
        (("check", __file__), f"error: FOLDER: {__file__} is not a folder"),
        (("fetch", "--data-dir", __file__), f"error: --data-dir: {__file__} is not a folder"),
        (("tokenize", "a.txt", "--out", __file__), f"error: --out: {__file__} is not a folder"),
        (("nonsense",), "No such command 'nonsense'"),
        (("check", "nowhere"), "speedcheck data fetch --shards 8 --data-dir nowhere"),
        (("check", "no where"), "speedcheck data fetch --shards 8 --data-dir 'no where'"),
    ],
)
def test_a_call_that_cannot_be_used_is_one_line_and_status_2(words, complaint, capfd):
    assert main(["data", *words]) == 2
    printed = capfd.readouterr()
    assert printed.out == ""
    assert printed.err.count("\n") == 1
    assert printed.err.startswith("speedcheck: error: ")
    assert complaint in printed.err


def test_a_reader_that_closes_the_pipe_gets_no_complaint(tmp_path):
    words = ("synth", "--shards", "9", "--tokens", "1000", "--val-tokens", "10", "--data-dir")
    with subprocess.Popen(
        [sys.executable, "-m", "speedcheck", "data", *words, str(tmp_path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as front:
        front.stdout.close()
        assert front.stderr.read() == ""
    assert front.returncode == 128 + signal.SIGPIPE


def test_without_a_command_the_help_is_shown():
    done = speedcheck()
    assert done.returncode == 0
    assert all(f"\n  {word} " in done.stdout for word in ("fetch", "tokenize", "check", "synth"))
