"""Fingerprints of the data that logs print: how many validation tokens, how many shards."""

from __future__ import annotations

import re
from typing import NamedTuple

# "val_tokens: 36562944", "train_loader:dataset:fineweb10B train_shards:80"; in a line of JSON the
# key ends in a quote, and such lines are the header's.
_LINE = re.compile(
    rb"(?:(?<=[\s,(])|\A)(val_tokens|train_shards) ?[:=] ?([0-9][0-9_,]{0,19})(?![0-9A-Za-z_.*])"
)


class Fingerprints(NamedTuple):
    """What a log prints of its data; None where it prints nothing.

    Attributes:
        val_tokens: the number of validation tokens.
        train_shards: the number of training shards.
    """

    val_tokens: int | None
    train_shards: int | None


def read_fingerprints(text: bytes) -> Fingerprints:
    """Read the first line of each kind in the output of a program."""
    # Most logs print neither, and two plain searches take a hundredth of the expression's time.
    if b"val_tokens" not in text and b"train_shards" not in text:
        return Fingerprints(None, None)
    found: dict[bytes, int] = {}
    for match in _LINE.finditer(text):
        count = parse_count(match[2].decode())
        if count is not None:
            found.setdefault(match[1], count)
    return Fingerprints(found.get(b"val_tokens"), found.get(b"train_shards"))


def parse_count(text: str) -> int | None:
    """Read a whole number, whose digits may be grouped; None unless the text is one."""
    digits = text.replace(",", "").replace("_", "")
    return int(digits) if digits.isascii() and digits.isdecimal() and len(digits) <= 18 else None
