"""`speedcheck doctor`: what is missing, and what mends it."""

from __future__ import annotations

import json
import subprocess

import pytest

from speedcheck import cli
from speedcheck.run import machine_check

READY = {
    "torch": {"version": "2.11.0", "cuda": "12.8", "gpus": ["NVIDIA H100"] * 8},
    "device": None,
    "data": None,
    "data_dir": "/data",
    "data_free_gib": 500.0,
    "kernel_cache": {"folder": "/cache", "kernels": 60, "writable": True},
}


@pytest.fixture
def diagnose(monkeypatch, capsys):
    """Let the trainer find what a test says, and return status and output of the command."""

    def run(**found):
        answer = json.dumps(READY | found)

        def fake(command, **options):
            is_survey = "survey" in command
            return subprocess.CompletedProcess(command, 0, answer if is_survey else "550.1\n", "")

        monkeypatch.setattr(machine_check.subprocess, "run", fake)
        code = cli.main(["doctor"])
        return code, capsys.readouterr().out

    return run


def test_a_ready_machine_exits_with_0(diagnose):
    code, out = diagnose()
    assert code == 0
    assert "8 x NVIDIA H100" in out
    assert "/cache: 60 compiled" in out
    assert out.endswith("sub3 can be trained\n")


@pytest.mark.parametrize(
    ("found", "name", "remedy"),
    [
        (
            {"device": "recipe sub3 needs a CUDA GPU, none is here; train on the CPU with: x"},
            "GPUs",
            "train on the CPU with: x",
        ),
        (
            {"data": "/data/a.bin: the shard is missing; get it with: speedcheck data fetch"},
            "data",
            "get it with: speedcheck data fetch",
        ),
        (
            {"kernel_cache": {"folder": "/cache", "kernels": 0, "writable": False}},
            "kernels",
            "export TRITON_CACHE_DIR=",
        ),
    ],
)
def test_what_is_missing_exits_with_1_and_has_a_remedy_below(diagnose, found, name, remedy):
    code, out = diagnose(**found)
    assert code == 1
    lines = out.splitlines()
    (index,) = (i for i, line in enumerate(lines) if line.startswith(" missing"))
    assert lines[index].split()[1] == name
    assert lines[index + 1].strip().startswith(remedy)
    assert lines[-1] == f"missing for sub3: {name}"


def test_a_full_disk_is_missing_space(diagnose, monkeypatch):
    usage = machine_check.shutil.disk_usage("/")._replace(free=1 << 20)
    monkeypatch.setattr(machine_check.shutil, "disk_usage", lambda path: usage)
    code, out = diagnose()
    assert code == 1
    assert "free 1 GiB there" in out


def test_without_pytorch_the_extra_is_named(monkeypatch, capsys):
    monkeypatch.setattr(machine_check.importlib.util, "find_spec", lambda name: None)
    assert cli.main(["doctor", "--recipe", "tiny"]) == 1
    assert "pip install 'speedcheck[train]'" in capsys.readouterr().out


def test_without_git_or_slurm_training_goes_on(diagnose, monkeypatch):
    monkeypatch.setattr(machine_check.shutil, "which", lambda name: None)
    code, out = diagnose()
    assert code == 0
    assert out.count(" note ") == 3  # and the driver


def test_an_unknown_recipe_is_one_line(capsys):
    assert cli.main(["doctor", "--recipe", "huge"]) == 2
    assert "there is no recipe 'huge'; choose one of sub3, tiny" in capsys.readouterr().err


def test_a_trainer_that_cannot_start_is_named_by_its_last_words(monkeypatch, capsys):
    def broken(command, **options):
        return subprocess.CompletedProcess(command, 1, "", "Traceback\nImportError: libcudart\n")

    monkeypatch.setattr(machine_check.subprocess, "run", broken)
    assert cli.main(["doctor"]) == 1
    assert "the trainer cannot start (ImportError: libcudart)" in capsys.readouterr().out
