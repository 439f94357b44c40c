from __future__ import annotations

import json
import os
import re
import resource
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from trainer import __main__ as command
from trainer.config import RECIPES, Recipe
from trainer.runtime.conditions import VARIABLES

ROOT = Path(__file__).resolve().parents[2]
RULE = "=" * 100 + "\n"


def environment(data: Path) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT), "SPEEDCHECK_DATA": str(data)}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the corpus in it."""
    folder = tmp_path_factory.mktemp("data")
    assert command.main(["--recipe", "tiny", "--prepare", "--data-dir", str(folder)]) == 0
    return folder


@pytest.fixture
def quick(mini: Recipe, monkeypatch: pytest.MonkeyPatch) -> Recipe:
    """Put a recipe of 5 small steps in tiny's place."""
    monkeypatch.setitem(RECIPES, "tiny", mini)
    return mini


def run(data: Path, logs: Path, *options: str) -> int:
    return command.main(
        [
            "--recipe",
            "tiny",
            "--seed",
            "3",
            "--data-dir",
            str(data),
            "--log-dir",
            str(logs),
            *options,
        ]
    )


@pytest.mark.usefixtures("quick")
def test_a_run_writes_a_complete_log_in_three_parts(data: Path, tmp_path: Path) -> None:
    assert run(data, tmp_path) == 0
    program, facts, steps = (tmp_path / "seed-003.txt").read_text().split(RULE)
    assert program.startswith("# file: trainer/__init__.py\n")
    versions, header = facts.splitlines()[:2], facts.splitlines()[2:]
    assert versions[0].startswith("Running Python 3.")
    assert re.fullmatch(r"Running PyTorch \S+ compiled for .+", versions[1])
    # On a GPU machine the text of nvidia-smi follows.
    keyed = [line.partition(": ") for line in header if re.match(r"[a-z_0-9]+: ", line)]
    values = {key: json.loads(text) for key, _, text in keyed}
    assert list(values)[:5] == ["speedcheck_log", "seed", "recipe", "config", "source_sha256"]
    assert values["seed"] == 3
    assert values["config"]["model"]["windows"] == "long-short"
    assert values["data"]["val_tokens"] == 128
    assert values["data"]["train"][0]["tokens"] > 0
    assert values["world"] == {"device": "cpu", "ranks": 1, "threads": 1}
    lines = steps.splitlines()
    pattern = r"step:\d/5 (train|val)_loss:\d\.\d{6} train_time:\d+ms step_avg:\d+\.\d\dms"
    assert all(re.fullmatch(pattern, line) for line in lines[:-1])
    assert re.fullmatch(r"peak memory allocated: \d+ MiB reserved: \d+ MiB", lines[-1])
    assert [line for line in lines if line.startswith("step:5/5 val_loss:")] == [lines[-2]]


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize(
    ("set_for_it", "said"),
    [
        ({"HF_TOKEN": "secret", "MY_CUDA_KEY": "secret"}, {}),
        (
            {"TORCHINDUCTOR_MAX_AUTOTUNE": "1", "NCCL_X": "a\nb", "HF_TOKEN": "secret"},
            {"TORCHINDUCTOR_MAX_AUTOTUNE": "1", "NCCL_X": "a\nb"},
        ),
    ],
)
def test_the_log_says_the_variables_that_can_change_a_run_and_no_others(
    data: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    set_for_it: dict[str, str],
    said: dict[str, str],
) -> None:
    for name in [name for name in os.environ if VARIABLES.match(name)]:
        monkeypatch.delenv(name)
    for name, value in set_for_it.items():
        monkeypatch.setenv(name, value)
    assert run(data, tmp_path) == 0
    log = (tmp_path / "seed-003.txt").read_text()
    assert json.loads(re.search(r"^environment: (.*)$", log, re.MULTILINE)[1]) == said
    assert "secret" not in log.split(RULE)[1]


@pytest.mark.usefixtures("quick")
def test_the_source_digest_is_that_of_the_logs_first_part(data: Path, tmp_path: Path) -> None:
    import hashlib

    assert run(data, tmp_path) == 0
    whole = (tmp_path / "seed-003.txt").read_bytes()
    program = whole[: whole.index(RULE.encode())]
    expected = f'source_sha256: "{hashlib.sha256(program).hexdigest()}"\n'
    assert expected.encode() in whole


