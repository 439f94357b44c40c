"""Printed numbers: how they are written, and what agrees with them at the digits that they print.

A number is kept as the text that somebody printed, since that text says how exact it is.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from decimal import Decimal

# "1,234.5", "60_000", "0.0084", ".5", "7.9e-05", "7.9 x 10^-5". No sign: a claimed figure has none.
NUMBER = (
    r"(?:[0-9]{1,3}(?:,[0-9]{3})+(?![0-9])|[0-9][0-9_]*)(?:\.[0-9]+)?"
    r"(?:[eE][-+]?[0-9]{1,3}(?![0-9])|\s?[x×·*]\s?10\s?(?:\^|\*\*)\s?\{?-?[0-9]{1,3}\}?)?"  # noqa: RUF001 - a sign is meant
    r"|\.[0-9]+"
)
_SCIENTIFIC = re.compile(r"\s?[x×·*]\s?10\s?(?:\^|\*\*)\s?\{?(-?[0-9]{1,3})\}?$")  # noqa: RUF001 - the same

# Longer than any float prints.
_MAX_LENGTH = 40
_LAST_BITS = 1e-14


@dataclass(frozen=True, slots=True)
class Printed:
    """A number as it was printed.

    Attributes:
        text: the number in Python's notation, its digits as they were printed.
        value: the number.
    """

    text: str
    value: float

    @property
    def decimals(self) -> int:
        """Digits after the point; negative where the last printed digit is above the units."""
        exponent = Decimal(self.text).as_tuple().exponent
        return -exponent if isinstance(exponent, int) else 0

    def span(self, decimals: int | None = None, *, above: float = 0.5) -> tuple[float, float]:
        """Return what prints as the number, of so many digits: a half may be rounded either way.

        Args:
            decimals: the digits after the point; by default its own.
            above: units of the last digit up to which it may be more: 1 where digits are cut off.
        """
        unit = 10.0 ** -(self.decimals if decimals is None else decimals)
        # A mean of floats may miss a half by its last bits.
        slack = _LAST_BITS * abs(self.value)
        return self.value - 0.5 * unit - slack, self.value + above * unit + slack

    def agrees(self, low: float, high: float | None = None) -> bool:
        """Return whether a value from `low` to `high` prints as the number."""
        bottom, top = self.span()
        return bottom <= (low if high is None else high) and low <= top


def printed(text: str) -> Printed | None:
    """Read a match of `NUMBER`; None where no float is meant by it."""
    if len(text) > _MAX_LENGTH:
        return None
    plain = _SCIENTIFIC.sub(r"e\1", text).replace(",", "").replace("_", "")
    value = float(plain)
    return Printed(plain, value) if math.isfinite(value) else None


def shown(value: float) -> str:
    """Return a recomputed figure in as many digits as a reader can use."""
    return f"{value:.7g}"
