"""docs/log-format.md holds for both packages: what `trainer` writes, `speedcheck` reads."""

from __future__ import annotations

import json
import math
import re
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from speedcheck.logs import parse_log, parse_step_line, program_text
from speedcheck.program import read_program
from speedcheck.run.launchers import conditions as ledger_conditions
from speedcheck.run.launchers.trainer_process import _read_setup
from trainer.__main__ import plan
from trainer.config import RECIPES
from trainer.runtime import conditions as trainer_conditions
from trainer.runtime import log as trainer_log
from trainer.runtime import provenance

DOC = (Path(__file__).parents[1] / "docs/log-format.md").read_text()

GPU = provenance.Gpu(
    index=0,
    id="GPU-5f0c",
    name="NVIDIA H100 80GB HBM3",
    driver="550.127.05",
    power_limit_w=700,
    sm_clock_mhz=345,
    max_sm_clock_mhz=1980,
    memory_clock_mhz=None,
)
losses = st.floats(min_value=0, max_value=100)
times = st.floats(min_value=0, max_value=1e7)


@given(step=st.integers(0, 10**6), total=st.integers(1, 10**6), loss=losses, ms=times)
def test_every_step_line_comes_back_at_the_digits_it_prints(step, total, loss, ms):
    for kind in ("train", "val"):
        line = trainer_log.step_line(step, total, kind=kind, loss=loss, train_ms=ms)
        read = parse_step_line(line)
        assert (read.step, read.total) == (step, total)
        assert (read.val_loss if kind == "val" else read.train_loss) == float(f"{loss:.6f}")
        assert (read.train_loss if kind == "val" else read.val_loss) is None
        assert read.train_time_ms == float(f"{ms:.0f}")


def write_log(path: Path, steps: int, losses: list[float], **header: object) -> bytes:
    program = provenance.program_text()
    facts = {
        "speedcheck_log": 1,
        "seed": 3,
        "recipe": "tiny",
        "config": {"depth": 6},
        "source_sha256": provenance.sha256(program),
        "git": {"clean": False, "commit": "4b825dc642cb6eb9a060e54bf8d69288fbee4904"},
        "data": {"train": [], "val": [], "val_tokens": 16384},
        "timing": "every step",
        "host": provenance.host(),
        "gpus": [GPU],
        "argv": ["python", "-m", "trainer", "--recipe", "tiny"],
        "environment": {},
        "compile_cache": "cold",
        "world": {"device": "cpu", "ranks": 1, "threads": 1},
        "started": "2026-11-21T18:30:00Z",
        **header,
    }
    environment = [
        "Running Python 3.11.7 (main)",
        "Running PyTorch 2.13.0+cpu compiled for CPU",
        *(trainer_log.header_line(key, value) for key, value in facts.items()),
    ]
    with trainer_log.FileLog.create(path, steps) as log:
        log.header(program, environment)
        for step, loss in enumerate(losses):
            log.step(step, kind="train", loss=loss, train_ms=10.0 * step)
            log.step(step, kind="val", loss=loss, train_ms=10.0 * step)
            if not math.isfinite(loss):
                log.line(trainer_log.stopped_line(step))
                break
        else:
            log.line(trainer_log.memory_line(212, 240))
    return path.read_bytes()


def test_a_log_of_the_trainer_is_read_back_whole(tmp_path):
    data = write_log(tmp_path / "seed-003.txt", 2, [5.5, 3.25, 1.5])
    log = parse_log(data, "seed-003.txt")
    assert log.problems == ()
    (run,) = log.runs
    assert [v.loss for v in run.validations] == [5.5, 3.25, 1.5]
    assert (run.complete, run.diverged) == (True, False)
    assert (run.val_loss, run.train_time_ms, run.final_step, run.total_steps) == (1.5, 20.0, 2, 2)
    assert run.peak_memory_mib == 212
    assert (run.environment.torch, run.environment.python) == ("2.13.0+cpu", "3.11.7")
    header = run.header
    assert (header.seed, header.recipe, header.config) == (3, "tiny", {"depth": 6})
    assert header.git_clean is False
    assert header.data["val_tokens"] == 16384
    assert (header.device, header.ranks, header.threads) == ("cpu", 1, 1)
    assert header.gpus == (GPU,)
    assert header.argv == ("python", "-m", "trainer", "--recipe", "tiny")
    assert (header.variables, header.compile_cache) == ({}, "cold")


