"""Which runs of a folder are one sample: a record's, its baseline's and an ablation's told apart.

Runs are of one group when they were to make the same number of steps, stand in one folder, are
named alike (as a baseline, say) and come from programs whose code is the same. A folder that
`speedcheck run` wrote is not divided: its ledger says what belongs to it.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Literal

from speedcheck.claims.model import Series
from speedcheck.errors import UsageError
from speedcheck.logs import Run
from speedcheck.program.sources import Sources

Ground = Literal["asked", "claims", "names", "majority"]

ALL_GROUPS = "all"

# Words by which people name the logs of what a record is compared with.
_OTHERS = frozenset(
    {
        "ablation",
        "ablations",
        "baseline",
        "baselines",
        "control",
        "old",
        "original",
        "previous",
        "prior",
        "reference",
        "retimed",
        "retiming",
    }
)
_WORD = re.compile(r"[a-z]+")


@dataclass(frozen=True, slots=True)
class Group:
    """Runs of one kind.

    Attributes:
        name: a letter, in the order of the groups' first logs.
        label: what its runs have in common, in words.
        members: positions of its runs.
        is_other: whether its logs are named as something that a record is compared with.
    """

    name: str
    label: str
    members: tuple[int, ...]
    is_other: bool


@dataclass(frozen=True, slots=True)
class Choice:
    """The group that is judged.

    Attributes:
        group: the group; None where all groups together are the record.
        ground: what decided.
        why: the same in words.
    """

    group: Group | None
    ground: Ground
    why: str


def find_groups(runs: Sequence[Run], members: Iterable[int], sources: Sources) -> tuple[Group, ...]:
    """Divide the runs at the positions `members` into groups; one group where all are alike."""
    by_key: dict[object, list[int]] = defaultdict(list)
    programs = _programs(runs, sources)
    for index in members:
        run = runs[index]
        path = PurePosixPath(run.log)
        others = _OTHERS.intersection(_WORD.findall(path.name.lower()))
        by_key[path.parent, frozenset(others), run.total_steps, programs[index]].append(index)
    return tuple(
        Group(_letter(number), _label(runs, indices), tuple(indices), _is_other(runs, indices))
        for number, indices in enumerate(by_key.values())
    )


def choose_group(
    groups: Sequence[Group], runs: Sequence[Run], listed: Sequence[Series], asked: str | None
) -> Choice:
    """Choose the group that is the record.

    Args:
        groups: at least two groups.
        runs: all runs.
        listed: lists of losses that the record's documents claim.
        asked: the group that the caller names, or "all"; None to leave it to the evidence.

    Raises:
        UsageError: no group has the name that the caller gives.
    """
    if asked is not None:
        return Choice(_asked(groups, asked), "asked", "--group names it")
    candidates: list[Group | None] = [*groups, None]
    scores = [
        _score(runs, group.members if group else _all(groups), series)
        for group in candidates
        for series in listed
    ]
    if scores and max(scores) > 0:
        best = candidates[scores.index(max(scores)) // len(listed)]
        return Choice(best, "claims", "its losses are those that the documents claim")
    own = [group for group in groups if not group.is_other]
    if len(own) == 1:
        return Choice(own[0], "names", "the logs of the others are named as a comparison")
    largest = max(own or groups, key=lambda group: len(group.members))
    return Choice(largest, "majority", "it has the most runs")


def _programs(runs: Sequence[Run], sources: Sources) -> list[str | None]:
    """Return for each run what the code of its program is known by.

    Programs that differ in no more than text, names and constants are known by the same; those
    that cannot be read are different ones. One program for all need not be read.
    """
    texts = [run.source_sha256 for run in runs]
    return texts if len(set(texts)) < 2 else [sources.code_of(run) for run in runs]


def _score(runs: Sequence[Run], members: Sequence[int], series: Series) -> int:
    """Return how many of the runs a list names, less those of them that it does not."""
    claimed = Counter(round(value, series.decimals) for value in series.values)
    losses = [runs[index].val_loss for index in members]
    logged = Counter(round(loss, series.decimals) for loss in losses if loss is not None)
    matched = (claimed & logged).total()
    return matched - (len(members) - matched)


def _asked(groups: Sequence[Group], name: str) -> Group | None:
    if name.lower() == ALL_GROUPS:
        return None
    found = next((group for group in groups if group.name.lower() == name.lower()), None)
    if found is None:
        known = "; ".join(f"{group.name}: {group.label}" for group in groups)
        raise UsageError(f"there is no group {name!r}", remedy=f"choose all or one of {known}")
    return found


def _all(groups: Sequence[Group]) -> tuple[int, ...]:
    return tuple(index for group in groups for index in group.members)


def _letter(number: int) -> str:
    """Return A, B, ... Z, A1, B1, ..."""
    round_, letter = divmod(number, 26)
    return chr(ord("A") + letter) + (str(round_) if round_ else "")


def _label(runs: Sequence[Run], members: Sequence[int]) -> str:
    run = runs[members[0]]
    count = f"{len(members)} run" if len(members) == 1 else f"{len(members)} runs"
    steps = "" if run.total_steps is None else f" of {run.total_steps} steps"
    program = "" if run.source_sha256 is None else f", program {run.source_sha256[:8]}"
    return f"{count}{steps}{program}, {PurePosixPath(run.log).name} the first"


def _is_other(runs: Sequence[Run], members: Sequence[int]) -> bool:
    name = PurePosixPath(runs[members[0]].log).name.lower()
    return not _OTHERS.isdisjoint(_WORD.findall(name))
