"""[gate] of speedcheck.toml: what a branch's records must show, by the folder that they are in.

Every key has a strict default, and every default is written once, in `PathRules`. A table of
[gate.paths] changes the keys that it names for the folders that its pattern matches; of several
that match, a later one wins.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from pathlib import PurePosixPath
from typing import Any, Literal, get_args

from speedcheck import toml
from speedcheck.rules.rule import SystemsRule
from speedcheck.rules.tracks import DEFAULT_TRACK

Unknown = Literal["rules", "hardware"]
"""What may be unknown of a record that passes."""
Stopping = Literal["fixed", "sequential"]
"""How the number of runs may be decided."""

_KEYS = ("track", "allow_unknown", "systems", "stopping", "may_add_runs", "artifacts")
_ANY_PARTS = "**"


@dataclass(frozen=True, slots=True)
class PathRules:
    """The rules for the records of one folder.

    Attributes:
        tracks: names of the tracks that a record may enter. The first is that of a record that
            names none.
        allow_unknown: what may be unknown of a record that passes.
        systems: what a systems record must show; None where such records do not pass.
        stopping: how the number of runs may be decided.
        may_add_runs: whether a branch may add runs to a record that was merged before.
        artifacts: patterns of files that are allowed although they cannot be searched for runs.
    """

    tracks: tuple[str, ...] = (DEFAULT_TRACK,)
    allow_unknown: frozenset[Unknown] = frozenset()
    systems: SystemsRule | None = None
    stopping: frozenset[Stopping] = frozenset(("fixed",))
    may_add_runs: bool = False
    artifacts: tuple[str, ...] = ()

    def allows_artifact(self, name: str) -> bool:
        """Return whether a file is allowed unsearched; `name` is its path inside the record."""
        return any(PurePosixPath(name).match(pattern) for pattern in self.artifacts)


@dataclass(frozen=True, slots=True)
class GateRules:
    """The rules for all records of a repository.

    Attributes:
        default: what holds where no pattern matches.
        paths: patterns of folders with the keys that they change, in the order of the file.
    """

    default: PathRules = PathRules()
    paths: tuple[tuple[str, dict[str, Any]], ...] = ()

    def for_path(self, folder: PurePosixPath) -> PathRules:
        """Return the rules for the records in `folder`, a path inside the repository."""
        rules = self.default
        for pattern, changes in self.paths:
            if matches(folder, pattern):
                rules = replace(rules, **changes)
        return rules

    def track_names(self) -> frozenset[str]:
        """Return the names of all tracks that are allowed somewhere."""
        named = {name for _, changes in self.paths for name in changes.get("tracks", ())}
        return frozenset((*self.default.tracks, *named))


def read_gate_rules(table: toml.Table | None, default_track: str | None = None) -> GateRules:
    """Read the table [gate] of a speedcheck.toml.

    Args:
        table: the table; None where the file has none, which leaves every default.
        default_track: the file's default_track, which holds where [gate] names no track.

    Raises:
        InputError: a key is not known, or a value is not what it should be.
    """
    default = PathRules(tracks=(default_track or DEFAULT_TRACK,))
    if table is None:
        return GateRules(default)
    table.refuse_unknown((*_KEYS, "paths"))
    paths = table.table("paths")
    tables = paths.tables() if paths else {}
    for own in tables.values():
        own.refuse_unknown(_KEYS)
    return GateRules(
        default=replace(default, **_changes(table)),
        paths=tuple((pattern, _changes(own)) for pattern, own in tables.items()),
    )


def matches(folder: PurePosixPath, pattern: str) -> bool:
    """Return whether a pattern matches a folder: `*` within a name, `**` for any number of names.

    `records/**` matches the folder `records` and every folder below it.
    """
    return _match(folder.parts, PurePosixPath(pattern).parts)


def _match(names: Sequence[str], patterns: Sequence[str]) -> bool:
    """Match name by name; `reached` holds how many patterns the names so far can have used."""
    reached = _skip({0}, patterns)
    for name in names:
        after = {at for at in reached if at < len(patterns) and patterns[at] == _ANY_PARTS}
        after |= {
            at + 1 for at in reached if at < len(patterns) and fnmatchcase(name, patterns[at])
        }
        reached = _skip(after, patterns)
    return len(patterns) in reached


def _skip(reached: set[int], patterns: Sequence[str]) -> set[int]:
    """Add what is reached by letting `**` match nothing."""
    found = set(reached)
    for at in sorted(reached):
        end = at
        while end < len(patterns) and patterns[end] == _ANY_PARTS:
            end += 1
            found.add(end)
    return found


def _changes(table: toml.Table) -> dict[str, Any]:
    """Return the fields of `PathRules` that a table names."""
    unknowns, stoppings = get_args(Unknown), get_args(Stopping)
    read = {
        "tracks": table.get("track", _one_or_several, "the name of a track, or a list of names"),
        "allow_unknown": table.get("allow_unknown", _set_of(unknowns), _list_of(unknowns)),
        "stopping": table.get("stopping", _some_of(stoppings), _list_of(stoppings)),
        "may_add_runs": table.get("may_add_runs", _truth, "true or false"),
        "artifacts": table.get(
            "artifacts", toml.tuple_of(toml.text), 'patterns of files, such as ["*.pt"]'
        ),
    }
    changes = {name: value for name, value in read.items() if value is not None}
    is_off = table.get("systems", _false_or_table, "false, or a table such as { margin = 0.002 }")
    if is_off is not None:
        changes["systems"] = None if is_off else _systems(table.table("systems"))
    return changes


def _systems(table: toml.Table | None) -> SystemsRule:
    if table is None:
        return SystemsRule()
    table.refuse_unknown(("margin", "alpha", "min_runs"))
    given: dict[str, Any] = {
        "margin": table.get("margin", toml.positive, "a number above 0"),
        "alpha": table.get("alpha", toml.probability, "a number between 0 and 1"),
        "min_runs": table.get("min_runs", _two_or_more, "a whole number from 2"),
    }
    return replace(
        SystemsRule(), **{key: value for key, value in given.items() if value is not None}
    )


def _one_or_several(value: Any) -> tuple[str, ...]:
    names = (toml.text(value),) if isinstance(value, str) else toml.tuple_of(toml.text)(value)
    if not names:
        raise ValueError
    return names


def _set_of(names: tuple[str, ...]) -> Any:
    return lambda value: frozenset(toml.tuple_of(toml.one_of(names))(value))


def _some_of(names: tuple[str, ...]) -> Any:
    def read(value: Any) -> frozenset[str]:
        found: frozenset[str] = _set_of(names)(value)
        if not found:
            raise ValueError
        return found

    return read


def _list_of(names: tuple[str, ...]) -> str:
    return "a list of " + " and ".join(f'"{name}"' for name in names)


def _truth(value: Any) -> bool:
    if not isinstance(value, bool):
        raise TypeError
    return value


def _false_or_table(value: Any) -> bool:
    """Return whether the value is false; a table is read by itself."""
    if value is not False and not isinstance(value, dict):
        raise TypeError
    return value is False


def _two_or_more(value: Any) -> int:
    if toml.whole(value) < 2:
        raise ValueError
    return toml.whole(value)
