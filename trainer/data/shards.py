"""Token shards: files in the format of FineWeb's GPT-2 shards.

A shard is 256 little-endian int32 (magic, version, number of tokens, zeros) and then the tokens
as little-endian uint16.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, TypeAlias

import numpy as np
import numpy.typing as npt

from trainer.errors import TrainerError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

Tokens: TypeAlias = npt.NDArray[np.uint16]

MAGIC = 20240520
VERSION = 1
HEADER_INTS = 256
HEADER_BYTES = 4 * HEADER_INTS
# Tokens compared at a time: 8 MiB of a memory-mapped shard, whatever the shard's length.
CHECK_CHUNK = 1 << 22

REPLACE = "delete the file and make or fetch it again"


def write_shard(path: Path, tokens: Tokens) -> None:
    """Write `tokens`, shape (n,), as a shard that appears under `path` only when it is complete.

    Raises:
        TrainerError: the folder cannot be written, for instance because the disk is full.
    """
    header = np.zeros(HEADER_INTS, dtype="<i4")
    header[:3] = MAGIC, VERSION, len(tokens)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as file:
            file.write(header.data)
            file.write(np.ascontiguousarray(tokens, dtype="<u2").data)
    except OSError as error:
        raise TrainerError(
            f"the shard cannot be written ({error.strerror})",
            where=str(path),
            remedy="free space there or choose a folder that can be written",
        ) from error


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """Open a file of this process's own that takes the place of `path` when it is complete."""
    descriptor, partial = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield file
        # mkstemp lets nobody else read its files, but data folders are shared.
        Path(partial).chmod(0o644)
        Path(partial).replace(path)
    finally:
        Path(partial).unlink(missing_ok=True)


def read_shard(path: Path, *, vocab_size: int) -> Tokens:
    """Return the shard's tokens, shape (n,), memory-mapped and read-only.

    Raises:
        TrainerError: the file is missing, is no shard, is not as long as its header says, or
            holds a token that is not below `vocab_size`.
    """
    tokens = map_shard(path)
    _check_range(path, tokens, vocab_size)
    return tokens


def map_shard(path: Path) -> Tokens:
    """Return the shard's tokens like `read_shard`, without looking at them.

    Raises:
        TrainerError: the file is missing, is no shard, or is not as long as its header says.
    """
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            raw_header = file.read(HEADER_BYTES)
    except OSError as error:
        raise TrainerError(
            f"the shard cannot be read ({error.strerror})",
            where=str(path),
            remedy="check the data folder, or make or fetch the data",
        ) from error
    _check_header(path, raw_header, size)
    return np.memmap(path, dtype="<u2", mode="r", offset=HEADER_BYTES)


def _check_header(path: Path, raw_header: bytes, size: int) -> None:
    if len(raw_header) < HEADER_BYTES:
        raise _broken(path, f"{size} bytes are too few for a shard's {HEADER_BYTES}-byte header")
    magic, version, count = (int(value) for value in np.frombuffer(raw_header, "<i4", count=3))
    if magic != MAGIC:
        raise _broken(path, f"magic number {magic} is not a token shard's {MAGIC}")
    if version != VERSION:
        raise _broken(path, f"shard version {version} is not the supported {VERSION}")
    if count <= 0:
        raise _broken(path, f"the header says {count} tokens")
    expected = HEADER_BYTES + 2 * count
    if size != expected:
        raise _broken(
            path, f"{count} tokens in the header make {expected} bytes, the file has {size}"
        )


def _check_range(path: Path, tokens: Tokens, vocab_size: int) -> None:
    for start in range(0, len(tokens), CHECK_CHUNK):
        chunk = tokens[start : start + CHECK_CHUNK]
        if chunk.max() >= vocab_size:
            index = int(np.argmax(chunk >= vocab_size))
            raise _broken(
                path,
                f"token {start + index} is {chunk[index]}, the vocabulary has {vocab_size}",
            )


def _broken(path: Path, what: str) -> TrainerError:
    return TrainerError(what, where=str(path), remedy=REPLACE)


@dataclass(frozen=True)
class Shard:
    """What a log says of one shard: its file name, number of tokens and the file's SHA-256."""

    file: str
    tokens: int
    sha256: str


@dataclass(frozen=True)
class Manifest:
    """The data of a run; `dataclasses.asdict` gives the `data` line of a log.

    `origin` says in words where the shards come from; None where nobody wrote it down.
    """

    train: tuple[Shard, ...]
    val: tuple[Shard, ...]
    val_tokens: int
    origin: str | None = None


def manifest(
    train: Sequence[Path], val: Sequence[Path], val_tokens: int, origin: str | None = None
) -> Manifest:
    """Describe the shards of a run.

    Raises:
        TrainerError: a file cannot be read or is no shard.
    """
    described = describe_shards([*train, *val])
    return Manifest(described[: len(train)], described[len(train) :], val_tokens, origin)


def describe_shards(paths: Sequence[Path]) -> tuple[Shard, ...]:
    """Return `describe_shard` of every path.

    A shard of 100 M tokens takes 0.14 s to hash, so nine of them over a second at the start of
    every run; hashing needs no interpreter lock, so threads share it.

    Raises:
        TrainerError: a file cannot be read or is no shard.
    """
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return tuple(pool.map(describe_shard, paths))


def count_shards(number: int) -> str:
    """Return a number of shards in words: "1 shard", "2 shards"."""
    return f"{number} shard{'' if number == 1 else 's'}"


def describe_shard(path: Path) -> Shard:
    """Return the shard's name, number of tokens and digest.

    Raises:
        TrainerError: the file cannot be read or is no shard.
    """
    return Shard(path.name, len(map_shard(path)), file_sha256(path))


def file_sha256(path: Path) -> str:
    """Return the SHA-256 of the file's bytes in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
