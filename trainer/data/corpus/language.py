"""The rules of the corpus, which its writer draws from and its entropy is computed from."""

from __future__ import annotations

from bisect import bisect_right
from enum import IntEnum
from itertools import accumulate
from typing import TYPE_CHECKING

from trainer.data.corpus.splitmix import SplitMix64

if TYPE_CHECKING:
    from collections.abc import Sequence

    from trainer.data.corpus.config import CorpusConfig

FIRST_LETTER = ord("a")
FIRST_QUERY = ord("0")
FIRST_ANSWER = ord("A")


class Purpose(IntEnum):
    """What a random stream is for: no text depends on the length of another."""

    LANGUAGE = 0
    TRAIN = 1
    VAL = 2


def random_stream(config: CorpusConfig, purpose: Purpose) -> SplitMix64:
    """Return the stream of the configuration's seed for `purpose`."""
    return SplitMix64(config.seed << 8 | purpose)


class Chain:
    """The order-1 chain of letters.

    A letter has as many possible successors as there are weights. All letters stand on a circle
    in random order, and the successors of each lie the same steps further on: so every letter
    comes up, and none follows itself. The first letter of a document, and the first after an
    answer, follow `opening`, one of the letters.

    Attributes:
        successors: one row a letter; letter indices, likeliest first.
        bounds: cumulative weights, for drawing.
        opening: index of a letter.
    """

    def __init__(self, config: CorpusConfig) -> None:
        random = random_stream(config, Purpose.LANGUAGE)
        circle = _shuffled(range(config.letters), random)
        steps = _shuffled(range(1, config.letters), random)[: len(config.successor_weights)]
        places = sorted(range(config.letters), key=circle.__getitem__)
        self.successors = tuple(
            tuple(circle[(place + step) % config.letters] for step in steps) for place in places
        )
        self.bounds = tuple(accumulate(config.successor_weights))
        self.opening = circle[0]

    def draw(self, letter: int, random: SplitMix64) -> int:
        """Return a successor of `letter`."""
        point = random.below(self.bounds[-1])
        return self.successors[letter][bisect_right(self.bounds, point)]


def _shuffled(items: Sequence[int], random: SplitMix64) -> list[int]:
    pool = list(items)
    return [pool.pop(random.below(len(pool))) for _ in items]


class Facts:
    """What one document has told so far: each key's last position and value.

    A key's distance is counted from its last query byte to the present position.
    """

    def __init__(self, config: CorpusConfig) -> None:
        self._config = config
        self.told: dict[int, tuple[int, int]] = {}

    def tell(self, key: int, value: int, position: int) -> None:
        """Note that `key` was told to have `value`, with its query byte at `position`."""
        self.told[key] = position, value

    def recallable(self, position: int, distances: tuple[int, int]) -> int | None:
        """Return the key that has waited longest among those at one of `distances`."""
        nearest, farthest = distances
        earliest, chosen = position, None
        for key, (told_at, _) in self.told.items():
            if nearest <= position - told_at <= farthest and told_at < earliest:
                earliest, chosen = told_at, key
        return chosen

    def forgotten(self, position: int) -> list[int]:
        """Return the keys that may be told with a new value: never told, or too long ago."""
        horizon = position - self._config.far[1]
        return [
            key
            for key in range(self._config.keys)
            if key not in self.told or self.told[key][0] < horizon
        ]
