"""Sections that speak of one set of runs, put together; figures that contradict each other."""

from __future__ import annotations

from speedcheck.claims.model import ClaimSet, Figure, loosened
from speedcheck.claims.words import is_neutral


def merged(sets: list[ClaimSet]) -> list[ClaimSet]:
    """Return the sets of a document, those that only continue another one put into it.

    A section without a list of losses speaks of the record's one list, if there is but one: for
    sure under a heading such as "Statistics", else perhaps, and then its figures become loose.
    """
    main = _main(sets)
    kept: list[ClaimSet] = []
    for claims in sets:
        if claims is main or main is None or not _continues(main, claims):
            kept.append(claims)
        else:
            _absorb(main, claims)
    for claims in kept:
        claims.figures = _unique(claims.figures)
        _loosen_contradictions(claims)
    return [claims for claims in kept if claims.series or claims.figures]


def _main(sets: list[ClaimSet]) -> ClaimSet | None:
    """Return the one set of the record's own that others can continue."""
    own = [claims for claims in sets if claims.role == "record"]
    listed = [claims for claims in own if claims.of_kind("losses")]
    if listed:
        return listed[0] if len(listed) == 1 else None
    return own[0] if own else None


def _continues(main: ClaimSet, claims: ClaimSet) -> bool:
    if claims.role != "record" or claims.of_kind("losses"):
        return False
    return not (main.of_kind("times") and claims.of_kind("times"))


def _absorb(main: ClaimSet, claims: ClaimSet) -> None:
    heading = claims.name.split(" / ")[-1]
    sure = bool(claims.series) or claims.section == main.section or is_neutral(heading)
    main.series += claims.series
    main.figures += [f if sure or f.strength == "tied" else loosened(f) for f in claims.figures]
    main.one_sided |= claims.one_sided
    main.target = main.target if main.target is not None else claims.target


def _unique(figures: list[Figure]) -> list[Figure]:
    """Leave out a loose figure that only repeats another, and what one line says twice."""
    kept: dict[object, Figure] = {}
    for figure in figures:
        key = (figure.what, figure.number.text, figure.unit, figure.step, figure.bound)
        known = kept.get(key)
        if known is None or (known.strength == "loose" and figure.strength != "loose"):
            kept[key] = figure
    return sorted(kept.values(), key=lambda figure: figure.line)


def _loosen_contradictions(claims: ClaimSet) -> None:
    """Make loose what a set states twice with different digits: one is of something else.

    What the text computes from a list is of that list, and stays as sure as it was.
    """
    by_what: dict[object, list[Figure]] = {}
    for figure in claims.figures:
        if figure.strength != "loose":
            by_what.setdefault((figure.what, figure.bound), []).append(figure)
    doubtful = {
        id(figure)
        for group in by_what.values()
        for figure in group
        if figure.strength == "stated" and any(contradict(figure, other) for other in group)
    }
    claims.figures = [loosened(f) if id(f) in doubtful else f for f in claims.figures]


def contradict(one: Figure, other: Figure) -> bool:
    """Return whether two figures of one subject cannot both be of the same runs and step."""
    steps = {one.step, other.step} - {None}
    if len(steps) > 1 or one.unit != other.unit or one.bayesian != other.bayesian:
        return False
    digits = min(one.number.decimals, other.number.decimals)
    difference = abs(one.number.value - other.number.value)
    return difference > 0.5 * 10.0**-digits * (1 + 1e-9)
