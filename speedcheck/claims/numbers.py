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
_LAST_BITS = Decimal("1e-14")


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

    def span(self, decimals: int | None = None, *, is_cut: bool = True) -> tuple[float, float]:
        """Return what a number of so many digits can be of, rounded or cut: a range of floats."""
        # Two decimal fractions that are equal in print differ by less than this as binary ones.
        slack = 1e-9 * abs(self.value)
        unit = 10.0 ** -(self.decimals if decimals is None else decimals)
        above = 0.999 if is_cut else 0.5
        return self.value - 0.5 * unit - slack, self.value + above * unit + slack

    def agrees(self, low: float, high: float | None = None) -> bool:
        """Return whether a value from `low` to `high`, at the printed digits, is the number.

        Both ways of rounding a half are accepted: programs differ in them, and in whether they
        round the float itself or its shortest decimal.
        """
        high = low if high is None else high
        half_unit, number = Decimal(5).scaleb(-self.decimals - 1), Decimal(self.text)
        # A mean of floats may miss a half by its last bits; a printed digit is more than those.
        half_unit += min(abs(number) * _LAST_BITS, half_unit / 1_000)
        lows, highs = ((Decimal(x), Decimal(repr(x))) for x in (low, high))
        return min(lows) - half_unit <= number <= max(highs) + half_unit


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
