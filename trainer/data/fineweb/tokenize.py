"""Shards from a user's own text."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from trainer.data.fineweb.documents import read_pieces, require_readable
from trainer.data.fineweb.encode import encode_pieces
from trainer.data.fineweb.layout import (
    SHARD_TOKENS,
    VAL_NAME,
    VAL_TOKENS,
    require_no_shards,
    train_name,
)
from trainer.data.fineweb.origin import record
from trainer.data.shards import describe_shard, write_shard
from trainer.errors import TrainerError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    import tiktoken

    from trainer.data.fineweb.documents import Piece
    from trainer.data.shards import Shard, Tokens


@dataclass(frozen=True)
class TokenizeConfig:
    """How to make the shards.

    Attributes:
        field: name of the text in JSON lines and Parquet files.
        val_tokens: tokens of the validation shard, the first of the text.
        shard_tokens: tokens of every training shard but the last.
        processes: that share the work; the shards do not depend on it.
    """

    field: str = "text"
    val_tokens: int = VAL_TOKENS
    shard_tokens: int = SHARD_TOKENS
    processes: int = 1


@dataclass
class Totals:
    """What has been read and encoded so far."""

    documents: int = 0
    tokens: int = 0


def tokenize_files(
    paths: list[Path],
    directory: Path,
    load_encoding: Callable[[], tiktoken.Encoding],
    config: TokenizeConfig,
    on_progress: Callable[[Totals], None],
) -> Iterator[Shard]:
    """Write the text of the files as shards; yield each when it is complete.

    Args:
        paths: .txt, .jsonl and .parquet files, read in this order.
        directory: made if missing.
        load_encoding: called once what can be checked quickly has been.
        config: the rest.
        on_progress: called every now and then.

    Raises:
        TrainerError: a file cannot be read; the folder holds shards already or cannot be
            written; there is too little text to have any left behind the validation shard.
    """
    require_readable(paths)
    require_no_shards(directory)
    encoding, totals = load_encoding(), Totals()
    pieces = _counted(read_pieces(paths, config.field), totals)
    origin = f"{encoding.name} tokens of the user's own text, from {paths[0].name}"
    if len(paths) > 1:
        origin += f" and {len(paths) - 1} more"
    arrays = encode_pieces(pieces, encoding, config.processes)
    for number, tokens in enumerate(_shards(arrays, config, totals, on_progress)):
        path = directory / (train_name(number) if number else VAL_NAME)
        write_shard(path, tokens)
        shard = describe_shard(path)
        record(directory, shard, origin)
        yield shard


def _counted(pieces: Iterable[Piece], totals: Totals) -> Iterator[Piece]:
    for piece in pieces:
        totals.documents += piece.opens
        yield piece


def _shards(
    arrays: Iterable[Tokens],
    config: TokenizeConfig,
    totals: Totals,
    on_progress: Callable[[Totals], None],
) -> Iterator[Tokens]:
    """Yield the tokens of the validation shard and then of each training shard.

    An array is overwritten when the next one is asked for. A shard is handed out once tokens
    behind it are there, or the text has ended: too little text leaves nothing behind.
    """
    shard = np.empty(config.val_tokens, dtype=np.uint16)
    filled, is_val = 0, True
    for array in arrays:
        rest = array
        while len(rest):
            if filled == len(shard):
                yield shard
                if is_val:
                    shard, is_val = np.empty(config.shard_tokens, dtype=np.uint16), False
                filled = 0
            part = rest[: len(shard) - filled]
            shard[filled : filled + len(part)] = part
            filled, rest = filled + len(part), rest[len(part) :]
        totals.tokens += len(array)
        on_progress(totals)
    if is_val:
        raise TrainerError(
            f"the text has {totals.tokens:,} tokens, and the validation shard alone takes "
            f"{config.val_tokens:,}",
            remedy="add text, or choose a smaller --val-tokens",
        )
    yield shard[:filled]
