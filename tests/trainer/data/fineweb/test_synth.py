from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from trainer.data.fineweb.synth import (
    SynthConfig,
    draw_tokens,
    length_table,
    make_shards,
    zipf_table,
)
from trainer.data.shards import read_shard
from trainer.errors import TrainerError

SEPARATOR = 50_256
SMALL = SynthConfig(shards=2, tokens=5000, val_tokens=3000, seed=7)


@pytest.fixture(scope="module")
def tokens() -> np.ndarray:
    return draw_tokens(seed=0, number=1, count=4_000_001)


def lengths_of(tokens: np.ndarray) -> np.ndarray:
    return np.diff(np.flatnonzero(tokens == SEPARATOR)) - 1


def test_the_shards_have_fineweb_names_and_the_lengths_asked_for(tmp_path: Path) -> None:
    made = [(shard.file, shard.tokens) for shard in make_shards(tmp_path, SMALL)]
    assert made == [
        ("fineweb_val_000000.bin", 3000),
        ("fineweb_train_000001.bin", 5000),
        ("fineweb_train_000002.bin", 5000),
    ]
    contents = [read_shard(tmp_path / name, vocab_size=50_257) for name, _ in made]
    assert [tokens[0] for tokens in contents] == [SEPARATOR] * 3
    assert not np.array_equal(contents[1], contents[2])


def test_the_folder_says_that_they_are_synthetic(tmp_path: Path) -> None:
    made = list(make_shards(tmp_path, SMALL))
    rows = json.loads((tmp_path / "manifest.json").read_text())["shards"]
    assert {row["sha256"] for row in rows} == {shard.sha256 for shard in made}
    assert {row["origin"] for row in rows} == {
        "synthetic tokens (seed 7), not FineWeb: for measuring speed"
    }


def test_a_seed_and_a_number_decide_the_tokens_whatever_else_is_made(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    list(make_shards(first, SMALL))
    list(make_shards(second, SynthConfig(shards=1, tokens=5000, val_tokens=10, seed=7)))
    name = "fineweb_train_000001.bin"
    assert (first / name).read_bytes() == (second / name).read_bytes()
    assert not np.array_equal(draw_tokens(7, 1, 500), draw_tokens(8, 1, 500))


def test_the_tokens_are_these_on_every_machine() -> None:
    assert draw_tokens(0, 1, 8).tolist() == [50256, 4792, 0, 18182, 11, 24, 0, 45351]


def test_shards_are_never_mixed_with_others(tmp_path: Path) -> None:
    (tmp_path / "fineweb_train_000009.bin").write_bytes(b"")
    with pytest.raises(TrainerError, match="holds 1 shard"):
        list(make_shards(tmp_path, SMALL))


def test_the_frequencies_follow_zipfs_law(tokens: np.ndarray) -> None:
    words = tokens[tokens != SEPARATOR]
    ranks = np.arange(1, SEPARATOR + 1)
    expected = len(words) / ranks / np.sum(1 / ranks)
    counts = np.bincount(words, minlength=SEPARATOR)
    # Rare tokens together, so that each cell has hundreds.
    cells = np.unique(np.geomspace(1, SEPARATOR, 40).astype(int)) - 1
    found, wanted = np.add.reduceat(counts, cells), np.add.reduceat(expected, cells)
    # Cells of rare tokens carry the table's rounding: up to half an entry in seven for one token,
    # far less for many.
    assert stats.chisquare(found, wanted).pvalue > 1e-3


def test_the_lengths_are_log_normal_with_median_400_and_sigma_1(tokens: np.ndarray) -> None:
    lengths = lengths_of(tokens)
    assert len(lengths) > 5000
    # Half a token of jitter, for the law is continuous and the lengths are not.
    jitter = np.random.default_rng(0).uniform(-0.5, 0.5, len(lengths))
    assert stats.kstest(lengths + jitter, stats.lognorm(s=1, scale=400).cdf).pvalue > 1e-3


def test_the_tables_agree_with_their_laws() -> None:
    lengths = length_table()
    quantiles = (np.arange(len(lengths)) + 0.5) / len(lengths)
    assert np.abs(lengths - stats.lognorm(s=1, scale=400).ppf(quantiles)).max() <= 0.5 + 1e-6
    counts = np.bincount(zipf_table())
    assert len(counts) == SEPARATOR
    assert counts.min() == 7
    assert counts[0] / counts.sum() == pytest.approx(1 / np.sum(1 / np.arange(1, 50_257)), rel=1e-6)
