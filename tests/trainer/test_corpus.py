from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from trainer.corpus import CorpusConfig, ensure_corpus
from trainer.errors import TrainerError

if TYPE_CHECKING:
    from pathlib import Path

SMALL = replace(CorpusConfig(), train_tokens=3_000, val_tokens=1_000)


def test_the_default_corpus_has_the_published_digests(tmp_path: Path) -> None:
    first = ensure_corpus(tmp_path)
    written = [path.stat().st_mtime_ns for path in first]

    assert ensure_corpus(tmp_path) == first
    assert [path.stat().st_mtime_ns for path in first] == written
    assert [path.name for path in first] == ["tiny_train_000000.bin", "tiny_val_000000.bin"]


def test_a_changed_shard_is_refused_and_the_file_named(tmp_path: Path) -> None:
    paths = ensure_corpus(tmp_path)
    content = bytearray(paths.val.read_bytes())
    content[-2] ^= 1
    paths.val.write_bytes(content)

    with pytest.raises(TrainerError, match=r"tiny_val_000000\.bin: .*SHA-256.*; delete the file"):
        ensure_corpus(tmp_path)
