"""How many examples a property takes: few under the profile "quick" of `make test`, else all."""

from __future__ import annotations

from hypothesis import settings

QUICK = 25
"""Per cent of the examples that the profile "quick" leaves."""


def register() -> None:
    """Register both profiles, and load the one of all examples. No test asserts time."""
    settings.register_profile("thorough", max_examples=100, deadline=None)
    settings.register_profile("quick", max_examples=QUICK, deadline=None)
    settings.load_profile("thorough")


def examples(number: int) -> int:
    """Return the share of `number` that the profile under which the tests run leaves, at least 1.

    Hypothesis itself scales a property that gives no number.
    """
    return max(1, number * settings.default.max_examples // 100)