@settings(max_examples=20)
@given(
    environment=st.dictionaries(
        st.text().map("CUDA_{}".format), st.text(st.characters(exclude_categories=()))
    )
)
def test_every_environment_comes_back_as_it_was_logged(tmp_path_factory, environment):
    logged = trainer_conditions.logged_variables(environment)
    path = tmp_path_factory.mktemp("log") / "log.txt"
    log = parse_log(write_log(path, 1, [2.0, 1.0], environment=logged), "log.txt")
    assert (log.problems, log.runs[0].header.variables) == ((), logged)


def test_log_and_ledger_note_the_same_variables_and_the_same_cache():
    names = [f"{word}_X" for word in ("TORCHINDUCTOR", "TORCH", "NCCL", "HOME", "SECRET", "MYCUDA")]
    variables = dict.fromkeys(names, "1")
    assert trainer_conditions.VARIABLES == ledger_conditions.VARIABLES
    assert trainer_conditions.logged_variables(variables) == ledger_conditions.logged_variables(
        variables
    )
    assert trainer_conditions.compile_cache({}) == ledger_conditions.compile_cache({})


def test_the_trainers_own_program_sets_nothing_up_in_the_compiler():
    """Else no run of it could follow the rules of a track that forbids settings."""
    program = read_program(provenance.program_text())
    assert (program.problem, program.settings) == ("", ())


def test_the_program_in_the_log_is_the_one_that_its_hash_names(tmp_path):
    data = write_log(tmp_path / "log.txt", 1, [2.0, 1.0])
    (run,) = parse_log(data, "log.txt").runs
    assert run.source_sha256 == run.header.source_sha256
    assert program_text(data, run).rstrip() == provenance.program_text().rstrip()
    changed = data.replace(b"def step_line", b"def steq_line", 1)
    (run,) = parse_log(changed, "log.txt").runs
    assert run.source_sha256 != run.header.source_sha256


def test_the_programs_own_text_holds_no_line_that_a_grep_for_results_finds():
    found = re.findall(r"\d+/\d+ val", provenance.program_text())
    assert found == []


@pytest.mark.parametrize("loss", [math.nan, math.inf])
def test_a_divergence_is_read_as_one(tmp_path, loss):
    data = write_log(tmp_path / "log.txt", 4, [5.5, loss])
    (run,) = parse_log(data, "log.txt").runs
    assert run.diverged
    assert not run.complete
    assert run.stopped == "loss is not a finite number at step 1"


@given(cut=st.integers(0, 10**6))
def test_a_log_cut_anywhere_before_its_last_validation_is_never_complete(tmp_path_factory, cut):
    folder = tmp_path_factory.mktemp("cut")
    data = write_log(folder / "log.txt", 2, [5.5, 3.25, 1.5])
    end = data.index(b"step:2/2 val_loss:1.5")
    for run in parse_log(data[: cut % end], "log.txt").runs:
        assert not run.complete


def test_the_examples_of_the_page_are_read_as_the_page_says():
    lines = [line.strip() for line in DOC.splitlines()]
    steps = [parse_step_line(line) for line in lines if line.startswith("step:")]
    assert [(s.step, s.val_loss, s.train_loss) for s in steps[:3]] == [
        (0, 5.768321, None),
        (1, None, 5.76841),
        (300, 1.543518, None),
    ]
    assert math.isnan(steps[3].train_loss)
    assert "    " + trainer_log.stopped_line(37) in DOC
    assert "    " + trainer_log.memory_line(212, 240) in DOC
    example = next(line for line in lines if line.startswith("speedcheck_log"))
    assert trainer_log.header_line("speedcheck_log", 1) == example


@pytest.mark.parametrize("recipe", RECIPES.values(), ids=RECIPES.keys())
def test_the_setup_that_the_trainer_prints_is_the_one_that_the_launcher_reads(recipe):
    printed = plan(recipe)
    setup = _read_setup(json.dumps(printed))
    assert {name: getattr(setup, name) for name in printed} == printed


@pytest.mark.slow
def test_neither_package_loads_the_other():
    code = (
        "import sys, pkgutil, importlib, {0}\n"
        "for m in pkgutil.walk_packages({0}.__path__, '{0}.'):\n"
        "    if not m.name.endswith('__main__'): importlib.import_module(m.name)\n"
        "sys.exit(any(n.split('.')[0] in {1} for n in sys.modules))"
    )
    for package, forbidden in (("speedcheck", {"trainer", "torch"}), ("trainer", {"speedcheck"})):
        command = [sys.executable, "-c", code.format(package, sorted(forbidden))]
        assert subprocess.run(command, check=False).returncode == 0, package
