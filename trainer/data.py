"""Token shards in FineWeb's format, and the order in which a run reads them.

A shard is 256 little-endian int32 (magic, version, number of tokens, zeros) and then the tokens
as little-endian uint16. L is the sequence length; a step consumes sequences_per_step * L
consecutive tokens, its span.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from bisect import bisect_right
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from trainer.errors import TrainerError

if TYPE_CHECKING:
    from collections.abc import Sequence

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
    partial = ""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # Two processes may write the same shard: each has its own file, the last to end wins.
        descriptor, partial = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        with os.fdopen(descriptor, "wb") as file:
            file.write(header.tobytes())
            file.write(tokens.astype("<u2", copy=False).tobytes())
        Path(partial).chmod(0o644)
        Path(partial).replace(path)
    except OSError as error:
        if partial:
            Path(partial).unlink(missing_ok=True)
        raise TrainerError(
            f"the shard cannot be written ({error.strerror})",
            where=str(path),
            remedy="free space there or choose a folder that can be written",
        ) from error


def read_shard(path: Path, *, vocab_size: int) -> Tokens:
    """Return the shard's tokens, shape (n,), memory-mapped and read-only.

    Raises:
        TrainerError: the file is missing, is no shard, is not as long as its header says, or
            holds a token that is not below `vocab_size`.
    """
    tokens = _map_shard(path)
    _check_range(path, tokens, vocab_size)
    return tokens


def _map_shard(path: Path) -> Tokens:
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
    """The data of a run; `dataclasses.asdict` gives the `data` line of a log."""

    train: tuple[Shard, ...]
    val: tuple[Shard, ...]
    val_tokens: int


def manifest(train: Sequence[Path], val: Sequence[Path], val_tokens: int) -> Manifest:
    """Describe the shards of a run.

    Raises:
        TrainerError: a file cannot be read or is no shard.
    """
    return Manifest(
        tuple(describe_shard(path) for path in train),
        tuple(describe_shard(path) for path in val),
        val_tokens,
    )


def describe_shard(path: Path) -> Shard:
    """Return the shard's name, number of tokens and digest.

    Raises:
        TrainerError: the file cannot be read or is no shard.
    """
    return Shard(path.name, len(_map_shard(path)), file_sha256(path))


def file_sha256(path: Path) -> str:
    """Return the SHA-256 of the file's bytes in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class Batch(NamedTuple):
    """Sequences to train or validate on: two int64 arrays of shape (sequences, L)."""

    inputs: npt.NDArray[np.int64]
    targets: npt.NDArray[np.int64]


def _cut(tokens: Tokens, start: int, count: int, length: int) -> Batch:
    stop = start + count * length
    window = tokens[start : stop + 1].astype(np.int64)
    return Batch(window[:-1].reshape(count, length), window[1:].reshape(count, length))


class TokenStream:
    """The training tokens of each step, in one fixed order.

    A step starts where the last one ended, or at the next shard unless at least span + 2 tokens
    remain in the current one. The order knows no seed and no number of ranks.

    Args:
        shards: token arrays in the order of reading, each of shape (n,).
        sequences_per_step: sequences of one step over all ranks.
        sequence_length: L, in tokens.
    """

    def __init__(
        self, shards: Sequence[Tokens], *, sequences_per_step: int, sequence_length: int
    ) -> None:
        self.shards = tuple(shards)
        self.sequences_per_step = sequences_per_step
        self.sequence_length = sequence_length
        self.span = sequences_per_step * sequence_length
        # A shard of n tokens starts its step i when n - i * span >= span + 2.
        steps = [max(len(tokens) - 2, 0) // self.span for tokens in self.shards]
        self._steps_before = (0, *accumulate(steps))

    @property
    def steps_available(self) -> int:
        """Steps that the shards hold."""
        return self._steps_before[-1]

    def require(self, steps: int) -> None:
        """Check that the shards hold `steps` steps.

        Raises:
            TrainerError: they do not; says what they hold and how many more tokens are needed.
        """
        missing = steps - self.steps_available
        if missing > 0:
            raise TrainerError(
                f"{len(self.shards)} training shards ({sum(map(len, self.shards)):,} tokens) hold "
                f"{self.steps_available} steps of {self.span:,} tokens, the run needs {steps}",
                remedy=f"add at least {missing * self.span + 2:,} tokens in further shards",
            )

    def locate(self, step: int) -> tuple[int, int]:
        """Return (index of the shard, position in it) where `step`, counted from 0, starts."""
        if not 0 <= step < self.steps_available:
            raise TrainerError(f"step {step} is not among the {self.steps_available} of the shards")
        shard = bisect_right(self._steps_before, step) - 1
        return shard, (step - self._steps_before[shard]) * self.span

    def sequences(self, step: int, first: int = 0, count: int | None = None) -> Batch:
        """Return `count` sequences of `step` from number `first` on; without `count`, the rest.

        Sequence r holds tokens [r * L, (r + 1) * L) of the span; targets are the next tokens.

        Raises:
            TrainerError: the shards do not hold the step.
        """
        shard, start = self.locate(step)
        if count is None:
            count = self.sequences_per_step - first
        start += first * self.sequence_length
        return _cut(self.shards[shard], start, count, self.sequence_length)


class ValidationSet:
    """The first `val_tokens` tokens of the validation shard, as sequences of length L.

    Raises:
        TrainerError: the shard is too short, or L does not divide `val_tokens`.
    """

    def __init__(self, tokens: Tokens, *, val_tokens: int, sequence_length: int) -> None:
        if val_tokens % sequence_length:
            raise TrainerError(
                f"{val_tokens} validation tokens are no multiple of the sequence length",
                remedy=f"choose a multiple of {sequence_length}",
            )
        # One token more, for the last target.
        if len(tokens) <= val_tokens:
            raise TrainerError(
                f"the validation shard has {len(tokens)} tokens, {val_tokens + 1} are needed",
                remedy=REPLACE,
            )
        self.tokens = tokens
        self.count = val_tokens // sequence_length
        self.sequence_length = sequence_length

    def sequences(self, first: int = 0, count: int | None = None) -> Batch:
        """Return `count` sequences from number `first` on; without `count`, the rest."""
        if count is None:
            count = self.count - first
        return _cut(self.tokens, first * self.sequence_length, count, self.sequence_length)


def document_ids(tokens: npt.NDArray[np.int64], separator: int) -> npt.NDArray[np.int64]:
    """Number the documents within each sequence: shape (..., L) in and out.

    A separator opens a document and belongs to it; tokens before the first one are document 0.
    """
    return np.cumsum(tokens == separator, axis=-1, dtype=np.int64)
