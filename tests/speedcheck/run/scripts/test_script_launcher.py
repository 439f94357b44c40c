"""`speedcheck run --script`: a foreign trainer as it is, and all that can be wrong with one."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from foreign_scripts import FINAL, PUBLIC, printing

from speedcheck.logs import read_log
from speedcheck.records.ledger import parse_ledger
from speedcheck.run.campaign import campaign
from speedcheck.run.launchers import conditions

LINES = f"{FINAL.format(0, 9, 0)}\\n{FINAL.format(4, 3, 9)}\\n"
TWO_LOGS = f"""
import os
os.makedirs('logs', exist_ok=True)
for i in '12':
    open(f'logs/{{i}}.txt', 'w').write('{LINES}'.replace('9', i))
"""
TWO_RUNS = f"open('all.txt', 'w').write('{LINES}' + '{LINES}'.replace('9', '8'))"


@pytest.fixture
def work(tmp_path, monkeypatch):
    """A folder with data and a public program, in which the user stands."""
    folder = tmp_path / "work"
    (folder / "data").mkdir(parents=True)
    (folder / "data" / "shift.txt").write_text("-1.0")
    (folder / "train_gpt.py").write_text(PUBLIC)
    monkeypatch.chdir(folder)
    monkeypatch.delenv("SEED", raising=False)
    monkeypatch.setattr(campaign, "POLL_SECONDS", 0.02)
    return folder


@pytest.fixture
def run(cli, work):
    """`speedcheck run --script` on plain Python into record/."""

    def call(program: str, *options: str, name: str = "train.py"):
        (work / name).write_text(program)
        return cli("run", "--script", name, "--gpus", "0", "--out", "record", *options)

    return call


def entries(record: Path = Path("record")):
    return parse_ledger((record / "ledger.jsonl").read_bytes()).entries


def events(record: Path = Path("record")) -> list[tuple[int, str]]:
    return [(entry.seed, entry.event) for entry in entries(record) if entry.event != "planned"]


def losses() -> list[float | None]:
    certificate = json.loads(Path("record/certificate.json").read_text())
    return [run["val_loss"] for run in certificate["runs"] if run["counted"]]


def test_a_public_program_is_run_with_its_seeds_and_its_logs_become_the_record(run, work):
    result = run(PUBLIC, "--seed-env", "SEED", "--seeds", "3")
    assert result.code == 0, result.err
    assert "CERTIFIED" in result.out
    logs = sorted((work / "record" / "logs").iterdir())
    assert [log.name for log in logs] == [f"seed-{seed:03d}.txt" for seed in range(3)]
    for log in logs:
        text = log.read_text()
        assert text.startswith(PUBLIC)
        assert len(read_log(log, log.parent).runs) == 1
    # 5 - 1.0 (read from data/ by its relative path) - 0.45 * 4, and noise by the seed.
    assert losses() == pytest.approx([2.2] * 3, abs=0.01)
    assert len(set(losses())) == 3
    assert not (work / "logs").exists()


def test_a_seed_is_handed_over_as_an_option_behind_the_arguments(run):
    program = "import sys\nprint(sys.argv[1:])\n" + printing(
        FINAL.format(4, "3.{sys.argv[3]}", "1{sys.argv[3]}")
    )
    result = run(program, "--seed-arg=--seed", "--seeds", "2", "--", "--lr")
    assert result.code == 0 or "NOT CERTIFIED" in result.out
    argv = [entry.details["argv"] for entry in entries() if entry.event == "started"]
    assert argv == [["python", "train.py", "--lr", "--seed", str(seed)] for seed in (0, 1)]
    assert losses() == [3.0, 3.1]


def test_the_ledger_says_under_which_conditions_a_run_started(run, monkeypatch):
    monkeypatch.setenv("TORCHINDUCTOR_MAX_AUTOTUNE", "1")
    monkeypatch.setenv("HARMLESS", "1")
    run(PUBLIC, "--seed-env", "SEED", "--seeds", "1")
    (started,) = [entry.details for entry in entries() if entry.event == "started"]
    assert started["environment"]["TORCHINDUCTOR_MAX_AUTOTUNE"] == "1"
    assert "HARMLESS" not in started["environment"]
    assert started["compile_cache"] in ("cold", "warm")
    assert len(started["host"]["id"]) == 12
    assert started["gpus"] == conditions.gpus()
    assert started["seed_by"] == {"variable": "SEED", "option": None}


def test_the_time_outside_of_the_clock_is_noted_and_reported(run):
    program = "import time\ntime.sleep(0.3)\n" + printing(FINAL.format(4, "3.2{seed}", "100"))
    result = run(program, "--seed-env", "SEED", "--seeds", "2")
    finished = [entry.details for entry in entries() if entry.event == "finished"]
    for details in finished:
        assert details["wall_s"] >= 0.3
        assert details["outside_clock_s"] == pytest.approx(details["wall_s"] - 0.1, abs=0.002)
    certificate = json.loads(Path("record/certificate.json").read_text())
    assert [r["outside_clock_s"] for r in certificate["runs"]] == [
        details["outside_clock_s"] for details in finished
    ]
    assert "S010 outside-clock" in result.out


def test_a_script_without_a_seed_is_said_before_it_runs_and_in_the_ledger(run):
    # Its runs differ all the same, by the time of day.
    program = "import time\nt = time.time_ns() % 100000\n" + printing(
        FINAL.format(4, "3.2{t:05d}", "1{t:05d}")
    )
    result = run(program, "--seeds", "2")
    assert "train.py gets no seed" in result.out
    assert [e.details["seed_by"] for e in entries() if e.event == "started"] == [None, None]


@pytest.mark.parametrize(
    ("options", "seeds"), [(("--seed-env", "SEED"), [0, 1]), ((), [None, None])]
)
def test_the_certificate_has_the_seeds_that_were_given(run, options, seeds):
    """No log of a public program says its seed."""
    run(PUBLIC, "--seeds", "2", *options)
    certificate = json.loads(Path("record/certificate.json").read_text())
    assert [run["seed"] for run in certificate["runs"]] == seeds


def test_standard_output_is_the_log_where_no_file_is(run):
    result = run(printing(FINAL.format(4, "3.2{seed}", "5{seed}")), "--seed-env", "SEED")
    assert "32 runs" in result.out
    assert losses() == pytest.approx([float(f"3.2{seed}") for seed in range(32)])


def test_a_track_of_the_user_says_how_the_log_is_read_and_when_a_run_is_done(run, work):
    (work / "speedcheck.toml").write_text(
        '[tracks.mine]\ntarget = 0.94\ndirection = "greater"\n'
        "log_patterns = ['epoch (?P<step>[0-9]+) of (?P<total>[0-9]+) acc (?P<val_loss>[0-9.]+)']\n"
    )
    program = printing("epoch 1 of 2 acc 0.5", "epoch 2 of 2 acc 0.95{seed}")
    result = run(program, "--seed-env", "SEED", "--seeds", "4", "--track", "mine")
    assert result.code == 0, result.out + result.err
    assert losses() == [0.95, 0.951, 0.952, 0.953]
    assert [event for _, event in events()].count("finished") == 4


@pytest.mark.parametrize(
    ("program", "message"),
    [
        ("print('hello')", "the program wrote no log"),
        ("import sys\nsys.stdin.read()", "the program wrote no log"),
        (TWO_LOGS, "the program wrote 2 logs (logs/1.txt, logs/2.txt), and a run has one"),
        (TWO_RUNS, "its log all.txt holds 2 runs"),
        (f"print('{LINES}' + '{LINES}'.replace('9', '8'))", "its output holds 2 runs"),
    ],
)
def test_what_is_not_the_log_of_one_run_ends_the_campaign_at_the_first_run(run, program, message):
    result = run(program, "--seeds", "3")
    assert result.code == 2
    assert message in result.err
    assert result.err.count("\n") == 1
    assert events() == [(0, "started"), (0, "failed")]
    assert message in entries()[-1].reason


def test_the_same_log_again_is_not_a_second_run(run):
    result = run(printing(FINAL.format(4, "3.2", "55")), "--seeds", "3")
    assert result.code == 2
    assert "wrote the log of an earlier run again (seed-000.txt)" in result.err
    assert events() == [(0, "started"), (0, "finished"), (1, "started"), (1, "failed")]


def test_a_log_that_was_there_before_is_never_taken(run, work):
    for folder in (work, work / "logs"):
        folder.mkdir(exist_ok=True)
        (folder / "old.txt").write_text(FINAL.format(4, 3.1, 7) + "\n")
    result = run("print('hello')", "--seeds", "1")
    assert "the program wrote no log" in result.err
    assert (work / "old.txt").read_text() == (work / "logs" / "old.txt").read_text()


def test_status_0_without_a_final_validation_is_a_failed_run(run):
    program = printing(FINAL.format(0, 9, 0), "step:1/4 train_time:1{seed}ms step_avg:1ms")
    result = run(program, "--seed-env", "SEED", "--seeds", "2")
    assert result.code == 1
    assert [event for _, event in events()] == ["started", "failed"] * 2
    reason = (
        "exit status 0, and its log holds no result: it ends at step 1 of 4, "
        "without the final validation"
    )
    assert entries()[-1].reason == reason


def test_another_status_after_the_final_validation_is_a_finished_run_and_remarked(run):
    program = printing(FINAL.format(4, "3.2{seed}", "5{seed}"), status=7)
    run(program, "--seed-env", "SEED", "--seeds", "2")
    assert [event for _, event in events()] == ["started", "finished"] * 2
    assert entries()[-1].reason == "exit status 7 after the final validation"


def test_a_script_that_asks_for_input_does_not_hang_and_is_told_why(run):
    result = run("name = input('name? ')", "--seeds", "1")
    assert result.code == 1
    assert "the program asked for input, and its standard input is empty" in result.out
    assert "asked for input" in entries()[-1].reason


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--script", "missing.py"], "missing.py: the script does not exist"),
        (["--script", "data"], "data: the script is a folder"),
        (["--script", "/dev/null"], "is not a regular file"),
        (["--script", "train_gpt.py", "--gpus", "64"], "a run takes 64 GPUs, and nvidia-smi names"),
        (["--script", "train_gpt.py", "--gpus", "-1"], "--gpus is -1"),
        (["--script", "train_gpt.py", "--ranks", "0"], "--ranks is 0"),
        (["--script", "train_gpt.py", "--ranks", "2", "--gpus", "2"], "contradict each other"),
        (["--script", "train_gpt.py", "--seed-env", "A B"], "--seed-env is 'A B'"),
        (["--script", "train_gpt.py", "--seed-arg", "seed"], "--seed-arg is 'seed'"),
        (["--script", "train_gpt.py", "--seed-env", "S", "--seed-arg=-s"], "are both given"),
        (["--script", "train_gpt.py", "--recipe", "tiny"], "--recipe (tiny) belongs to recipes"),
        (["--script", "train_gpt.py", "--seeds", "0"], "--seeds is 0"),
        (["--script", "train_gpt.py", "--track", "x"], "no track is called 'x'"),
        (["--seed-env", "SEED"], "--seed-env (SEED) belongs to a script"),
        (["--", "--lr"], "belongs to a script"),
    ],
)
def test_a_call_that_cannot_be_met_is_one_line_and_leaves_nothing_behind(
    cli, work, options, message
):
    before = sorted(path.name for path in work.iterdir())
    result = cli("run", "--out", "record", *options)
    assert result.code == 2
    assert message in result.err
    assert result.err.count("\n") == 1
    assert sorted(path.name for path in work.iterdir()) == before


def test_a_missing_torch_is_named_before_anything_is_made(cli, work, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    result = cli("run", "--script", "train_gpt.py", "--ranks", "2", "--out", "record")
    assert result.code == 2
    assert "torchrun needs PyTorch, which is not installed" in result.err
    assert not (work / "record").exists()


def test_resume_repeats_no_finished_run_and_needs_no_script_any_more(run, cli, work):
    crash = "import os\nif os.environ['SEED'] == '1' and not os.path.exists('data/ok'): 1 / 0\n"
    program = crash + printing(FINAL.format(4, "3.2{seed}", "5{seed}"))
    assert run(program, "--seed-env", "SEED", "--seeds", "3").code == 1
    (work / "data" / "ok").touch()
    (work / "train.py").unlink()
    result = cli("run", "--resume", "--out", "record")
    assert "finished before: seeds 0, 2" in result.out
    assert losses() == [3.2, 3.21, 3.22]
    assert events()[-2:] == [(1, "started"), (1, "finished")]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda record: (record / "program" / "train.py").write_text("1"), "is not the one that"),
        (lambda record: shutil.rmtree(record / "program"), "cannot be read"),
    ],
)
def test_a_changed_program_is_not_resumed(run, cli, work, change, message):
    run(printing(FINAL.format(4, "3.2{seed}", "5{seed}")), "--seed-env", "SEED", "--seeds", "2")
    change(work / "record")
    result = cli("run", "--resume", "--out", "record")
    assert result.code == 2
    assert message in result.err


@pytest.mark.parametrize("option", [["--seeds", "1"], ["--seed-env", "S"], ["--", "--lr"]])
def test_a_plan_does_not_change_on_resume(run, cli, option):
    run(printing(FINAL.format(4, "3.2{seed}", "5{seed}")), "--seed-env", "SEED", "--seeds", "2")
    assert cli("run", "--resume", "--out", "record", *option).code == 2


def test_ctrl_c_abandons_the_run_keeps_what_it_printed_and_removes_its_folder(work, tmp_path):
    (work / "slow.py").write_text(
        "import os, time\nopen('data/cwd', 'w').write(os.getcwd())\n"
        "print('step:0/4 val_loss:9.0 train_time:0ms step_avg:0ms', flush=True)\n"
        "open('data/ready', 'w').close()\ntime.sleep(600)\n"
    )
    command = ("run", "--script", "slow.py", "--gpus", "0", "--seeds", "1", "--out", "record")
    child = subprocess.Popen(
        (sys.executable, "-m", "speedcheck", *command), stderr=subprocess.PIPE, text=True
    )
    while not (work / "data" / "ready").exists():
        assert child.poll() is None
        time.sleep(0.02)
    child.send_signal(signal.SIGINT)
    _, errors = child.communicate(timeout=60)
    assert child.returncode == 130
    assert "speedcheck run --resume --out record" in errors
    assert events() == [(0, "started"), (0, "abandoned")]
    assert "step:0/4" in (work / "record" / "logs" / "seed-000.txt").read_text()
    assert not Path((work / "data" / "cwd").read_text()).exists()
    assert (work / "data" / "shift.txt").exists()


def test_a_script_can_run_until_it_is_certified(run):
    program = printing(FINAL.format(4, "3.2{seed}", "5{seed}"))
    result = run(program, "--seed-env", "SEED", "--until-certified", "--max-seeds", "32")
    assert result.code == 0, result.err
    assert "at most 32 runs" in result.out
    assert 4 < len(losses()) < 32
    both = run(program, "--until-certified", "--seeds", "3")
    assert both.code == 2
    assert "give --max-seeds instead of --seeds" in both.err


@pytest.mark.slow
def test_a_script_of_two_gloo_ranks_runs_under_torchrun(cli, work):
    options = ("--ranks", "2", "--seed-env", "SEED", "--seeds", "2", "--out", "record")
    result = cli("run", "--script", "train_gpt.py", *options)
    assert result.code in (0, 1), result.err
    # The sum over both ranks, 1 + 2, went into the loss: both were there.
    assert losses() == pytest.approx([5.2] * 2, abs=0.01)
    argv = next(entry.details["argv"] for entry in entries() if entry.event == "started")
    assert argv[:5] == [
        "python",
        "-m",
        "torch.distributed.run",
        "--standalone",
        "--nproc-per-node=2",
    ]


def test_a_record_without_its_ledger_is_not_resumed_and_nothing_is_written(run, cli):
    run(PUBLIC, "--seed-env", "SEED", "--seeds", "2")
    Path("record/ledger.jsonl").unlink()
    before = sorted(Path("record").rglob("*"))
    result = cli("run", "--resume", "--out", "record")
    assert (result.code, result.err.count("\n")) == (2, 1)
    assert "record/ledger.jsonl: the ledger is missing; restore it" in result.err
    assert sorted(Path("record").rglob("*")) == before


@pytest.mark.parametrize(
    "program",
    [
        printing(FINAL.format(4, "3.2{seed}", "5{seed}")),
        f"open('train.log', 'w').write('{LINES}')",
    ],
    ids=["prints", "writes"],
)
def test_a_file_put_in_the_place_of_the_log_is_not_the_runs_and_stays(run, work, program):
    """It is moved over the log while the program trains, which goes on into the first file."""
    (work / "other.log").write_text(FINAL.format(4, "1.0", "9") + "\n")
    log = work / "record/logs/seed-000.txt"
    place = f"import os\nos.replace({str(work / 'other.log')!r}, {str(log)!r})\n"
    result = run(place + program, "--seed-env", "SEED", "--seeds", "1")
    assert "seed-000.txt was not written by this run" in result.out
    assert "val_loss:1.0 " in (work / "record/logs/seed-000.txt").read_text()
    assert (0, "failed") in events()


SEQUENTIAL = ("--seed-env", "SEED", "--until-certified", "--max-seeds", "4")
BAD = printing(FINAL.format(4, "9.{seed}", "5{seed}"))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--seeds", "6"), "give --max-seeds instead of --seeds"),
        (("--max-seeds", "2"), "4 runs were planned, not 2"),
    ],
)
def test_a_sequential_plan_is_continued_as_one(run, cli, options, words):
    run(BAD, *SEQUENTIAL)
    before = Path("record/ledger.jsonl").read_bytes()
    result = cli("run", "--resume", "--out", "record", *options)
    assert (result.code, result.err.count("\n")) == (2, 1)
    assert words in result.err
    assert Path("record/ledger.jsonl").read_bytes() == before


def test_a_sequential_plan_can_grow(run, cli):
    run(BAD, *SEQUENTIAL)
    cli("run", "--resume", "--out", "record", "--max-seeds", "5")
    assert (4, "finished") in events()


def test_what_cannot_change_on_resume_is_named(run, cli):
    run(BAD, "--seed-env", "SEED", "--seeds", "1")
    result = cli("run", "--resume", "--out", "record", "--seed-env", "SEED")
    assert result.code == 2
    assert "--seed-env cannot change when a record is resumed; leave it out" in result.err


def test_a_script_that_was_changed_since_is_said_on_resume(run, cli, work):
    run("import sys\nsys.exit(3)\n", "--seeds", "1")
    assert "was changed since" not in cli("run", "--resume", "--out", "record").out
    (work / "train.py").write_text(BAD)
    out = cli("run", "--resume", "--out", "record").out
    assert "train.py was changed since; the record runs its copy, record/program/train.py" in out


def test_runs_that_all_failed_are_no_losses_in_record_toml(run):
    out = run("import sys\nsys.exit(3)\n", "--seeds", "2").out
    assert "P002 run-missing" in out
    assert "next: start another record if the script is at fault; if not, finish" in out
    assert "P003" not in out


def test_runs_that_the_ledger_calls_failed_are_not_called_declared(run):
    out = " ".join(run(printing(FINAL.format(2, "4.1", "9")), "--seeds", "2").out.split())
    assert "2 runs ended without a result: logs/seed-000.txt, logs/seed-001.txt" in out
    assert "declared as crashed" not in out


def test_equal_failures_are_told_once_whatever_their_scratch_folders_are(run):
    program = "import pathlib\nopen(pathlib.Path('missing.bin').absolute())\n"
    out = " ".join(run(program, "--seeds", "2").out.split())
    assert "2 seeds (0 to 1): each was planned and failed" in out
    assert "No such file or directory: 'missing.bin'" in out


def test_status_reads_the_log_of_a_script_while_it_runs(run, work):
    from speedcheck.run.progress.campaign_status import read_status

    program = printing(FINAL.format(0, 9, 0), FINAL.format(2, 5, 9), FINAL.format(4, 3, 20))
    run(program, "--seeds", "1")
    ledger = Path("record/ledger.jsonl")
    lines = ledger.read_bytes().splitlines(keepends=True)
    ledger.write_bytes(b"".join(lines[:-1]))
    log = Path("record/logs/seed-000.txt")
    log.write_text("".join(log.read_text().splitlines(keepends=True)[:-1]))
    (under_way,) = read_status(Path("record")).under_way
    assert (under_way.step, under_way.steps, under_way.loss) == (2, 4, 5.0)


@pytest.mark.parametrize("output", ["closed", "full"])
def test_runs_go_on_when_nobody_reads_what_is_printed(work, output):
    (work / "train.py").write_text(printing(FINAL.format(4, "3.2{seed}", "5{seed}")))
    command = [
        "run",
        "--script",
        "train.py",
        "--gpus",
        "0",
        "--seed-env",
        "SEED",
        "--seeds",
        "3",
        "--out",
        "record",
    ]
    with (
        Path("/dev/full").open("wb") as full,
        subprocess.Popen(
            [sys.executable, "-m", "speedcheck", *command],
            stdout=full if output == "full" else subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process,
    ):
        if process.stdout:
            process.stdout.close()
        err = process.stderr.read()
        assert process.wait(120) == 0, err
    assert err.count("\n") == 1
    assert "speedcheck: note: standard output" in err
    assert "the runs go on" in err
    assert losses() == [3.20, 3.21, 3.22]
