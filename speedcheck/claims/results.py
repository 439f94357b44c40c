"""Results in the form in which scipy and PyTorch print them."""

from __future__ import annotations

import re
from typing import Literal

from speedcheck.certificate import ClaimSubject
from speedcheck.claims import words as vocabulary
from speedcheck.claims.model import Figure, Kind, Strength
from speedcheck.claims.numbers import NUMBER, printed
from speedcheck.claims.prose import LIKELY_LOSS, Context

# A Bayesian estimate and its interval, as scipy.stats.bayes_mvs gives them.
_ESTIMATE = re.compile(
    rf"(?P<what>Mean|Std_dev)\(statistic=(?P<value>{NUMBER}),\s?"
    rf"minmax=\((?P<low>{NUMBER}),\s?(?P<high>{NUMBER})\)\)"
)
# The sample sd and the mean, in float32, as torch.std_mean gives them.
_STD_MEAN = re.compile(
    rf"\(tensor\((?P<std>{NUMBER})[^()]{{0,40}}\),\s?tensor\((?P<mean>{NUMBER})[^()]{{0,40}}\)\)"
)

# A model that knows nothing of a vocabulary of 50,304 tokens has 10.8 nats per token.
_MOST_LOSS = 12

# The deviation and the mean.
_SUBJECTS: dict[Kind, tuple[ClaimSubject, ClaimSubject]] = {
    "losses": ("std", "mean"),
    "times": ("time_std", "time_mean"),
}


def read_result(text: str, line: int, context: Context) -> list[Figure]:
    """Return the figures of a plain line that a program printed; none where it is no such line."""
    estimate = _ESTIMATE.search(text)
    if estimate:
        return _bayes_mvs(estimate, line, context)
    pair = _STD_MEAN.search(text)
    return _std_mean(pair, text[: pair.start()], line, context) if pair else []


def _bayes_mvs(estimate: re.Match[str], line: int, context: Context) -> list[Figure]:
    is_mean, value = estimate["what"] == "Mean", printed(estimate["value"])
    is_no_loss = is_mean and value is not None and value.value > _MOST_LOSS
    is_of_times = is_no_loss or (not is_mean and context.kind == "times")
    what = _SUBJECTS["times" if is_of_times else "losses"][is_mean]
    ends: tuple[tuple[str, Literal["low", "high"] | None], ...]
    ends = (("value", None), ("low", "low"), ("high", "high"))
    return [
        Figure(what, number, line, _strength(context), of=context.of, bound=bound, bayesian=True)
        for key, bound in ends
        if (number := printed(estimate[key]))
    ]


def _std_mean(pair: re.Match[str], label: str, line: int, context: Context) -> list[Figure]:
    std, mean = printed(pair["std"]), printed(pair["mean"])
    if std is None or mean is None:
        return []
    low, high = LIKELY_LOSS
    likely: Kind = "losses" if low < mean.value < high else "times"
    kind = vocabulary.kind_of(label) or vocabulary.kind_of(" ".join(context.of)) or likely
    return [
        Figure(
            what,
            number,
            line,
            _strength(context),
            step=context.step,
            of=context.of,
            in_float32="float64" not in pair[0],
        )
        for what, number in zip(_SUBJECTS[kind], (std, mean), strict=True)
    ]


def _strength(context: Context) -> Strength:
    return "tied" if context.of else "stated"
