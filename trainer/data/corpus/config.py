"""Every parameter of the tiny corpus."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass

from trainer.errors import TrainerError

# Lower-case letters write the chain, digits ask for a key, capitals answer.
MAX_LETTERS = 26
MAX_KEYS = 10
MAX_ANSWERS = 26

# Log-normal lengths with median 600 and sigma 0.5: round(600 * exp(0.5 * z(p))) with z the
# standard normal quantile, at p = 1/32, 3/32, ... 31/32. As numbers, since exp and z round
# differently from one machine's library to the next.
LENGTH_QUANTILES = (
    236, 310, 362, 407, 449, 491, 533, 577, 624, 676, 734, 802, 885, 994, 1160, 1523,
)  # fmt: skip


@dataclass(frozen=True)
class CorpusConfig:
    """The language of the tiny corpus and the size of its shards.

    Args:
        letters: letters of the chain.
        successor_weights: relative weights of a letter's possible successors.
        keys: facts that a document may tell.
        values: values that a fact may have.
        event_permille: chance, in thousandths, that a fact is told rather than a letter written.
        near_permille: chance, in thousandths, that a near recall is sought rather than a far one.
            Far ones are not always to be had: with 450, 70 % of the recalls come out near.
        near: least and greatest distance of a near recall, in tokens from key to key.
        far: the same of a far recall; a key unmentioned for longer is forgotten.
        length_quantiles: document lengths in tokens at evenly spaced probabilities; a length is
            drawn evenly from between two neighbours.
        seed: of the language and of both texts.
        train_tokens: length of the training shard.
        val_tokens: validation tokens; their shard has one more, the last target.
    """

    letters: int = 24
    successor_weights: tuple[int, ...] = (60, 25, 10, 5)
    keys: int = 2
    values: int = 12
    event_permille: int = 300
    near_permille: int = 450
    near: tuple[int, int] = (3, 12)
    far: tuple[int, int] = (33, 48)
    length_quantiles: tuple[int, ...] = LENGTH_QUANTILES
    seed: int = 20250116
    train_tokens: int = 200_000
    val_tokens: int = 16_384

    def __post_init__(self) -> None:
        self._check(self.letters <= MAX_LETTERS, f"letters is above {MAX_LETTERS}")
        self._check(self.keys <= MAX_KEYS, f"keys is above {MAX_KEYS}")
        self._check(self.keys * self.values <= MAX_ANSWERS, f"keys * values is above {MAX_ANSWERS}")
        self._check(
            len(self.successor_weights) < self.letters,
            "there are not fewer successor_weights than letters",
        )
        self._check(
            0 < self.near[0] <= self.near[1] < self.far[0] <= self.far[1],
            "near and far are not two ranges in rising order",
        )
        self._check(
            len(self.length_quantiles) > 1
            and list(self.length_quantiles) == sorted(set(self.length_quantiles)),
            "length_quantiles do not rise",
        )

    def _check(self, holds: bool, what: str) -> None:
        if not holds:
            raise TrainerError(what, where="CorpusConfig")

    def fingerprint(self) -> str:
        """Return eight hexadecimal digits that tell this configuration from others."""
        text = json.dumps(asdict(self), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:8]
