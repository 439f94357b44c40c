from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from trainer.config import DataConfig
from trainer.data.fineweb import find_shards
from trainer.data.shards import write_shard
from trainer.errors import TrainerError

# A step of 8 tokens; validation on 12.
DATA = DataConfig(
    separator=50_256, sequence_length=4, sequences_per_step=2, sequences_per_pass=1, val_tokens=12
)


def fill(folder: Path, **tokens: int) -> Path:
    for name, count in tokens.items():
        write_shard(folder / f"fineweb_{name}.bin", np.zeros(count, dtype=np.uint16))
    return folder


def names(paths: tuple[Path, ...]) -> list[str]:
    return [path.name for path in paths]


def test_a_run_reads_the_shards_from_1_on_as_far_as_it_needs_them(tmp_path: Path) -> None:
    # 18 tokens hold two steps: 18 - 8 >= 8 + 2, and 2 tokens are left over.
    fill(tmp_path, val_000000=13, train_000001=18, train_000002=18, train_000010=18)
    two, three = find_shards(tmp_path, DATA, 2), find_shards(tmp_path, DATA, 3)
    assert names(two.train) == ["fineweb_train_000001.bin"]
    assert names(three.train) == ["fineweb_train_000001.bin", "fineweb_train_000002.bin"]
    assert two.val == tmp_path / "fineweb_val_000000.bin"


@pytest.mark.parametrize(
    ("present", "missing"),
    [
        ({}, "fineweb_train_000001.bin"),
        ({"val_000000": 13}, "fineweb_train_000001.bin"),
        ({"train_000001": 99}, "fineweb_val_000000.bin"),
        ({"val_000000": 13, "train_000002": 99}, "fineweb_train_000001.bin"),
        ({"val_000000": 13, "train_000001": 9, "train_000003": 9}, "fineweb_train_000002.bin"),
    ],
)
def test_a_missing_shard_is_named_with_the_command_that_gets_it(
    tmp_path: Path, present: dict[str, int], missing: str
) -> None:
    fill(tmp_path, **present)
    with pytest.raises(TrainerError) as caught:
        find_shards(tmp_path, DATA, 3)
    assert caught.value.where == str(tmp_path / missing)
    assert f"speedcheck data fetch --shards 8 --data-dir {tmp_path}" in caught.value.remedy


def test_a_folder_that_is_not_there_misses_its_first_shard(tmp_path: Path) -> None:
    with pytest.raises(TrainerError, match=r"fineweb_train_000001\.bin: the shard is missing"):
        find_shards(tmp_path / "nowhere", DATA, 1)


def test_shards_too_short_for_the_run_are_refused_with_the_tokens_it_needs(tmp_path: Path) -> None:
    fill(tmp_path, val_000000=13, train_000001=18, train_000002=10)
    with pytest.raises(TrainerError) as caught:
        find_shards(tmp_path, DATA, 5)
    assert caught.value.where == str(tmp_path)
    assert "28 tokens in 2 shards hold 3 steps of 8 tokens, the run needs 5" in str(caught.value)
    assert "add at least 18 tokens" in caught.value.remedy


def test_a_validation_shard_without_a_token_for_the_last_target_is_refused(tmp_path: Path) -> None:
    fill(tmp_path, val_000000=12, train_000001=18)
    with pytest.raises(TrainerError, match="12 tokens, 13 are needed"):
        find_shards(tmp_path, DATA, 1)


def test_a_shard_cut_short_is_named(tmp_path: Path) -> None:
    fill(tmp_path, val_000000=13, train_000001=18)
    shard = tmp_path / "fineweb_train_000001.bin"
    shard.write_bytes(shard.read_bytes()[:-2])
    with pytest.raises(TrainerError, match=r"000001\.bin: 18 tokens in the header make 1060 bytes"):
        find_shards(tmp_path, DATA, 1)
