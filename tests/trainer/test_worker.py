"""A worker trains seed after seed, each as a process of its own would."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from trainer import __main__ as command
from trainer.config import RECIPES, Recipe
from trainer.data.sources import find_data
from trainer.errors import TrainerError
from trainer.run import run_seed
from trainer.worker import Job, parse_job, read_lines, work

ROOT = Path(__file__).resolve().parents[2]
# What two runs of one seed need not share: when and how fast they ran, and in which process.
OWN = re.compile(
    r"^(started|worker|argv|environment|compile_cache|gpus): .*\n"
    r"|(?<=train_time:).*$|^peak memory .*$|^[|+ ].*\n|^\w{3} \w{3} .*\n",
    re.MULTILINE,
)


def comparable(log: Path) -> str:
    """Everything that a run's log says but its times, its process and what nvidia-smi shows."""
    return OWN.sub("", log.read_text())


def header_value(log: Path, key: str) -> dict[str, object]:
    return json.loads(re.search(rf"^{key}: (.*)$", log.read_text(), re.MULTILINE)[1])


def worker_line(log: Path) -> dict[str, object]:
    return header_value(log, "worker")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    assert command.main(["--recipe", "tiny", "--prepare", "--data-dir", str(folder)]) == 0
    return folder


def work_off(recipe: Recipe, data: Path, folder: Path, seeds: list[int]) -> list[dict]:
    """Let a worker in this process train the seeds; return its answers."""
    read, write = os.pipe()
    taken, given = os.pipe()
    jobs = [json.dumps({"seed": seed, "log": str(folder / f"{seed}.txt")}) for seed in seeds]
    os.write(write, "\n".join(jobs).encode())
    os.close(write)
    try:
        assert work(recipe, find_data(recipe, data), jobs=read, answers=given) == 0
    finally:
        os.close(given)
        os.close(read)
    with os.fdopen(taken) as answers:
        return [json.loads(line) for line in answers]


def test_each_seed_of_a_worker_has_the_log_of_a_run_of_its_own(
    mini: Recipe, data: Path, tmp_path: Path
) -> None:
    answers = work_off(mini, data, tmp_path, [1, 0])
    assert [(answer["seed"], answer["status"]) for answer in answers] == [(1, 0), (0, 0)]
    for seed in (0, 1):
        run_seed(mini, seed, find_data(mini, data), tmp_path / f"alone-{seed}.txt")
        assert comparable(tmp_path / f"{seed}.txt") == comparable(tmp_path / f"alone-{seed}.txt")
    assert comparable(tmp_path / "0.txt") != comparable(tmp_path / "1.txt")


def test_the_log_says_which_of_the_workers_runs_it_is(
    mini: Recipe, data: Path, tmp_path: Path
) -> None:
    work_off(mini, data, tmp_path, [5, 3])
    first, second = (worker_line(tmp_path / f"{seed}.txt") for seed in (5, 3))
    assert (first["order"], second["order"]) == (1, 2)
    assert first["id"] == second["id"]


def test_a_diverged_run_is_answered_and_leaves_nothing_to_the_next(
    mini: Recipe, data: Path, tmp_path: Path
) -> None:
    wild = replace(mini, optimizer=replace(mini.optimizer, muon_lr=1e38))
    answers = work_off(wild, data, tmp_path, [0, 1])
    assert [answer["status"] for answer in answers] == [3, 3]
    run_seed(wild, 1, find_data(wild, data), tmp_path / "alone.txt")
    assert "stopped:" in (tmp_path / "1.txt").read_text()
    assert comparable(tmp_path / "1.txt") == comparable(tmp_path / "alone.txt")


def test_a_log_that_exists_ends_the_worker_and_stays(
    mini: Recipe, data: Path, tmp_path: Path
) -> None:
    (tmp_path / "0.txt").write_text("precious")
    with pytest.raises(TrainerError, match="this log exists already"):
        work_off(mini, data, tmp_path, [0, 1])
    assert (tmp_path / "0.txt").read_text() == "precious"
    assert not (tmp_path / "1.txt").exists()


