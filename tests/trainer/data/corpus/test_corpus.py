from __future__ import annotations

import re
import subprocess
import sys
from collections import Counter, defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from scipy import stats

import trainer.data.corpus
from trainer.data.corpus import CorpusConfig, ensure_corpus
from trainer.data.corpus.config import LENGTH_QUANTILES
from trainer.data.corpus.files import generate_tokens
from trainer.data.corpus.language import Facts, Purpose
from trainer.data.corpus.splitmix import SplitMix64
from trainer.data.corpus.writer import draw_length
from trainer.data.shards import read_shard
from trainer.errors import TrainerError

if TYPE_CHECKING:
    from pathlib import Path

# More facts than the default has, so that which of them is told matters.
CONFIG = CorpusConfig(
    keys=6, values=4, event_permille=240, near_permille=340, near=(4, 15), far=(33, 56)
)
SMALL = replace(CONFIG, train_tokens=3_000, val_tokens=1_000)


@pytest.fixture(scope="module")
def documents() -> list[str]:
    """Split 60,000 training tokens at the separators; the last document is cut."""
    tokens = generate_tokens(CONFIG, Purpose.TRAIN, 60_000)
    return [
        bytes(part[part != 256].astype(np.uint8)).decode()
        for part in np.split(tokens, np.flatnonzero(tokens == 256)[1:])
    ]


def test_the_default_corpus_has_the_published_digests_and_is_made_once(tmp_path: Path) -> None:
    paths = ensure_corpus(tmp_path)
    written = [path.stat().st_mtime_ns for path in paths]

    assert ensure_corpus(tmp_path) == paths
    assert [path.stat().st_mtime_ns for path in paths] == written
    assert [path.name for path in paths] == ["tiny_train_000000.bin", "tiny_val_000000.bin"]


def test_a_changed_shard_is_refused_and_the_file_named(tmp_path: Path) -> None:
    paths = ensure_corpus(tmp_path)
    content = bytearray(paths.val.read_bytes())
    content[-2] ^= 1
    paths.val.write_bytes(content)

    with pytest.raises(TrainerError, match=r"tiny_val_000000\.bin: .*SHA-256.*; delete the file"):
        ensure_corpus(tmp_path)


def test_configurations_share_a_folder_without_sharing_shards(tmp_path: Path) -> None:
    paths = ensure_corpus(tmp_path, SMALL)
    others = ensure_corpus(tmp_path, replace(SMALL, seed=1))

    assert len(read_shard(paths.train, vocab_size=257)) == 3_000
    assert len(read_shard(paths.val, vocab_size=257)) == 1_001
    assert not set(paths) & set(others)
    assert paths.train.read_bytes() != others.train.read_bytes()


def test_a_longer_text_only_goes_on_where_the_shorter_one_ends() -> None:
    short, long = (generate_tokens(CONFIG, Purpose.TRAIN, count) for count in (500, 2_000))

    assert long[:500].tolist() == short.tolist()


def test_training_and_validation_text_differ() -> None:
    train, val = (
        set(sliced(generate_tokens(CONFIG, purpose, 5_000)))
        for purpose in (Purpose.TRAIN, Purpose.VAL)
    )

    assert not train & val


def sliced(tokens: np.ndarray, length: int = 40) -> list[bytes]:
    return [tokens[start : start + length].tobytes() for start in range(len(tokens) - length)]


def test_the_sample_in_the_documentation_opens_the_corpus() -> None:
    assert trainer.data.corpus.__doc__ is not None
    sample = re.search(r"^    (\S+)$", trainer.data.corpus.__doc__, re.MULTILINE)
    tokens = generate_tokens(CorpusConfig(), Purpose.TRAIN, 100)

    assert sample is not None
    assert tokens[1:].astype(np.uint8).tobytes().startswith(sample[1].encode())


def test_a_recalled_fact_repeats_its_last_value_at_a_near_or_far_distance(
    documents: list[str],
) -> None:
    recalls: Counter[str] = Counter()
    for document in documents:
        last: dict[str, re.Match[str]] = {}
        for fact in re.finditer(r"(\d)([A-Z])", document):
            before = last.get(fact[1])
            last[fact[1]] = fact
            if before is None or fact.start() - before.start() > CONFIG.far[1]:
                continue
            distance = fact.start() - before.start()
            near = CONFIG.near[0] <= distance <= CONFIG.near[1]
            assert near or CONFIG.far[0] <= distance
            assert fact[2] == before[2]
            recalls["near" if near else "far"] += 1

    assert min(recalls.values()) > 3_000


