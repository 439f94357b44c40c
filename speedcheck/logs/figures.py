"""The texts of a line's figures to numbers. None always means that a text is not a number."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING

from speedcheck.logs.pattern import TIME_UNITS

if TYPE_CHECKING:
    from collections.abc import Mapping

_WHOLE = re.compile(r"([0-9]{1,12})(?:\.0{1,6})?")
_SEED = re.compile(r"(-?[0-9]{1,18})(?:\.0{1,6})?")
_NUMBER = re.compile(
    r"[+-]?(?:[0-9]{1,99}(?:\.[0-9]{0,99})?|\.[0-9]{1,99})(?:[eE][+-]?[0-9]{1,3})?"
)
_NO_NUMBER = frozenset({"nan", "inf", "infinity"})


def whole(text: str) -> int | None:
    """Read a number of steps; a table may print it as "100.0"."""
    match = _WHOLE.fullmatch(text)
    return int(match[1]) if match else None


def seed_number(text: str) -> int | None:
    """Read a seed."""
    match = _SEED.fullmatch(text)
    return int(match[1]) if match else None


def measure(text: str) -> float | None:
    """Read the figure that the track is about: any number, nan or inf."""
    if text.lower().lstrip("+-") in _NO_NUMBER:
        return float(text)
    return number(text)


def number(text: str) -> float | None:
    """Read a finite number."""
    if not _NUMBER.fullmatch(text):
        return None
    # A decimal too large for a float is a forgery: a program would have printed "inf".
    return value if math.isfinite(value := float(text)) else None


def duration_ms(fields: Mapping[str, str], name: str) -> float | None:
    """Read a time, not negative, from the field with the unit that is there."""
    for unit, factor in TIME_UNITS.items():
        text = fields.get(f"{name}_{unit}")
        if text is not None:
            value = number(text)
            if value is None or value < 0:
                return None
            # Scaling by a decimal exponent keeps 1081.882 s at 1081882.0.
            scaled = value if unit == "ms" else _thousandfold(text) * (factor / 1e3)
            return scaled if math.isfinite(scaled) else None
    return None


def _thousandfold(text: str) -> float:
    mantissa, _, exponent = text.lower().partition("e")
    return float(f"{mantissa}e{int(exponent or 0) + 3}")
