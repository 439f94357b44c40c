from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
import torch

from trainer.config import RECIPES
from trainer.errors import TrainerError
from trainer.runtime import distributed
from trainer.runtime.distributed import check_ranks, open_world

# One process of a run in float64, from weights that are nowhere zero: from the recipe's own start
# the first gradients of some scalars are rounding noise, which Adam turns into steps.
SCRIPT = """
import json, os, sys
from dataclasses import replace
import numpy as np
import torch
import trainer.train
from trainer.config import RECIPES
from trainer.data.stream import TokenStream, ValidationSet
from trainer.runtime.distributed import open_world
from trainer.model import GPT
from trainer.operations.plain import PlainOperations
from trainer.schedule import Window
from trainer.train import Run, accumulate_gradients, start, train

torch.set_default_dtype(torch.float64)
torch.set_num_threads(1)

class Randomised(GPT):
    def __init__(self, *arguments):
        super().__init__(*arguments)
        with torch.no_grad():
            for parameter in self.parameters():
                parameter.add_(torch.randn_like(parameter), alpha=0.05)
                # Gone once all ranks have rank 0's weights.
                parameter.add_(float(os.environ.get("RANK", "0")))

trainer.train.GPT = Randomised
# On GPUs too: the fused operations know no float64.
trainer.train._operations = lambda recipe, device: PlainOperations(
    torch.float64, recipe.model.norm_eps
)
tiny = RECIPES["tiny"]
recipe = replace(
    tiny,
    device=sys.argv[2],
    model=replace(tiny.model, width=16, heads=2, dtype="float64"),
    data=replace(tiny.data, sequence_length=32, sequences_per_step=8, sequences_per_pass=3,
                 val_tokens=192),
    optimizer=replace(tiny.optimizer, muon_dtype="float64"),
    schedule=replace(tiny.schedule, steps=5, val_every=2),
)
tokens = np.random.default_rng(7).integers(97, 105, 2000, dtype=np.uint16)
tokens[::21] = 256
stream = TokenStream([tokens], sequences_per_step=8, sequence_length=32)
validation = ValidationSet(tokens[1000:], val_tokens=192, sequence_length=32)

class Memory:
    losses = []
    def step(self, step, *, kind, loss, train_ms):
        self.losses.append(loss)

with open_world(recipe) as world:
    for dtype in (torch.bfloat16, torch.float32, torch.float64):
        own = torch.full((1, 2), world.rank + 1.0, dtype=dtype, device=world.device)
        total = own.clone()
        world.sum_(total)
        assert total.tolist() == [[world.size * (world.size + 1) / 2] * 2]
        whole = world.start_gather(own).wait()
        assert whole.dtype == dtype
        assert whole.tolist() == [[rank + 1.0] * 2 for rank in range(world.size)]
    weights = {"same": torch.ones(3), "other": torch.tensor([0.0, world.rank])}
    weights = {name: weight.to(world.device) for name, weight in weights.items()}
    complaint = ""
    try:
        world.check_alike(weights)
    except RuntimeError as error:
        complaint = str(error)
    assert complaint == ("the ranks' weights differ: other" if world.size > 1 else ""), complaint
    run = Run(recipe, 3, stream, validation, world)
    # Neither optimizer minds the scale of the gradients: no loss would show a wrong one.
    trainee = start(run)
    accumulate_gradients(trainee, run, 0, Window(2, 1))
    gradients = trainee.optimizers.gradients
    for bucket, whole in gradients._flat.items():
        gradients.wait(bucket)
        if bucket in gradients._shared:
            world.start_sharing(whole).wait()
    norms = [parameter.grad.norm().item() for parameter in trainee.model.parameters()]
    train(run, Memory())
    with open(f"{sys.argv[1]}-{world.size}-{world.rank}.json", "w") as file:
        json.dump([Memory.losses, norms], file)
"""


Outcome = tuple[list[float], list[float]]


def outcomes_of(ranks: int, folder: Path, device: str = "cpu") -> list[Outcome]:
    """Run the script; return the losses and the gradients' norms that each rank saw."""
    script = folder / "run.py"
    script.write_text(SCRIPT)
    root = str(Path(__file__).resolve().parents[3])
    torchrun = ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={ranks}"]
    subprocess.run(
        [
            *(sys.executable, *(torchrun if ranks > 1 else ())),
            *(str(script), str(folder / "seen"), device),
        ],
        env={**os.environ, "PYTHONPATH": root, "OMP_NUM_THREADS": "1"},
        check=True,
        capture_output=True,
        timeout=240,
    )
    return [json.loads((folder / f"seen-{ranks}-{rank}.json").read_text()) for rank in range(ranks)]


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    (outcome,) = outcomes_of(1, tmp_path_factory.mktemp("alone"))
    losses, norms = outcome
    assert len(losses) == 9
    assert losses[-1] < losses[0] - 0.1  # it did train
    assert min(norms) > 1e-6
    return outcome


# Muon has 20, 6 and 6 matrices of a shape: 4 and 8 do not divide all of them.
@pytest.mark.slow
@pytest.mark.parametrize("ranks", [2, 4, 8])
def test_several_ranks_train_as_one_does(ranks: int, alone: Outcome, tmp_path: Path) -> None:
    first, *others = outcomes_of(ranks, tmp_path)
    assert all(other == first for other in others)
    for seen, expected in zip(first, alone, strict=True):
        assert seen == pytest.approx(expected, rel=1e-9)


@pytest.mark.gpu
def test_two_gpus_train_as_one_does(tmp_path: Path) -> None:
    if torch.cuda.device_count() < 2:
        pytest.skip("needs two GPUs")
    (one,) = outcomes_of(1, tmp_path, "cuda")
    first, second = outcomes_of(2, tmp_path, "cuda")
    assert first == second
    for seen, expected in zip(first, one, strict=True):
        assert seen == pytest.approx(expected, rel=1e-9)


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


def test_a_rank_that_cannot_reach_the_others_says_so_in_one_line(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(distributed, "START_TIMEOUT", timedelta(seconds=1))
    for name, value in (("WORLD_SIZE", "2"), ("RANK", "1"), ("MASTER_ADDR", "127.0.0.1")):
        monkeypatch.setenv(name, value)
    with socket.socket() as taken:  # bound and not listening: nobody answers
        taken.bind(("127.0.0.1", 0))
        monkeypatch.setenv("MASTER_PORT", str(taken.getsockname()[1]))
        with pytest.raises(TrainerError) as caught:
            open_world(RECIPES["tiny"]).__enter__()
    assert re.fullmatch(
        r"torch.distributed: .*127\.0\.0\.1.*; start several ranks with torchrun", str(caught.value)
    )


def test_a_rank_without_a_gpu_of_its_own_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOCAL_RANK", "99")
    with pytest.raises(TrainerError, match="LOCAL_RANK: 99 is no GPU of this machine"):
        open_world(RECIPES["sub3"]).__enter__()


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