def test_a_job_is_its_seed_and_its_log() -> None:
    assert parse_job('{"seed": 18446744073709551615, "log": "a/b.txt"}') == Job(
        (1 << 64) - 1, Path("a/b.txt")
    )


@pytest.mark.parametrize(
    "line",
    [
        "",
        "seed 3",
        "3",
        "[]",
        '{"seed": 3}',
        '{"log": "a"}',
        '{"seed": "3", "log": "a"}',
        '{"seed": true, "log": "a"}',
        '{"seed": -1, "log": "a"}',
        '{"seed": 18446744073709551616, "log": "a"}',
        '{"seed": 3, "log": null}',
    ],
)
def test_what_is_not_a_job_is_refused_with_an_example(line: str) -> None:
    with pytest.raises(TrainerError, match=r'standard input: .* is not a job; .*"seed": 3'):
        parse_job(line)


def test_lines_come_whole_whatever_the_pieces_and_a_silence_is_told() -> None:
    read, write = os.pipe()
    lines = read_lines(read, patience=0.0)
    assert next(lines) is None
    os.write(write, b"one\ntw")
    assert next(lines) == "one"
    assert next(lines) is None
    os.write(write, b"o\n\nthree")
    assert next(lines) == "two"
    os.close(write)
    assert list(lines) == ["three"]
    os.close(read)


def run_process(
    what: str, data: Path, *options: str, jobs: str = "", ranks: int = 1
) -> subprocess.CompletedProcess[str]:
    """Start a command of the trainer, under torchrun for several ranks."""
    torchrun = ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={ranks}"]
    start = [*(torchrun if ranks > 1 else ()), "-m", "trainer", what, "--data-dir", str(data)]
    return subprocess.run(
        [sys.executable, *start, *options],
        input=jobs,
        env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=True,
        timeout=600,
    )


def check_that_processes_agree(recipe: list[str], data: Path, folder: Path, ranks: int) -> None:
    """Train seeds 0 and 1 by a worker, and 1 by a process of its own."""
    jobs = [json.dumps({"seed": seed, "log": str(folder / f"{seed}.txt")}) for seed in (0, 1)]
    done = run_process("worker", data, *recipe, jobs="\n".join(jobs), ranks=ranks)
    answers = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    assert [(answer["seed"], answer["status"]) for answer in answers] == [(0, 0), (1, 0)]
    own = ["--seed", "1", "--log-dir", str(folder), "--log-name", "alone.txt"]
    run_process("train", data, *recipe, *own, ranks=ranks)
    assert worker_line(folder / "1.txt")["order"] == 2
    assert comparable(folder / "1.txt") == comparable(folder / "alone.txt")
    environments = [header_value(folder / name, "environment") for name in ("1.txt", "alone.txt")]
    assert environments[0] == environments[1]
    words = header_value(folder / "alone.txt", "argv")
    assert words[words.index("trainer") :][:2] == ["trainer", "train"]


@pytest.mark.slow
@pytest.mark.parametrize("ranks", [1, 2])
def test_tinys_second_run_is_that_of_a_fresh_process_digit_for_digit(
    data: Path, tmp_path: Path, ranks: int
) -> None:
    steps = RECIPES["tiny"].schedule.steps if ranks == 1 else 20
    check_that_processes_agree(["--recipe", "tiny", "--steps", str(steps)], data, tmp_path, ranks)


@pytest.mark.gpu
@pytest.mark.parametrize("ranks", [1, 2])
def test_sub3s_second_run_is_that_of_a_fresh_process_digit_for_digit(
    tmp_path: Path, ranks: int
) -> None:
    if torch.cuda.device_count() < ranks:
        pytest.skip(f"needs {ranks} GPUs")
    shards = tmp_path / "shards"
    synth = ["-m", "trainer.data.fineweb", "synth", "--data-dir", str(shards), "--shards", "1"]
    sizes = ["--tokens", "6000000", "--val-tokens", "11000000"]
    subprocess.run([sys.executable, *synth, *sizes], cwd=ROOT, check=True)
    check_that_processes_agree(["--recipe", "sub3", "--steps", "10"], shards, tmp_path, ranks)
