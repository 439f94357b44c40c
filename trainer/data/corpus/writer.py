"""Draw documents of the corpus from its rules."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trainer.data.corpus.language import FIRST_ANSWER, FIRST_LETTER, FIRST_QUERY, Chain, Facts

if TYPE_CHECKING:
    from trainer.data.corpus.config import CorpusConfig
    from trainer.data.corpus.splitmix import SplitMix64


def write_document(config: CorpusConfig, chain: Chain, random: SplitMix64) -> bytes:
    """Return one document; it ends with the first fact or letter that reaches its drawn length."""
    length = draw_length(config.length_quantiles, random)
    facts = Facts(config)
    text = bytearray()
    letter = chain.opening
    while len(text) < length:
        fact = draw_fact(config, facts, len(text), random)
        if fact is None:
            letter = chain.draw(letter, random)
            text.append(FIRST_LETTER + letter)
            continue
        key, value = fact
        facts.tell(key, value, len(text))
        text += bytes((FIRST_QUERY + key, FIRST_ANSWER + key * config.values + value))
        letter = chain.opening
    return bytes(text)


def draw_length(quantiles: tuple[int, ...], random: SplitMix64) -> int:
    """Return a length in tokens, drawn evenly from a random interval between two quantiles."""
    interval = random.below(len(quantiles) - 1)
    low, high = quantiles[interval : interval + 2]
    return low + random.below(high - low)


def draw_fact(
    config: CorpusConfig, facts: Facts, position: int, random: SplitMix64
) -> tuple[int, int] | None:
    """Return the (key, value) told at `position`, or None where a letter is written.

    A recall repeats the last value. Where no key is at the distance that was drawn, a forgotten
    key is told with a new value; where none is forgotten either, a letter is written after all.
    """
    if random.below(1000) >= config.event_permille:
        return None
    distances = config.near if random.below(1000) < config.near_permille else config.far
    key = facts.recallable(position, distances)
    if key is not None:
        return key, facts.told[key][1]
    forgotten = facts.forgotten(position)
    if not forgotten:
        return None
    return forgotten[random.below(len(forgotten))], random.below(config.values)
