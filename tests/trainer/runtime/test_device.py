from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch

from trainer.config import RECIPES
from trainer.errors import TrainerError
from trainer.runtime.device import check_device, check_memory, gpus_here, memory_mib, ranks_here

SUB3, TINY = RECIPES["sub3"], RECIPES["tiny"]


def pretend(
    monkeypatch: pytest.MonkeyPatch,
    gpus: int,
    capability: tuple[int, int] = (9, 0),
    gib: int | list[int] = 80,
) -> None:
    major, minor = capability
    card = SimpleNamespace(name="A Card", major=major, minor=minor)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: gpus > 0)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: gpus)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda _index: card)
    free = [gib] * gpus if isinstance(gib, int) else gib
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda index: (free[index] << 30, 80 << 30))


def test_a_cpu_recipe_needs_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(monkeypatch, gpus=0)
    check_device(TINY, whole_machine=True)
    assert ranks_here(TINY) == 1


def test_without_a_gpu_the_way_out_is_tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(monkeypatch, gpus=0)
    with pytest.raises(TrainerError, match=r"needs a CUDA GPU, none is here; .*--recipe tiny"):
        check_device(SUB3, whole_machine=True)


def test_a_gpu_without_bfloat16_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(monkeypatch, gpus=2, capability=(7, 5))
    with pytest.raises(TrainerError, match=r"^GPU 0: A Card \(compute capability 7.5\)"):
        check_device(SUB3, whole_machine=True)


@pytest.mark.parametrize("capability", [(8, 0), (9, 0), (10, 0)])
def test_a_gpu_of_80_gib_can_train(
    monkeypatch: pytest.MonkeyPatch, capability: tuple[int, int]
) -> None:
    pretend(monkeypatch, gpus=8, capability=capability)
    check_device(SUB3, whole_machine=True)


def test_too_little_memory_says_the_longest_sequence_that_fits(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pretend(monkeypatch, gpus=1, gib=24)
    with pytest.raises(TrainerError) as caught:
        check_device(SUB3, whole_machine=True)
    message = str(caught.value)
    assert message.startswith(
        "GPU 0 (A Card): 24,576 MiB of free memory are too few for sequences of 65,536"
    )
    length = int(message.rpartition("--sequence-length ")[2])
    assert memory_mib(length) <= 24_576 < memory_mib(2 * length)
    check_device(SUB3.with_sequence_length(length), whole_machine=True)


def test_a_rank_looks_at_its_own_gpu_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(monkeypatch, gpus=2, gib=[80, 10])
    monkeypatch.setenv("LOCAL_RANK", "0")
    check_device(SUB3, whole_machine=False)
    monkeypatch.setenv("LOCAL_RANK", "1")
    for whole in (False, True):
        with pytest.raises(TrainerError, match="GPU 1"):
            check_device(SUB3, whole_machine=whole)


def test_with_next_to_no_memory_the_way_out_is_tiny() -> None:
    with pytest.raises(TrainerError, match=r"--recipe tiny"):
        check_memory(SUB3, 100, "GPU 0")


@pytest.mark.parametrize(("gpus", "ranks"), [(1, 1), (2, 2), (3, 2), (7, 4), (8, 8), (16, 8)])
def test_as_many_ranks_are_started_as_a_step_divides_over(
    monkeypatch: pytest.MonkeyPatch, gpus: int, ranks: int
) -> None:
    pretend(monkeypatch, gpus=gpus)
    assert ranks_here(SUB3) == ranks


def test_a_run_gets_the_gpus_that_it_is_asked_to_share(monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(monkeypatch, gpus=8)
    assert [ranks_here(SUB3, asked) for asked in (1, 2, 4, 8)] == [1, 2, 4, 8]
    assert gpus_here() == 8


def test_fewer_gpus_than_asked_for_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(monkeypatch, gpus=2)
    with pytest.raises(TrainerError) as caught:
        ranks_here(SUB3, 4)
    assert str(caught.value) == (
        "--gpus-per-run: 4 GPUs are asked for, 2 are here; choose at most 2"
    )


@pytest.mark.parametrize("asked", [0, 3, 16])
def test_gpus_that_cannot_share_a_step_are_refused(
    monkeypatch: pytest.MonkeyPatch, asked: int
) -> None:
    pretend(monkeypatch, gpus=16)
    with pytest.raises(TrainerError, match=r"cannot share a step of sub3; choose one of 1, 2, 4"):
        ranks_here(SUB3, asked)


def test_other_sequence_lengths_keep_the_tokens_of_a_step() -> None:
    data = SUB3.with_sequence_length(16_384).data
    assert data.sequence_length * data.sequences_per_step == 524_288
    for wrong in (0, -1, 1000, 100):
        with pytest.raises(TrainerError, match="sequence_length"):
            SUB3.with_sequence_length(wrong)
    with pytest.raises(TrainerError, match="block_size"):
        replace(SUB3, model=replace(SUB3.model, block_size=96)).with_sequence_length(16_384)


def test_the_plan_asks_for_the_memory_that_the_check_asks_for() -> None:
    assert memory_mib(SUB3.data.sequence_length) == SUB3.memory_mib