def test_an_answer_belongs_to_the_fact_that_was_asked_for(documents: list[str]) -> None:
    for document in documents:
        for key, answer in re.findall(r"(\d)([A-Z])", document):
            assert int(key) == "ABCDEFGHIJKLMNOPQRSTUVWX".index(answer) // 4


def test_a_restated_fact_has_a_new_value_with_even_chances(documents: list[str]) -> None:
    values: Counter[int] = Counter()
    for document in documents:
        told: dict[str, int] = {}
        for fact in re.finditer(r"(\d)([A-Z])", document):
            if fact.start() - told.get(fact[1], -1_000) > CONFIG.far[1]:
                values["ABCDEFGHIJKLMNOPQRSTUVWX".index(fact[2]) % 4] += 1
            told[fact[1]] = fact.start()

    assert len(values) == 4
    assert stats.chisquare(list(values.values())).pvalue > 1e-4


def test_each_letter_has_four_successors_in_the_stated_proportions(documents: list[str]) -> None:
    followers: dict[str, Counter[str]] = defaultdict(Counter)
    for document in documents:
        for first, second in re.findall(r"([a-z])(?=([a-z]))", document):
            followers[first][second] += 1

    assert len(followers) == CONFIG.letters
    assert max(len(counts) for counts in followers.values()) == 4
    ranked = np.array([[n for _, n in c.most_common()] for c in followers.values() if len(c) == 4])
    expected = np.array([0.60, 0.25, 0.10, 0.05]) * ranked.sum()
    assert stats.chisquare(ranked.sum(axis=0), expected).pvalue > 1e-4


def test_the_fact_that_has_waited_longest_is_recalled() -> None:
    facts = Facts(CONFIG)
    for key, told_at in enumerate([97, 95, 86, 85, 67, 44]):
        facts.tell(key, 0, told_at)

    assert facts.recallable(100, CONFIG.near) == 3
    assert facts.recallable(100, CONFIG.far) == 5
    assert facts.recallable(101, CONFIG.near) == 2
    assert facts.recallable(101, CONFIG.far) == 4
    assert facts.forgotten(100) == []
    assert facts.forgotten(101) == [5]


def test_the_length_quantiles_are_those_of_the_stated_log_normal() -> None:
    exact = stats.lognorm(s=0.5, scale=600).ppf((np.arange(16) + 0.5) / 16)

    assert np.round(exact).astype(int).tolist() == list(LENGTH_QUANTILES)


def test_drawn_lengths_follow_the_quantiles() -> None:
    random = SplitMix64(3)
    lengths = np.array([draw_length(LENGTH_QUANTILES, random) for _ in range(30_000)])

    counts, _ = np.histogram(lengths, bins=LENGTH_QUANTILES)
    assert counts.sum() == len(lengths)
    assert stats.chisquare(counts).pvalue > 1e-4


def test_splitmix_gives_the_outputs_known_for_its_seed() -> None:
    random = SplitMix64(1234567)

    assert [random.next() for _ in range(5)] == [
        6457827717110365317,
        3203168211198807973,
        9817491932198370423,
        4593380528125082431,
        16408922859458223821,
    ]


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"letters": 27}, "letters is above 26"),
        ({"keys": 11, "values": 1}, "keys is above 10"),
        ({"keys": 9, "values": 3}, r"keys \* values is above 26"),
        ({"letters": 4}, "not fewer successor_weights than letters"),
        ({"near": (4, 40)}, "near and far"),
        ({"length_quantiles": (300, 200)}, "length_quantiles do not rise"),
    ],
)
def test_a_configuration_that_cannot_be_written_is_refused(
    change: dict[str, Any], complaint: str
) -> None:
    with pytest.raises(TrainerError, match=f"CorpusConfig: .*{complaint}"):
        replace(CONFIG, **change)


def test_the_data_side_does_not_import_torch() -> None:
    imports = "import sys, trainer.data.corpus.entropy, trainer.data.stream"
    program = f"{imports}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
