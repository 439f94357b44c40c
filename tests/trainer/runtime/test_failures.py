"""A rank that fails ends all ranks: none may wait for ever."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

# Two ranks exchange a number again and again; after a few times something happens to rank 1.
SCRIPT = """
import os, signal, sys, time
from datetime import timedelta
from pathlib import Path
import torch
from trainer.runtime import distributed
from trainer.config import RECIPES

recipe, fate, folder = RECIPES[sys.argv[1]], sys.argv[2], Path(sys.argv[3])
distributed.TIMEOUT = timedelta(seconds=3)
(folder / f"pid-{os.environ['RANK']}").write_text(str(os.getpid()))

with distributed.open_world(recipe) as world:
    number = torch.ones((), device=world.device)
    if fate == "slow to compile" and world.rank == 1:
        time.sleep(4)
    world.sum_(number)
    world.start_training()
    for step in range(100):
        if world.rank == 1 and step == 5:
            if fate == "raises":
                raise ArithmeticError("as planned")
            if fate == "killed":
                os.kill(os.getpid(), signal.SIGKILL)
            if fate == "hangs":
                time.sleep(1000)
        number.fill_(1)
        world.sum_(number)
        assert number.item() == 2
    if fate == "last line":
        world.alive()
        if world.is_main:
            time.sleep(2)
            (folder / "log").write_text("last line")
(folder / f"done-{os.environ['RANK']}").touch()
if fate == "last line":
    sys.exit(3)
"""

# A real run, on GPUs, is to end within a minute of which the exchanges' timeout here is 3 s.
MINUTE = 60.0


@pytest.fixture(params=["tiny", pytest.param("sub3", marks=pytest.mark.gpu)])
def recipe(request: pytest.FixtureRequest) -> str:
    """A recipe for CPUs, through gloo, and where there are two GPUs one for those, through NCCL."""
    if request.param == "sub3" and torch.cuda.device_count() < 2:
        pytest.skip("needs two GPUs")
    return request.param


def run(recipe: str, fate: str, folder: Path) -> tuple[int, str, float]:
    """Start two ranks under torchrun; return status, error output and seconds."""
    script = folder / "run.py"
    script.write_text(SCRIPT)
    root = str(Path(__file__).resolve().parents[3])
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    start = time.monotonic()
    done = subprocess.run(
        [*torchrun, "--nproc-per-node=2", str(script), recipe, fate, str(folder)],
        env={**os.environ, "PYTHONPATH": root, "OMP_NUM_THREADS": "1"},
        check=False,
        capture_output=True,
        text=True,
        timeout=240,
    )
    return done.returncode, done.stderr, time.monotonic() - start


def is_gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


@pytest.mark.slow
@pytest.mark.parametrize(
    ("fate", "told"),
    [
        ("raises", "ArithmeticError: as planned"),
        ("killed", r"Signal 9 \(SIGKILL\)"),
        ("hangs", "(?i)timed out|timeout|has waited 3 s for the others"),
    ],
)
def test_all_ranks_end_within_a_minute_of_one(
    recipe: str, fate: str, told: str, tmp_path: Path
) -> None:
    status, err, seconds = run(recipe, fate, tmp_path)
    assert status != 0
    assert re.search(told, err), err
    assert seconds < MINUTE
    assert not list(tmp_path.glob("done-*"))
    assert all(is_gone(int((tmp_path / f"pid-{rank}").read_text())) for rank in range(2))


@pytest.mark.slow
def test_a_rank_may_start_later_than_the_timeout_of_training(recipe: str, tmp_path: Path) -> None:
    status, err, _ = run(recipe, "slow to compile", tmp_path)
    assert status == 0, err
    assert len(list(tmp_path.glob("done-*"))) == 2


@pytest.mark.slow
def test_no_rank_ends_before_the_main_one_has_written_its_last_line(
    recipe: str, tmp_path: Path
) -> None:
    """torchrun ends all ranks when one ends with a status, as a diverged run does."""
    status, err, _ = run(recipe, "last line", tmp_path)
    assert status != 0
    assert (tmp_path / "log").read_text() == "last line", err
