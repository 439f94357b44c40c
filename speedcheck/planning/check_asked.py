"""What was asked of a plan: figures in their ranges, and none that nothing uses."""

from __future__ import annotations

import math
from collections.abc import Mapping

from speedcheck.errors import UsageError
from speedcheck.races.race_plan import check_pairs
from speedcheck.stats.eprocess import LARGEST_N

_ABOVE_0 = ("time_sd", "gpu_hours_per_run", "margin")
_SIGNED = ("mean", "target", "difference")
# Where the option has another name than the argument of `speedcheck.plan`.
_OPTIONS = {"max_runs": "--max-seeds"}


def check_figures(figures: Mapping[str, float | None]) -> None:
    """Refuse figures that are not finite, and those of the wrong sign.

    Args:
        figures: the figures by the names that `speedcheck.plan` gives them.

    Raises:
        UsageError: a figure is out of range.
    """
    for name, value in figures.items():
        if value is None:
            continue
        is_low = name not in _SIGNED and (value < 0 or (value == 0 and name in _ABOVE_0))
        if is_low or not math.isfinite(value):
            raise _refused(name, value, f"a finite number{_wanted(name)}")


def check_probabilities(**probabilities: float | None) -> None:
    """Refuse what is not strictly between 0 and 1.

    Raises:
        UsageError: a probability is out of range.
    """
    for name, value in probabilities.items():
        if value is not None and not 0 < value < 1:
            raise _refused(name, value, "a number between 0 and 1")


def check_numbers(
    *, max_runs: int | None, max_pairs: int | None, baseline_runs: int | None
) -> None:
    """Refuse numbers of runs and pairs that no test is made for.

    Raises:
        UsageError: a number is out of range.
    """
    if max_runs is not None and not 2 <= max_runs <= LARGEST_N:
        raise _refused("max_runs", max_runs, f"a whole number from 2 to {LARGEST_N}")
    if max_pairs is not None:
        check_pairs(max_pairs)
    if baseline_runs is not None and baseline_runs < 2:
        raise _refused("baseline_runs", baseline_runs, "a whole number from 2")


def refuse_unused(needed: str, figures: Mapping[str, float | None]) -> None:
    """Refuse figures that are given without the one that they belong to.

    Args:
        needed: what is missing, as one types it.
        figures: the figures by the names that `speedcheck.plan` gives them.

    Raises:
        UsageError: a figure is given.
    """
    for name, value in figures.items():
        if value is not None:
            what = f"{_option(name)} is of no use without {needed}"
            raise UsageError(what, remedy="add that, or leave it out")


def _wanted(name: str) -> str:
    return " above 0" if name in _ABOVE_0 else "" if name in _SIGNED else " from 0"


def _option(name: str) -> str:
    return _OPTIONS.get(name, f"--{name.replace('_', '-')}")


def _refused(name: str, value: float, wanted: str) -> UsageError:
    return UsageError(f"{_option(name)} is {value:g}", remedy=f"give {wanted}")
