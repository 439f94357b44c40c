"""How well the losses that documents list fit to runs, and which runs they set apart."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence

from speedcheck.claims.model import Series
from speedcheck.logs import Run
from speedcheck.program import differences
from speedcheck.program.sources import Sources

# Runs of programs that differ in no more are runs of one program: a list that names some of them
# leaves the others out, and sets nothing apart.
_OF_ONE_PROGRAM = ("same", "text", "names")


def fit(runs: Sequence[Run], members: Sequence[int], listed: Sequence[Series]) -> int:
    """Return how many of the runs the best fitting list names, less those that it does not."""
    return max((_fit(runs, members, series) for series in listed), default=0)


def set_apart(
    runs: Sequence[Run],
    kinds: Sequence[Sequence[int]],
    listed: Sequence[Series],
    sources: Sources,
) -> list[list[int]]:
    """Divide a kind once more where a list names the runs of one of its programs alone.

    The programs of a kind may differ in constants, or be unreadable. Such runs can be a setting
    and its ablation, which the code does not tell and the documents do. A single run that no list
    names is no ablation, but one that was left out.

    Args:
        runs: all runs.
        kinds: positions of the runs of each kind.
        listed: lists of losses that the record's documents claim.
        sources: the programs of the runs.
    """
    everything = [index for kind in kinds for index in kind]
    best = max(0, *(fit(runs, members, listed) for members in (*kinds, everything)))
    for kind in kinds:
        part = _best_part(runs, kind, listed, sources)
        rest = sorted(set(kind) - set(part))
        if len(rest) > 1 and fit(runs, part, listed) > best:
            return sorted([*(list(other) for other in kinds if other != kind), part, rest])
    return [list(kind) for kind in kinds]


def _fit(runs: Sequence[Run], members: Sequence[int], series: Series) -> int:
    claimed = Counter(round(value, series.decimals) for value in series.values)
    losses = [runs[index].val_loss for index in members]
    logged = Counter(round(loss, series.decimals) for loss in losses if loss is not None)
    matched = (claimed & logged).total()
    return matched - (len(members) - matched)


def _best_part(
    runs: Sequence[Run], kind: Sequence[int], listed: Sequence[Series], sources: Sources
) -> list[int]:
    """The runs of the program that a list fits best, and of those that are the same one."""
    by_text: dict[str | None, list[int]] = defaultdict(list)
    for index in kind:
        by_text[runs[index].source_sha256].append(index)
    best = max(by_text.values(), key=lambda members: fit(runs, members, listed))
    if fit(runs, best, listed) <= fit(runs, kind, listed):
        return list(kind)
    same = [
        index
        for members in by_text.values()
        if members is best or _is_one_program(runs[best[0]], runs[members[0]], sources)
        for index in members
    ]
    return sorted(same)


def _is_one_program(a: Run, b: Run, sources: Sources) -> bool:
    first, second = sources.of(a), sources.of(b)
    if first is None or second is None:
        return False
    difference = next(differences(first.program, [second.program]))
    return difference is not None and difference.kind in _OF_ONE_PROGRAM
