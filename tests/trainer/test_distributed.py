from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from trainer.config import RECIPES
from trainer.distributed import check_ranks, open_world
from trainer.errors import TrainerError

# One process of a run in float64, from weights that are nowhere zero: from the recipe's own start
# the first gradients of some scalars are rounding noise, which Adam turns into steps.
SCRIPT = """
import json, sys
from dataclasses import replace
import numpy as np
import torch
import trainer.train
from trainer.config import RECIPES
from trainer.data import TokenStream, ValidationSet
from trainer.distributed import open_world
from trainer.model import GPT
from trainer.train import Run, train

torch.set_default_dtype(torch.float64)
torch.set_num_threads(1)

class Randomised(GPT):
    def __init__(self, *arguments):
        super().__init__(*arguments)
        with torch.no_grad():
            for parameter in self.parameters():
                parameter.add_(torch.randn_like(parameter), alpha=0.05)

trainer.train.GPT = Randomised
tiny = RECIPES["tiny"]
recipe = replace(
    tiny,
    model=replace(tiny.model, width=16, heads=2, dtype="float64"),
    data=replace(tiny.data, sequence_length=32, sequences_per_step=4, sequences_per_pass=2,
                 val_tokens=192),
    optimizer=replace(tiny.optimizer, muon_dtype="float64"),
    schedule=replace(tiny.schedule, steps=8, val_every=3),
)
tokens = np.random.default_rng(7).integers(97, 105, 2000, dtype=np.uint16)
tokens[::21] = 256
stream = TokenStream([tokens], sequences_per_step=4, sequence_length=32)
validation = ValidationSet(tokens[1000:], val_tokens=192, sequence_length=32)

class Memory:
    losses = []
    def step(self, step, *, kind, loss, train_ms):
        self.losses.append(loss)

with open_world(recipe) as world:
    mixed = [torch.full((2,), world.rank + 1.0, dtype=dtype)
             for dtype in (torch.bfloat16, torch.float32, torch.bfloat16)]
    world.mean_(mixed)
    assert all(t.tolist() == [(world.size + 1) / 2] * 2 for t in mixed)
    train(Run(recipe, 3, stream, validation, world), Memory())
    with open(f"{sys.argv[1]}-{world.size}-{world.rank}.json", "w") as file:
        json.dump(Memory.losses, file)
"""


def losses_of(ranks: int, folder: Path) -> list[list[float]]:
    """Run the script under torchrun; return the losses that each rank saw."""
    script = folder / "run.py"
    script.write_text(SCRIPT)
    root = str(Path(__file__).resolve().parents[2])
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    subprocess.run(
        [*torchrun, f"--nproc-per-node={ranks}", str(script), str(folder / "losses")],
        env={**os.environ, "PYTHONPATH": root, "OMP_NUM_THREADS": "1"},
        check=True,
        capture_output=True,
        timeout=240,
    )
    return [
        json.loads((folder / f"losses-{ranks}-{rank}.json").read_text()) for rank in range(ranks)
    ]


@pytest.mark.slow
def test_two_ranks_train_as_one_does(tmp_path: Path) -> None:
    (alone,) = losses_of(1, tmp_path)
    first, second = losses_of(2, tmp_path)
    assert first == second
    assert len(alone) == 12
    assert first == pytest.approx(alone, rel=1e-9)
    assert alone[-1] < alone[0] - 0.1  # it did train


@pytest.mark.parametrize(("recipe", "possible"), [("sub3", {1, 2, 4, 8}), ("tiny", {1, 2, 4})])
def test_ranks_must_divide_the_sequences_of_a_step(recipe: str, possible: set[int]) -> None:
    for size in range(1, 17):
        if size in possible:
            check_ranks(size, RECIPES[recipe])
        else:
            with pytest.raises(TrainerError, match=f"^WORLD_SIZE: {size} ranks .* start 1 or 2"):
                check_ranks(size, RECIPES[recipe])


def test_without_torchrun_there_is_one_rank(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK"):
        monkeypatch.delenv(name, raising=False)
    with open_world(RECIPES["tiny"]) as world:
        assert (world.rank, world.size, world.is_main) == (0, 1, True)


def test_several_ranks_without_a_meeting_place_are_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("RANK", "0")
    monkeypatch.delenv("MASTER_ADDR", raising=False)
    with pytest.raises(TrainerError, match=r"MASTER_ADDR.*; start several ranks with torchrun"):
        open_world(RECIPES["tiny"]).__enter__()


def test_an_environment_that_is_not_torchruns_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "two")
    with pytest.raises(TrainerError, match="WORLD_SIZE: 'two' is not a number"):
        open_world(RECIPES["tiny"]).__enter__()