@pytest.mark.usefixtures("quick")
def test_the_log_takes_the_name_and_says_the_windows_that_were_asked_for(
    data: Path, tmp_path: Path
) -> None:
    assert run(data, tmp_path, "--log-name", "x.log", "--windows", "all-short") == 0
    assert '"windows": "all-short"' in (tmp_path / "x.log").read_text()


@pytest.mark.usefixtures("quick")
def test_the_log_says_the_steps_and_the_sequences_that_were_asked_for(
    data: Path, tmp_path: Path
) -> None:
    options = ("--steps", "3", "--sequences-per-step", "6", "--sequence-length", "64")
    assert run(data, tmp_path, *options) == 0
    log = (tmp_path / "seed-003.txt").read_text()
    config = json.loads(re.search(r"^config: (.*)$", log, re.MULTILINE)[1])
    assert config["schedule"]["steps"] == 3
    assert (config["data"]["sequences_per_step"], config["data"]["sequence_length"]) == (6, 64)
    assert re.search(r"^step:3/3 val_loss:", log, re.MULTILINE)


def test_a_diverged_run_ends_with_status_3_and_says_where(
    data: Path, tmp_path: Path, quick: Recipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    wild = replace(quick, optimizer=replace(quick.optimizer, muon_lr=1e38))
    monkeypatch.setitem(RECIPES, "tiny", wild)
    assert run(data, tmp_path) == 3
    last, stopped = (tmp_path / "seed-003.txt").read_text().splitlines()[-2:]
    found = re.match(r"step:(\d+)/5 (?:train|val)_loss:(nan|inf|-inf) ", last)
    assert found
    assert stopped == f'stopped: "loss is not a finite number at step {found[1]}"'


def one_line(captured: pytest.CaptureResult[str]) -> str:
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    assert captured.err.startswith("trainer: ")
    return captured.err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "--recipe"),
        (["--recipe", "huge", "--prepare"], "invalid choice: 'huge'"),
        (["--recipe", "tiny"], "a run needs --seed and --log-dir"),
        (["--recipe", "tiny", "--seed", "-1", "--log-dir", "x"], "--seed"),
        (["--recipe", "tiny", "--seed", "1.5", "--log-dir", "x"], "'1.5' is not a whole number"),
        (["--recipe", "tiny", "--seed", "9" * 30, "--log-dir", "x"], "is not a whole number"),
        (["--recipe", "tiny", "--windows", "none", "--prepare"], "invalid choice: 'none'"),
        (["--recipe", "tiny", "--steps", "0", "--prepare"], "steps 0 is not positive"),
        (
            ["--recipe", "tiny", "--sequences-per-step", "0", "--prepare"],
            "sequences_per_step 0 is not positive",
        ),
        (["--recipe", "sub3", "--prepare"], "speedcheck run --recipe tiny"),
    ],
)
def test_a_call_that_cannot_be_used_is_one_line_and_status_2(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command.main(arguments) == 2
    assert message in one_line(capsys.readouterr())


@pytest.mark.usefixtures("quick")
def test_an_existing_log_is_refused(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "seed-003.txt").write_text("precious")
    assert run(data, tmp_path) == 2
    assert "seed-003.txt: this log exists already" in one_line(capsys.readouterr())
    assert (tmp_path / "seed-003.txt").read_text() == "precious"


@pytest.mark.usefixtures("quick")
def test_a_number_of_ranks_that_does_not_divide_the_step_leaves_no_log(
    data: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("WORLD_SIZE", "3")
    assert run(data, tmp_path / "logs") == 2
    assert "3 ranks cannot share the 4 sequences" in one_line(capsys.readouterr())
    assert not (tmp_path / "logs").exists()


def test_a_run_longer_than_its_data_is_refused_before_it_starts(
    data: Path,
    tmp_path: Path,
    quick: Recipe,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    long = replace(quick, schedule=replace(quick.schedule, steps=100_000))
    monkeypatch.setitem(RECIPES, "tiny", long)
    assert run(data, tmp_path / "logs") == 2
    assert "the run needs 100000" in one_line(capsys.readouterr())
    assert not (tmp_path / "logs").exists()


@pytest.mark.usefixtures("quick")
def test_the_log_says_how_many_runs_share_the_gpus(data: Path, tmp_path: Path) -> None:
    assert run(data, tmp_path, "--side-by-side", "4") == 0
    assert "\nside_by_side: 4\n" in (tmp_path / "seed-003.txt").read_text()
    assert run(data, tmp_path, "--log-name", "alone.txt") == 0
    assert "\nside_by_side" not in (tmp_path / "alone.txt").read_text()


def test_a_recipe_for_the_cpu_shares_no_gpus(
    data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--recipe", "tiny", "--prepare", "--gpus", "2", "--data-dir", str(data)]
    assert command.main(options) == 2
    assert "--gpus-per-run: recipe tiny trains on the CPU" in one_line(capsys.readouterr())


def test_preparing_prints_the_plan_and_needs_no_torch(data: Path) -> None:
    program = (
        "import sys; from trainer.__main__ import main; "
        "status = main(['--recipe', 'tiny', '--prepare']); "
        "sys.exit(status or 'torch' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=environment(data),
        capture_output=True,
        text=True,
        check=True,
    )
    plan = json.loads(done.stdout)
    assert done.stdout.count("\n") == 1
    assert plan.pop("memory_mib") > 100
    assert plan.pop("timeout_s") > 60
    assert plan == {
        "device": "cpu",
        "gpus": 0,
        "ranks": 1,
        "recipe": "tiny",
        "steps": RECIPES["tiny"].schedule.steps,
        "threads": 1,
    }


def start(data: Path, logs: Path, **options: object) -> subprocess.Popen[str]:
    arguments = ["--recipe", "tiny", "--seed", "0", "--log-dir", str(logs)]
    return subprocess.Popen(
        [sys.executable, "-m", "trainer", *arguments],
        env=environment(data),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **options,  # type: ignore[call-overload]
    )


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_a_run_at_once_quietly_and_leaves_its_log(
    data: Path, tmp_path: Path, number: signal.Signals
) -> None:
    log = tmp_path / "seed-000.txt"
    with start(data, tmp_path) as process:
        deadline = time.monotonic() + 60
        while not (log.exists() and "\nstep:3/" in log.read_text()):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        process.send_signal(number)
        out, err = process.communicate(timeout=5)
    assert process.returncode == 128 + number
    assert (out, err) == ("", "trainer writes seed-000.txt\n")
    assert log.read_text().endswith("ms\n")


@pytest.mark.slow
def test_a_disk_that_fills_up_is_one_line_and_status_2(data: Path, tmp_path: Path) -> None:
    def allow_8_kib_a_file() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (8192, 8192))

    with start(data, tmp_path, preexec_fn=allow_8_kib_a_file) as process:
        _, err = process.communicate(timeout=60)
    assert process.returncode == 2
    made, refused = err.splitlines()
    assert made == "trainer writes seed-000.txt"
    assert "seed-000.txt: the log cannot be written (File too large)" in refused


def test_a_machine_that_only_prepares_needs_the_data_and_no_gpu(tmp_path, capsys):
    options = ["--recipe", "sub3", "--prepare", "--elsewhere", "--data-dir", str(tmp_path)]
    assert command.main(options) == 2
    assert "GPU" not in capsys.readouterr().err


@pytest.mark.usefixtures("quick")
def test_a_run_says_that_the_log_is_its_own_once_it_has_made_it(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(data, tmp_path) == 0
    assert "trainer writes seed-003.txt\n" in capsys.readouterr().err
    assert run(data, tmp_path) == 2
    err = capsys.readouterr().err
    assert "this log exists already" in err
    assert "trainer writes" not in err


def test_a_change_that_the_recipe_does_not_allow_names_its_option(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert command.main(["--recipe", "tiny", "--prepare", "--sequence-length", "7"]) == 2
    err = capsys.readouterr().err
    assert err.startswith("trainer: --sequence-length: sequence_length 7 does not divide the 512")
    assert err.endswith("; choose another value, or leave it out\n")
