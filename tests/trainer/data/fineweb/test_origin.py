from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from trainer.data.fineweb import ShardPaths
from trainer.data.fineweb.origin import read_known, record, run_manifest
from trainer.data.shards import Shard, describe_shard, write_shard
from trainer.errors import TrainerError


@pytest.fixture
def paths(tmp_path: Path) -> ShardPaths:
    made = [tmp_path / name for name in ("train_1.bin", "train_2.bin", "val.bin")]
    for count, path in enumerate(made, start=3):
        write_shard(path, np.arange(count, dtype=np.uint16))
    return ShardPaths(tuple(made[:2]), made[2])


def test_what_is_recorded_comes_back_and_the_last_word_on_a_shard_counts(tmp_path: Path) -> None:
    a, b, newer = Shard("a.bin", 1, "aa"), Shard("b.bin", 2, "bb"), Shard("a.bin", 3, "cc")
    for shard, origin in ((a, "one"), (b, "two"), (newer, "three")):
        record(tmp_path, shard, origin)
    known = read_known(tmp_path)
    assert {name: (entry.shard, entry.origin) for name, entry in known.items()} == {
        "a.bin": (newer, "three"),
        "b.bin": (b, "two"),
    }


def test_a_run_says_where_its_shards_come_from(paths: ShardPaths) -> None:
    for path in (*paths.train, paths.val):
        record(path.parent, describe_shard(path), "synthetic" if path == paths.val else "hub")
    described = run_manifest(paths, val_tokens=4)
    assert described.origin == "hub; synthetic"
    assert [shard.tokens for shard in (*described.train, *described.val)] == [3, 4, 5]
    assert described.val_tokens == 4


def test_a_shard_that_nothing_is_written_of_is_unknown(paths: ShardPaths) -> None:
    assert run_manifest(paths, 4).origin is None
    record(paths.val.parent, describe_shard(paths.val), "hub")
    assert run_manifest(paths, 4).origin == "unknown; hub"


def test_a_run_refuses_a_shard_that_is_not_the_one_written_of(paths: ShardPaths) -> None:
    record(paths.val.parent, describe_shard(paths.val), "hub")
    write_shard(paths.val, np.zeros(5, dtype=np.uint16))
    with pytest.raises(TrainerError, match=r"val\.bin: the SHA-256 is .* \(hub\); delete"):
        run_manifest(paths, 4)


@pytest.mark.parametrize("text", ["", "[]", "{", '{"shards": [{"file": "a"}]}', '{"shards": 3}'])
def test_a_list_that_cannot_be_understood_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "manifest.json").write_text(text)
    with pytest.raises(TrainerError, match=r"manifest\.json: this list of shards cannot be read"):
        read_known(tmp_path)
