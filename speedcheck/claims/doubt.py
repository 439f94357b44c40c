"""Figures that the logs do not give, and that are most likely of other runs."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace

from speedcheck.certificate import Claim
from speedcheck.claims.merge import contradict
from speedcheck.claims.model import Figure

Judged = tuple[Figure, Claim]

# Subjects of a line that agree with nothing and so speak of other runs together.
_FEWEST_TO_TELL = 2


def without_doubtful(judged: Sequence[Judged]) -> list[Judged]:
    """Return the figures of a document, those not checkable that are refuted with doubt.

    A figure that the text states is of other runs where the text says it otherwise elsewhere and
    the logs bear that out, or where nothing that its line states agrees with the logs. What the
    text computes from a list is of that list. The other way round, a deviation or a number of runs
    agrees easily, and beside a mean of other runs by chance.

    Args:
        judged: the figures with their claims, in any order.
    """
    doubtful = _contradicted(judged) | _foreign(judged)
    elsewhere = _of_another_mean(judged)
    return [
        (figure, replace(claim, status="not_checkable"))
        if (figure.line in doubtful and _is_in_question(figure, claim))
        or (figure.line in elsewhere and figure.strength != "tied" and figure.what != "mean")
        else (figure, claim)
        for figure, claim in judged
    ]


def _is_in_question(figure: Figure, claim: Claim) -> bool:
    return claim.status == "not_confirmed" and figure.strength == "stated"


def _contradicted(judged: Sequence[Judged]) -> set[int]:
    """Return the lines with a figure that the text elsewhere states as the logs have it."""
    known: dict[object, list[Figure]] = defaultdict(list)
    for figure, claim in judged:
        if claim.status == "confirmed" and figure.relation == "=":
            known[figure.what, figure.bound].append(figure)
    return {
        figure.line
        for figure, claim in judged
        if _is_in_question(figure, claim)
        and any(contradict(figure, other) for other in known[figure.what, figure.bound])
    }


def _of_another_mean(judged: Sequence[Judged]) -> set[int]:
    """Return the lines that state a mean of losses, and none that the logs give."""
    means = [(figure.line, claim.status) for figure, claim in judged if figure.what == "mean"]
    return {line for line, _ in means} - {
        line for line, status in means if status in ("confirmed", "not_confirmed")
    }


def _foreign(judged: Sequence[Judged]) -> set[int]:
    """Return the lines with figures of several subjects of which none agrees with the logs."""
    by_line: dict[int, list[Claim]] = defaultdict(list)
    for figure, claim in judged:
        by_line[figure.line].append(claim)
    return {
        line
        for line, claims in by_line.items()
        if len({c.what for c in claims}) >= _FEWEST_TO_TELL
        and all(c.status != "confirmed" for c in claims)
    }
