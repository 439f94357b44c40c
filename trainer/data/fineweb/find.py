"""The shards that a run reads, out of a folder in FineWeb's layout."""

from __future__ import annotations

import shlex
from itertools import count
from typing import TYPE_CHECKING, NamedTuple

from trainer.data.fineweb.layout import DEFAULT_SHARDS, VAL_NAME, train_name
from trainer.data.shards import map_shard
from trainer.data.stream import TokenStream, ValidationSet
from trainer.errors import TrainerError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from trainer.config import DataConfig
    from trainer.data.shards import Tokens


class ShardPaths(NamedTuple):
    """The training shards in the order of reading, and the validation shard."""

    train: tuple[Path, ...]
    val: Path


def find_shards(directory: Path, data: DataConfig, steps: int) -> ShardPaths:
    """Return the shards that `steps` steps read: training shards from number 1 on, no more.

    Headers and lengths are checked, tokens are not read.

    Raises:
        TrainerError: a shard is missing or broken, or the shards are too short for the run;
            says what to do, and in the last case how many tokens are needed.
    """
    train = _train_shards(directory, data, steps)
    val = directory / VAL_NAME
    if not val.exists():
        raise _missing(val)
    ValidationSet(map_shard(val), val_tokens=data.val_tokens, sequence_length=data.sequence_length)
    return ShardPaths(train, val)


def _train_shards(directory: Path, data: DataConfig, steps: int) -> tuple[Path, ...]:
    paths: list[Path] = []
    shards: list[Tokens] = []
    stream = stream_of(shards, data)
    for number in count(1):
        path = directory / train_name(number)
        if stream.steps_available >= steps or not path.exists():
            break
        paths.append(path)
        shards.append(map_shard(path))
        stream = stream_of(shards, data)
    # With a later shard in the place of a missing one the run would read other data.
    if not paths or (stream.steps_available < steps and _has_later(directory, path)):
        raise _missing(path)
    stream.require(steps, where=str(directory))
    return tuple(paths)


def stream_of(shards: Sequence[Tokens], data: DataConfig) -> TokenStream:
    """Return the shards' tokens, arrays of shape (n,), in the steps that `data` describes."""
    return TokenStream(
        shards,
        sequences_per_step=data.sequences_per_step,
        sequence_length=data.sequence_length,
    )


def _has_later(directory: Path, path: Path) -> bool:
    return any(other.name > path.name for other in directory.glob("fineweb_train_*.bin"))


def _missing(path: Path) -> TrainerError:
    remedy = f"name its folder with --data-dir, or get it with: {fetch_command(path.parent)}"
    return TrainerError("the shard is missing", where=str(path), remedy=remedy)


def fetch_command(directory: Path, shards: int = DEFAULT_SHARDS) -> str:
    """Return the command that fills `directory`, for error messages."""
    return f"speedcheck data fetch --shards {shards} --data-dir {shlex.quote(str(directory))}"
