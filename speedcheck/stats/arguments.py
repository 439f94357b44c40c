"""The one check that the statistics make of what a user chose: a probability is one."""

from __future__ import annotations

from speedcheck.errors import UsageError


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
