"""The checks that the statistics make of what a user chose: levels, margins and counts."""

from __future__ import annotations

import math
from typing import Literal

from speedcheck.errors import UsageError

Direction = Literal["less", "greater"]
"""The better side of a measure: losses are better when less, accuracies when greater."""


def sign_of(direction: Direction) -> int:
    """Return 1 where less is better and -1 where greater is: sign * value is worse when larger."""
    return 1 if direction == "less" else -1


def check_probability(name: str, value: float) -> None:
    """Refuse a value that is not strictly between 0 and 1.

    Args:
        name: what the value is called where the user typed it, such as "alpha".
        value: the value.

    Raises:
        UsageError: the value is 0, 1, beyond them or NaN.
    """
    if not 0 < value < 1:
        raise UsageError(
            f"{name} is {value:g}, which is not a probability between 0 and 1",
            remedy=f"choose a {name} above 0 and below 1",
        )


def check_positive(name: str, value: float) -> None:
    """Refuse a value that is not a finite number above 0.

    Args:
        name: what the value is called where the user typed it, such as "margin".
        value: the value.

    Raises:
        UsageError: the value is 0, negative, infinite or NaN.
    """
    if not 0 < value < math.inf:
        raise UsageError(
            f"{name} is {value:g}, which is not a finite number above 0",
            remedy=f"choose a {name} above 0",
        )


def check_count(name: str, value: int, least: int) -> None:
    """Refuse a number of runs, pairs or simulations below the least that makes sense.

    Args:
        name: what the value is called where the user typed it, such as "min_runs".
        value: the value.
        least: the smallest value that is accepted.

    Raises:
        UsageError: the value is below `least`.
    """
    if value < least:
        raise UsageError(f"{name} is {value}", remedy=f"choose a {name} of at least {least}")
