from __future__ import annotations

import errno
import hashlib
import os
import struct
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainer.data.shards import manifest, read_shard, write_shard
from trainer.errors import TrainerError

VOCAB_SIZE = 50257


def raw_shard(
    tokens: list[int], *, magic: int = 20240520, version: int = 1, count: int | None = None
) -> bytes:
    """Spell a shard out with struct, as an oracle for the writer and a source of broken files."""
    header = [magic, version, len(tokens) if count is None else count] + [0] * 253
    return struct.pack("<256i", *header) + struct.pack(f"<{len(tokens)}H", *tokens)


def uint16(tokens: list[int]) -> np.ndarray:
    return np.array(tokens, dtype=np.uint16)


@given(st.lists(st.integers(0, 65535), min_size=1, max_size=50))
def test_a_written_shard_has_the_bytes_of_the_format_and_reads_back(
    tmp_path_factory: pytest.TempPathFactory, tokens: list[int]
) -> None:
    path = tmp_path_factory.mktemp("shard") / "deeper" / "a.bin"

    write_shard(path, uint16(tokens))

    assert path.read_bytes() == raw_shard(tokens)
    assert read_shard(path, vocab_size=65536).tolist() == tokens
    assert [entry.name for entry in path.parent.iterdir()] == ["a.bin"]


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"", "0 bytes are too few"),
        (b"\0" * 1023, "1023 bytes are too few"),
        (raw_shard([1], magic=20240801), "magic number 20240801 is not a token shard's 20240520"),
        (raw_shard([1], version=7), "shard version 7 is not the supported 1"),
        (raw_shard([]), "the header says 0 tokens"),
        (raw_shard([1], count=-1), "the header says -1 tokens"),
        (raw_shard([1, 2], count=3), "3 tokens .* make 1030 bytes, the file has 1028"),
        (raw_shard([1, 2], count=1), "1 tokens .* make 1026 bytes, the file has 1028"),
        (raw_shard([1, 2]) + b"\0", "2 tokens .* make 1028 bytes, the file has 1029"),
        (raw_shard([50257]), "token 0 is 50257"),
        (raw_shard([0, 50256, 50257, 60000]), "token 2 is 50257, the vocabulary has 50257"),
    ],
)
def test_a_broken_shard_is_named_with_its_fault_and_a_remedy(
    tmp_path: Path, content: bytes, complaint: str
) -> None:
    path = tmp_path / "broken.bin"
    path.write_bytes(content)

    with pytest.raises(TrainerError, match=rf"broken\.bin: {complaint}.*; delete the file"):
        read_shard(path, vocab_size=VOCAB_SIZE)


def test_a_bad_token_is_found_in_a_later_chunk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("trainer.data.shards.CHECK_CHUNK", 4)
    path = tmp_path / "a.bin"
    write_shard(path, uint16([1] * 9 + [300, 1, 400]))

    with pytest.raises(TrainerError, match="token 9 is 300, the vocabulary has 257"):
        read_shard(path, vocab_size=257)


def test_a_missing_shard_and_a_folder_in_its_place_are_refused(tmp_path: Path) -> None:
    with pytest.raises(TrainerError, match=r"gone\.bin: .*No such file"):
        read_shard(tmp_path / "gone.bin", vocab_size=257)
    with pytest.raises(TrainerError, match="Is a directory"):
        read_shard(tmp_path, vocab_size=257)


def test_a_full_disk_is_said_and_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "replace", full)

    with pytest.raises(TrainerError, match=r"a\.bin: .*No space left on device.*; free space"):
        write_shard(tmp_path / "a.bin", uint16([1]))
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file")

    with pytest.raises(TrainerError, match="cannot be written"):
        write_shard(tmp_path / "data" / "a.bin", uint16([1]))


def write_many_times(path: Path, value: int) -> None:
    for _ in range(20):
        write_shard(path, np.full(5_000, value, dtype=np.uint16))


def test_two_writers_at_once_leave_one_whole_shard(tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        for writer in [pool.submit(write_many_times, path, value) for value in (1, 2)]:
            writer.result()

    assert len(set(read_shard(path, vocab_size=3).tolist())) == 1
    assert list(tmp_path.iterdir()) == [path]


def test_the_manifest_states_names_tokens_digests_and_origin(tmp_path: Path) -> None:
    paths = []
    for name, tokens in (("a.bin", [1, 2, 3]), ("b.bin", [4]), ("v.bin", [5, 6])):
        paths.append(tmp_path / name)
        write_shard(paths[-1], uint16(tokens))

    data = asdict(manifest(paths[:2], paths[2:], val_tokens=1, origin="made up"))

    assert data == {
        "train": (
            {"file": "a.bin", "tokens": 3, "sha256": sha256_of([1, 2, 3])},
            {"file": "b.bin", "tokens": 1, "sha256": sha256_of([4])},
        ),
        "val": ({"file": "v.bin", "tokens": 2, "sha256": sha256_of([5, 6])},),
        "val_tokens": 1,
        "origin": "made up",
    }


def sha256_of(tokens: list[int]) -> str:
    return hashlib.sha256(raw_shard(tokens)).hexdigest()
