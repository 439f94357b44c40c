"""What a claimed figure may honestly be, from one list of values.

Authors print different things under one name. A figure is confirmed where any reading of its name
that is in use gives it, and the first reading is the one that a report shows.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.special import ndtr

from speedcheck.claims.model import SECONDS, Figure
from speedcheck.claims.numbers import agrees
from speedcheck.claims.prose import PUBLISHED_SIGMA
from speedcheck.stats import bayes_mean_std, moments, one_sample_t, one_sample_z

# What the last bits of a mean or a deviation are worth, as a share of the largest value. A mean
# of decimals can lie exactly between two printed ones, and binary arithmetic on either side.
_FLOAT32 = 4 * float(np.finfo(np.float32).eps)
_FLOAT64 = 4 * float(np.finfo(np.float64).eps)

# Other programs sum and integrate in another order, which shows in the last of 16 digits.
_ALGORITHM = 1e-10

# Who forgets sqrt(n) computes with the printed mean.
_LIKE = 0.02


@dataclass(frozen=True, slots=True)
class Question:
    """What a p-value is asked about.

    Attributes:
        target: the loss that the mean must be below, nats per token.
        sigma: the standard deviation of one loss that the track takes as known.
        one_sided: whether the text names the one-sided test.
        direction: "greater" where the mean must be above the target.
    """

    target: float
    sigma: float | None = None
    one_sided: bool = False
    direction: Literal["less", "greater"] = "less"
    measure: tuple[str, ...] = ("val_loss", "loss")


def readings(figure: Figure, values: list[float], question: Question) -> list[float]:
    """Return what `figure` can be for these values, the usual reading first.

    Args:
        figure: the claimed figure.
        values: losses in nats per token, or times in seconds.
        question: the test that a p-value is of.
    """
    if figure.what == "n":
        return [float(len(values))]
    if figure.what == "p":
        found = _p_values(figure, values, question)
    elif figure.bayesian:
        found = _bayesian(figure, values)
    else:
        is_mean = figure.what in ("mean", "time_mean")
        found = _mean(values) if is_mean else _stds(values, by_torch=figure.in_float32)
    return [value for value in found if value is not None]


def holds(figure: Figure, value: float, scale: float, largest: float) -> bool:
    """Return whether a figure agrees with one reading of it at the digits that it prints.

    Args:
        figure: the claimed figure.
        value: the reading, in nats per token or seconds.
        scale: the figure's unit in seconds; 1 for a loss.
        largest: the largest of the values, which bounds the error of float32 arithmetic.
    """
    found = value / scale
    if figure.relation == "<":
        return found < figure.number.value
    if figure.relation == ">":
        return found > figure.number.value
    error = (_FLOAT32 if figure.in_float32 else _FLOAT64) * largest / scale + _ALGORITHM * found
    half_unit = 0.5 * 10.0**-figure.number.decimals
    is_near = abs(found - figure.number.value) <= half_unit + error
    return is_near or agrees(figure.number.text, found)


def scales(figure: Figure, seconds: float) -> list[float]:
    """Return the units in seconds that a figure may be in: its own, else those that fit."""
    if figure.kind == "losses":
        return [1.0]
    if figure.unit:
        return [SECONDS[figure.unit]]
    if figure.what == "time_mean" and seconds > 0 and figure.number.value > 0:
        ratio = figure.number.value / seconds
        return [min(SECONDS.values(), key=lambda scale: abs(math.log(ratio * scale)))]
    return [SECONDS["s"], SECONDS["ms"]]


def forgets_root(figure: Figure, values: list[float], question: Question) -> bool:
    """Return whether a p-value is that of a z-test in which sqrt(n) was left out."""
    mean = moments(values).mean
    sigma = figure.sigma or question.sigma or PUBLISHED_SIGMA
    if mean is None:
        return False
    wrong = float(ndtr((mean - question.target) / sigma))
    return abs(figure.number.value - wrong) <= _LIKE * wrong


def _mean(values: list[float]) -> list[float | None]:
    return [moments(values).mean]


def _stds(values: list[float], *, by_torch: bool) -> list[float | None]:
    """The sample's, numpy's default, which divides by n, and but for PyTorch the Bayesian one."""
    sample = moments(values)
    population = math.sqrt(sample.squares / sample.n) if sample.squares is not None else None
    bayes = bayes_mean_std(values)
    return [sample.std, bayes[1].estimate if bayes and not by_torch else None, population]


def _bayesian(figure: Figure, values: list[float]) -> list[float | None]:
    estimates = bayes_mean_std(values)
    if estimates is None:
        return []
    estimate = estimates[0] if figure.what in ("mean", "time_mean") else estimates[1]
    if figure.bound is None:
        return [estimate.estimate]
    return [estimate.low if figure.bound == "low" else estimate.high]


def _p_values(figure: Figure, values: list[float], question: Question) -> list[float | None]:
    sign = 1 if question.direction == "less" else -1
    losses, target = [sign * value for value in values], sign * question.target
    t = one_sample_t(losses, target).p_value
    sigma = figure.sigma or question.sigma
    z = one_sample_z(losses, target, sigma).p_value if sigma else None
    two_sided = None if t is None or question.one_sided else 2 * min(t, 1 - t)
    return [z, t, two_sided] if figure.sigma else [t, z, two_sided]
