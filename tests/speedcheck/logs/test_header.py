"""The header lines of the bundled trainer, as docs/log-format.md writes them."""

from __future__ import annotations

import pytest

from speedcheck.logs import parse_log

LINE = "=" * 100 + "\n"
RUNNING = "Running Python 3.11.7 (main)\nRunning PyTorch 2.13.0+cpu compiled for CPU\n"
HEADER = {
    "speedcheck_log": "1",
    "seed": "3",
    "recipe": '"tiny"',
    "config": '{"depth": 6, "lr": 0.01}',
    "source_sha256": '"9f86d0"',
    "git": '{"clean": true, "commit": "4b825d"}',
    "data": '{"train": [{"file": "a", "sha256": "00", "tokens": 9}], "val": [], "val_tokens": 8}',
    "timing": '"every training step is timed"',
    "host": '{"cores": 2, "cpu": "x", "id": "5f0c1e2d3a4b", "os": "Linux"}',
    "gpus": "[]",
    "argv": '["python", "-m", "trainer"]',
    "environment": '{"CUDA_VISIBLE_DEVICES": "0"}',
    "compile_cache": '"cold"',
    "world": '{"device": "cpu", "ranks": 1, "threads": 1}',
    "started": '"2026-11-21T18:30:00Z"',
}
H200 = '{"driver": "550.127.05", "name": "NVIDIA H200"}'
GPUS = f"[{H200}, {H200}]"


def parse(**changes: str):
    header = "".join(f"{key}: {value}\n" for key, value in (HEADER | changes).items())
    text = "import os\n" + LINE + RUNNING + header + LINE + "step:9/9 val_loss:3.2 train_time:9ms\n"
    return parse_log(text.encode(), "seed-003.txt")


def test_every_key_of_the_format_is_read():
    log = parse()
    header = log.runs[0].header
    assert header is not None
    assert (header.seed, header.recipe, header.config) == (3, "tiny", {"depth": 6, "lr": 0.01})
    assert (header.source_sha256, header.git_commit, header.git_clean) == ("9f86d0", "4b825d", True)
    assert header.data is not None
    assert header.data["val_tokens"] == 8
    assert header.timing == "every training step is timed"
    assert header.host is not None
    assert header.host["id"] == "5f0c1e2d3a4b"
    assert (header.gpus, header.device, header.ranks, header.threads) == ((), "cpu", 1, 1)
    assert header.argv == ("python", "-m", "trainer")
    assert (header.variables, header.compile_cache) == ({"CUDA_VISIBLE_DEVICES": "0"}, "cold")
    assert header.started == "2026-11-21T18:30:00Z"
    assert log.problems == ()


def test_a_run_on_cpu_uses_no_gpu_and_one_on_cuda_as_many_as_it_has_ranks():
    cpu = parse(gpus=GPUS).runs[0].environment
    assert (cpu.gpu, cpu.gpu_names, cpu.n_gpus, cpu.torch) == (None, (), 0, "2.13.0+cpu")
    cuda = (
        parse(gpus=GPUS, world='{"device": "cuda", "ranks": 1, "threads": 8}').runs[0].environment
    )
    assert (cuda.gpu, cuda.n_gpus, cuda.driver) == ("NVIDIA H200", 1, "550.127.05")
    assert cuda.gpu_names == ("NVIDIA H200", "NVIDIA H200")


def test_unknown_keys_are_skipped_and_null_means_no_repository():
    log = parse(git="null", colour='"blue"')
    header = log.runs[0].header
    assert header is not None
    assert (header.git_commit, header.git_clean, log.problems) == (None, None, ())


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("config", '{"depth": 6'),
        ("config", "[" * 100_000),
        ("config", '{"lr": NaN}'),
        ("config", '{"lr": 1e400}'),
        ("config", "3"),
        ("seed", '"three"'),
        ("seed", "true"),
        ("seed", "9" * 5000),
        ("recipe", "tiny"),
        ("gpus", '[{"name": 3}]'),
        ("gpus", '["NVIDIA H200"]'),
        ("git", '{"commit": 3}'),
        ("argv", '"python"'),
        ("argv", "[1]"),
        ("environment", '{"CUDA_VISIBLE_DEVICES": 0}'),
        ("environment", '"none"'),
        ("environment", "null"),
        ("compile_cache", '"tepid"'),
        ("world", '{"device": "cuda", "ranks": "8", "threads": 1}'),
    ],
)
def test_a_value_that_is_not_as_the_format_says_is_a_problem_of_its_line(key, value):
    log = parse(**{key: value})
    (run,) = log.runs
    assert run.val_loss == 3.2
    line = 1 + "import os\n".count("\n") + 1 + RUNNING.count("\n") + list(HEADER).index(key)
    assert [problem.line for problem in log.problems] == [line]
    assert f"header key {key!r}" in log.problems[0].message
    assert len(log.problems[0].message) < 200


def test_a_header_of_another_version_is_said_and_not_read():
    log = parse(speedcheck_log="2")
    assert log.runs[0].header is None
    assert [problem.message for problem in log.problems] == [
        "header version is not 1; this header is not read"
    ]


def test_the_reason_for_stopping_that_is_no_json_is_a_problem():
    log = parse_log(b"step:1/9 train_loss:nan train_time:1ms\nstopped: because\n", "a.txt")
    assert [run.stopped for run in log.runs] == [None]
    assert [problem.line for problem in log.problems] == [2]
