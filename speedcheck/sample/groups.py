"""Groups of runs: the same code and the same planned steps, whatever the files are called."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from pathlib import PurePosixPath

from speedcheck.certificate import Ground
from speedcheck.errors import UsageError
from speedcheck.logs import Run
from speedcheck.program import Sources
from speedcheck.records.record_toml import Role
from speedcheck.sample.sample import ALL_GROUPS, Group
from speedcheck.sample.select import named


def divide(
    runs: Sequence[Run], members: Sequence[int], sources: Sources
) -> list[tuple[list[int], bool]]:
    """Return the positions in `members` by group, and whether its program is known.

    The groups are in the order of their first logs.

    Runs of one group have programs with the same code (constants, names and comments aside) and
    the same planned steps. Runs whose program is unknown are of one group.
    """
    codes = sources.codes_of([runs[index] for index in members])
    by_key: dict[tuple[str | None, int | None], list[int]] = defaultdict(list)
    for index, code in zip(members, codes, strict=True):
        by_key[code, runs[index].total_steps].append(index)
    return sorted((part, code is not None) for (code, _), part in by_key.items())


def describe(runs: Sequence[Run], members: Sequence[int], role: Role | None) -> str:
    """Return in words what the runs of a group have in common."""
    run = runs[members[0]]
    count = f"{len(members)} run" if len(members) == 1 else f"{len(members)} runs"
    steps = "" if run.total_steps is None else f" of {run.total_steps} steps"
    program = _program({runs[index].source_sha256 for index in members} - {None})
    declared = "" if role is None else f", declared as {role}"
    return f"{count}{steps}, {program}, first log {PurePosixPath(run.log).name}{declared}"


def _program(sha256s: set[str | None]) -> str:
    """Return the programs of a group, which have the same code, in words."""
    if len(sha256s) > 1:
        return f"{len(sha256s)} programs of the same code"
    return "no program" if not sha256s else f"program {str(*sha256s)[:8]}"


def letter(number: int) -> str:
    """Return A, B, ... Z, A1, B1, ..."""
    round_, place = divmod(number, 26)
    return chr(ord("A") + place) + (str(round_) if round_ else "")


def choose(
    groups: Sequence[Group],
    runs: Sequence[Run],
    asked: str | None,
    declared: Sequence[str] | None,
) -> tuple[tuple[Group, ...], Ground]:
    """Choose the group that is judged, and say on what ground; no group where it is undecided.

    The caller's word comes first, then what record.toml declares. Otherwise the only group with a
    run that can count is judged. A declared sample is one group; runs whose program is unknown
    join it where record.toml names them too. Where it does not, nothing shows that they are others.
    A declared sample without a run that can count is none, whatever else the folder holds.

    Args:
        groups: all groups.
        runs: all runs.
        asked: the name that the caller gives, or "all"; None for none.
        declared: the patterns under [sample] in record.toml; None without any.

    Raises:
        UsageError: no group has the name that the caller gives.
    """
    candidates = [group for group in groups if group.usable and group.role is None]
    if asked is not None:
        return _asked(groups, candidates, asked), "asked"
    if not candidates:
        return (), "no_logs"
    chosen = tuple(candidates) if declared is None else named_groups(declared, candidates, runs)
    if len(candidates) == len(chosen) == 1:
        return chosen, "only_group"
    is_decided = _is_one_sample(chosen, runs) and not may_be_of(chosen, candidates, runs)
    return (chosen, "declared") if declared is not None and is_decided else ((), "undecided")


def _asked(groups: Sequence[Group], candidates: Sequence[Group], name: str) -> tuple[Group, ...]:
    if name.lower() == ALL_GROUPS:
        return tuple(candidates)
    found = tuple(group for group in groups if group.name.lower() == name.lower())
    if not found:
        known = "; ".join(f"{group.name}: {group.label}" for group in groups)
        raise UsageError(
            f"there is no group {name!r}", remedy=f"choose 'all' or one of {known or 'none'}"
        )
    return found


def named_groups(
    patterns: Sequence[str], groups: Sequence[Group], runs: Sequence[Run]
) -> tuple[Group, ...]:
    """Return the groups with a run that patterns of record.toml name."""
    return tuple(
        group
        for group in groups
        if any(named(runs[index], pattern) for index in group.usable for pattern in patterns)
    )


def _is_one_sample(chosen: Sequence[Group], runs: Sequence[Run]) -> bool:
    """Whether groups are one group of known programs, and runs of unknown ones beside it."""
    known = [group for group in chosen if group.has_program]
    steps = {runs[group.members[0]].total_steps for group in chosen}
    return bool(chosen) and len(known) <= 1 and len(steps) == 1


def may_be_of(
    chosen: Sequence[Group], candidates: Sequence[Group], runs: Sequence[Run]
) -> tuple[Group, ...]:
    """Return the groups whose runs may be of a declared sample for all that their logs show."""
    steps = {runs[group.members[0]].total_steps for group in chosen if group.has_program}
    return tuple(
        group
        for group in candidates
        if not group.has_program
        and group not in chosen
        and runs[group.members[0]].total_steps in steps
    )
