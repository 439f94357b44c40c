"""Which runs of a folder are one sample: a record's, its baseline's and an ablation's told apart.

Runs are of one group when they were to make the same number of steps, stand in one folder, are
named alike (as a baseline, say) and come from programs whose code is the same. A folder that
`speedcheck run` wrote is not divided: its ledger says what belongs to it.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Literal

from speedcheck.checks.claimed import fit
from speedcheck.claims.model import Series
from speedcheck.errors import UsageError
from speedcheck.logs import Run
from speedcheck.program.sources import Sources

Ground = Literal["asked", "claims", "claims alone", "names", "majority"]

ALL_GROUPS = "all"

# Words by which people name the logs of what a record is compared with.
_OTHERS = frozenset(
    {
        "ablation",
        "ablations",
        "base",
        "baseline",
        "baselines",
        "before",
        "control",
        "old",
        "orig",
        "original",
        "prev",
        "previous",
        "prior",
        "reference",
        "retime",
        "retimed",
        "retiming",
        "vanilla",
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


def find_kinds(runs: Sequence[Run], members: Iterable[int], sources: Sources) -> list[list[int]]:
    """Divide the runs at the positions `members` into kinds; one kind where all are alike.

    A log without a program, or with one that cannot be read, does not say what ran: it is of the
    kind that its folder, name and steps leave, where these leave a single one.
    """
    members = list(members)
    codes = _codes([runs[index] for index in members], sources)
    by_key: dict[object, dict[str | None, list[int]]] = defaultdict(lambda: defaultdict(list))
    for index, code in zip(members, codes, strict=True):
        run = runs[index]
        path = PurePosixPath(run.log)
        others = _OTHERS.intersection(_WORD.findall(path.name.lower()))
        # Without a plan only the end of a run says how long it was to be.
        steps = run.final_step if run.total_steps is None else run.total_steps
        by_key[path.parent, frozenset(others), steps][code].append(index)
    return sorted(kind for by_code in by_key.values() for kind in _told_apart(by_code))


def _told_apart(by_code: Mapping[str | None, list[int]]) -> Iterable[list[int]]:
    if len(by_code.keys() - {None}) > 1:
        return by_code.values()
    return [sorted(index for members in by_code.values() for index in members)]


def as_groups(runs: Sequence[Run], kinds: Iterable[Sequence[int]]) -> tuple[Group, ...]:
    """Name the kinds of runs, in the order of their first logs."""
    return tuple(
        Group(_letter(number), _label(runs, members), tuple(members), _is_other(runs, members))
        for number, members in enumerate(kinds)
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
    fits = [fit(runs, group.members if group else _all(groups), listed) for group in candidates]
    if max(fits) > 0:
        best = candidates[fits.index(max(fits))]
        return Choice(best, "claims", "its losses are those that the documents claim")
    own = [group for group in groups if not group.is_other]
    if len(own) == 1:
        return Choice(own[0], "names", "the logs of the others are named as a comparison")
    largest, *others = sorted(
        own or groups,
        key=lambda group: (len(group.members), _unplanned_end(group, runs)),
        reverse=True,
    )
    is_larger = not others or len(largest.members) > len(others[0].members)
    return Choice(
        largest, "majority", f"{'it has the most' if is_larger else 'none has more'} runs"
    )


def _unplanned_end(group: Group, runs: Sequence[Run]) -> int:
    """Return where runs without a plan end: of two such logs the shorter one may be cut."""
    run = runs[group.members[0]]
    return run.final_step or 0 if run.total_steps is None else 0


def _codes(runs: Sequence[Run], sources: Sources) -> list[str | None]:
    """Return for each run what the code of its program is known by; None where it is not known.

    Programs that differ in no more than text, names and constants are known by the same. One
    program for all need not be read.
    """
    texts = [run.source_sha256 for run in runs]
    return texts if len(set(texts)) < 2 else sources.codes_of(runs)


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
