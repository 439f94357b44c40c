"""The corpus as two shards in a folder, made on first use and checked by digest."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from trainer.data.corpus.config import CorpusConfig
from trainer.data.corpus.language import Chain, Purpose, random_stream
from trainer.data.corpus.writer import write_document
from trainer.data.shards import Tokens, file_sha256, read_shard, write_shard
from trainer.data.tokenizer import SEPARATOR, VOCAB_SIZE, byte_encoding
from trainer.errors import TrainerError

if TYPE_CHECKING:
    from pathlib import Path

# SHA-256 of the default configuration's shard files; another default has others.
TRAIN_SHA256 = "940bf344a6592039603df90b5b79d502e4d54404473f8d783ba1805a730c6fbd"
VAL_SHA256 = "6daabb4d1c84c9ff13c0588b708936a761b53dce9b4c36033b9500ea2e55cbc8"


class CorpusPaths(NamedTuple):
    """The training and the validation shard."""

    train: Path
    val: Path


def ensure_corpus(directory: Path, config: CorpusConfig = CorpusConfig()) -> CorpusPaths:  # noqa: B008 - frozen
    """Return the corpus's shards in `directory`, which are generated where they are missing.

    Shards of another configuration than the default one carry its fingerprint in their names.

    Raises:
        TrainerError: the folder cannot be written, or a shard is not what it should be.
    """
    paths = corpus_paths(directory, config)
    for path, purpose, count in (
        (paths.train, Purpose.TRAIN, config.train_tokens),
        (paths.val, Purpose.VAL, config.val_tokens + 1),
    ):
        if not path.exists():
            write_shard(path, generate_tokens(config, purpose, count))
        read_shard(path, vocab_size=VOCAB_SIZE)
    if config == CorpusConfig():
        _check_digest(paths.train, TRAIN_SHA256)
        _check_digest(paths.val, VAL_SHA256)
    return paths


def corpus_paths(directory: Path, config: CorpusConfig) -> CorpusPaths:
    """Return where `ensure_corpus` puts the shards."""
    name = "tiny" if config == CorpusConfig() else f"tiny-{config.fingerprint()}"
    return CorpusPaths(directory / f"{name}_train_000000.bin", directory / f"{name}_val_000000.bin")


def generate_tokens(config: CorpusConfig, purpose: Purpose, count: int) -> Tokens:
    """Return the first `count` tokens of the training or the validation text.

    Each document follows a separator; the last one is cut.
    """
    chain, random, encoding = Chain(config), random_stream(config, purpose), byte_encoding()
    tokens: list[int] = []
    while len(tokens) < count:
        document = write_document(config, chain, random)
        tokens.append(SEPARATOR)
        tokens += encoding.encode_ordinary(document.decode("ascii"))
    return np.array(tokens[:count], dtype=np.uint16)


def _check_digest(path: Path, expected: str) -> None:
    found = file_sha256(path)
    if found != expected:
        raise TrainerError(
            f"the shard's SHA-256 is {found[:12]}..., the tiny corpus has {expected[:12]}...",
            where=str(path),
            remedy="delete the file; the next run makes it again",
        )
