"""How well the corpus can be predicted: the writer's own entropy, in nats per token.

The rules give the exact probabilities of each next token from what stands before it in its
document: how likely the document is to end, which key can be told (its distance decides), which
letter can follow. `trace` walks through a text with them. The mean over the text's tokens is the
least expected loss of any reader; what remains inexact is the choice of text, and the standard
error says how much.

Attention with a window knows less: a fact last told outside the window has to be guessed among
the values. `floor` adds log(values) for each of those recalls. All else is still granted to the
reader (distances, the document's length so far, the last letter), and nothing is granted by
chains of layers, which may pass a fact on from window to window; so a windowed floor is the
floor of readers that look a fact up where it was told.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import log
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from trainer.data.corpus.language import FIRST_ANSWER, FIRST_LETTER, FIRST_QUERY, Chain, Facts
from trainer.data.tokenizer import SEPARATOR

if TYPE_CHECKING:
    from trainer.data.corpus.config import CorpusConfig
    from trainer.data.shards import Tokens


@dataclass(frozen=True)
class Reach:
    """What attention sees: query q sees key k <= q when block(q) - block(k) < window.

    Args:
        sequence_length: tokens that are read at once; nothing before them is seen.
        block_size: tokens in a block; blocks are counted from the start of the sequence.
        window: in blocks, the query's own included.
    """

    sequence_length: int
    block_size: int
    window: int

    def sees(
        self, query: npt.NDArray[np.int64], key: npt.NDArray[np.int64]
    ) -> npt.NDArray[np.bool_]:
        """Tell, elementwise, whether `query` sees the earlier `key`; positions in the text."""
        start = query - query % self.sequence_length
        blocks_back = (query - start) // self.block_size - (key - start) // self.block_size
        seen: npt.NDArray[np.bool_] = (key >= start) & (blocks_back < self.window)
        return seen


class Trace(NamedTuple):
    """Per token of a text, with everything before it known; three arrays of shape (n,).

    Attributes:
        entropy: of the token's distribution, in nats.
        surprisal: minus the log probability of the token that came, in nats.
        source: at the answer of a recall, the position of the answer it repeats; -1 elsewhere.
    """

    entropy: npt.NDArray[np.float64]
    surprisal: npt.NDArray[np.float64]
    source: npt.NDArray[np.int64]


class Floor(NamedTuple):
    """Least expected loss in nats per token, and the standard error from the choice of text."""

    nats: float
    standard_error: float


def floor(config: CorpusConfig, text: Trace, reach: Reach | None = None) -> Floor:
    """Return the entropy of a traced text; without `reach` for unlimited memory.

    The standard error takes blocks of 1024 tokens, longer than what one fact affects.
    """
    entropy = text.entropy.copy()
    if reach is not None:
        entropy[unseen_recalls(text, reach)] = log(config.values)
    blocks = entropy[: len(entropy) // 1024 * 1024].reshape(-1, 1024).mean(axis=1)
    return Floor(float(entropy.mean()), float(blocks.std(ddof=1) / np.sqrt(len(blocks))))


def unseen_recalls(text: Trace, reach: Reach) -> npt.NDArray[np.int64]:
    """Return the positions of recalled answers whose last telling is out of reach.

    The token at position i is predicted by the query at i - 1.
    """
    (recalled,) = np.nonzero(text.source >= 0)
    return recalled[~reach.sees(recalled - 1, text.source[recalled])]


def trace(config: CorpusConfig, tokens: Tokens) -> Trace:
    """Compute the probabilities along a text that starts with a separator; `tokens` is (n,)."""
    reader = _Reader(config)
    rows = [reader.read(index, token) for index, token in enumerate(tokens.tolist())]
    entropy, surprisal, source = zip(*rows, strict=True)
    return Trace(np.array(entropy), np.array(surprisal), np.array(source))


class _Reader:
    """Follows a text token by token with the writer's knowledge of the past."""

    def __init__(self, config: CorpusConfig) -> None:
        self.config = config
        self.chain = Chain(config)
        total = sum(config.successor_weights)
        self.letter_chances = [weight / total for weight in config.successor_weights]
        self.letter_entropy = _entropy(self.letter_chances)
        self.survival = survival(config.length_quantiles)
        self.open_document(0)

    def open_document(self, start: int) -> None:
        """Forget everything: the document's text starts at `start`, the query is none."""
        self.start = self.checked = start
        self.facts = Facts(self.config)
        self.letter = self.chain.opening
        self.asked: int | None = None

    def read(self, index: int, token: int) -> tuple[float, float, int]:
        """Return (entropy, surprisal, source) of the token at `index` and go past it."""
        if index == 0:
            # The separator that opens the text is given.
            self.open_document(1)
            return 0.0, 0.0, -1
        if self.asked is not None:
            return self.read_answer(index, token, self.asked)
        return self.read_opening(index, token)

    def read_answer(self, index: int, token: int, key: int) -> tuple[float, float, int]:
        """Read the byte that answers `key`."""
        config, position = self.config, index - 1 - self.start
        recalled = key not in self.facts.forgotten(position)
        source = self.start + self.facts.told[key][0] + 1 if recalled else -1
        self.facts.tell(key, token - FIRST_ANSWER - key * config.values, position)
        self.asked, self.letter = None, self.chain.opening
        nats = 0.0 if recalled else log(config.values)
        return nats, nats, source

    def read_opening(self, index: int, token: int) -> tuple[float, float, int]:
        """Read a separator, a query or a letter."""
        position = index - self.start
        end = 1 - self.survival[position] / self.survival[self.checked - self.start]
        self.checked = index
        keys = key_chances(self.config, self.facts, position)
        write = 1 - sum(keys.values())
        entropy = _entropy([end, 1 - end]) + (1 - end) * (
            _entropy([*keys.values(), write]) + write * self.letter_entropy
        )
        if token == SEPARATOR:
            chance = end
            self.open_document(index + 1)
        elif token >= FIRST_LETTER:
            chance = (1 - end) * write * self.read_letter(token - FIRST_LETTER)
        else:
            self.asked = token - FIRST_QUERY
            chance = (1 - end) * keys[self.asked]
        return entropy, -log(chance), -1

    def read_letter(self, letter: int) -> float:
        """Return the chance of `letter` among the letters, and let the next one follow it."""
        rank = self.chain.successors[self.letter].index(letter)
        self.letter = letter
        return self.letter_chances[rank]


def key_chances(config: CorpusConfig, facts: Facts, position: int) -> dict[int, float]:
    """Return the chance of each key that can be told at `position`, if the document goes on."""
    event, near = config.event_permille / 1000, config.near_permille / 1000
    chances: dict[int, float] = {}
    for chance, distances in ((event * near, config.near), (event * (1 - near), config.far)):
        recalled = facts.recallable(position, distances)
        keys = facts.forgotten(position) if recalled is None else [recalled]
        for key in keys:
            chances[key] = chances.get(key, 0.0) + chance / len(keys)
    return chances


def survival(quantiles: tuple[int, ...]) -> list[float]:
    """Return P(drawn length > n) for n = 0, 1, ... up to one past the last quantile."""
    n = np.arange(quantiles[-1] + 2)
    low, high = np.array(quantiles[:-1])[:, None], np.array(quantiles[1:])[:, None]
    longer = np.clip((high - 1 - n) / (high - low), 0.0, 1.0)
    mean: list[float] = longer.mean(axis=0).tolist()
    return mean


def _entropy(chances: list[float]) -> float:
    return -sum(p * log(p) for p in chances if p > 0)
