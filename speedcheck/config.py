"""speedcheck.toml: a project's own tracks.

The file stands at the root of the record's git repository, or else in the working directory. One
further down is never read: whoever submits a record, with subfolders or without, must not bring
along the rule that it is judged by.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

from speedcheck import toml
from speedcheck.errors import InputError, UsageError
from speedcheck.logs.pattern import LogPattern
from speedcheck.tracks import (
    ALPHA,
    TRACKS,
    Cost,
    Direction,
    Test,
    Track,
    alpha_of_margin,
    get_track,
)

CONFIG_NAME = "speedcheck.toml"

_KEYS = (
    "target",
    "direction",
    "alpha",
    "test",
    "sigma",
    "margin",
    "cost",
    "hardware",
    "val_tokens",
    "log_pattern",
)
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


@dataclass(frozen=True, slots=True)
class Config:
    """What a project decides for all its records.

    Attributes:
        tracks: the known tracks by their names, the built-in ones among them.
        default_track: the track of a record that names none; None for the built-in choice.
        gate_table: the table [gate], which the gate alone reads; None without one.
    """

    tracks: Mapping[str, Track]
    default_track: str | None = None
    gate_table: toml.Table | None = None


def load_config(folder: Path, file: Path | None = None) -> Config:
    """Return the configuration for the records in `folder`.

    Args:
        folder: the record folder.
        file: the configuration that the caller names; that of the project unless given.

    Raises:
        InputError: the file cannot be read, or a value in it is not what it should be.
    """
    path = file or _find(folder)
    return read_config(path) if path else Config(TRACKS)


def read_config(path: Path) -> Config:
    """Read a speedcheck.toml.

    Raises:
        InputError: the file cannot be read, or a value in it is not what it should be.
    """
    table = toml.read_table(path)
    table.refuse_unknown(("default_track", "tracks", "gate"))
    own = table.table("tracks")
    tracks = {name: _track(name, t, path) for name, t in own.tables().items()} if own else {}
    config = Config(
        TRACKS | tracks,
        table.get("default_track", toml.text, "the name of a track"),
        table.table("gate"),
    )
    if config.default_track is not None:
        try:
            get_track(config.default_track, config.tracks)
        except UsageError as error:
            what = f"default_track: {error.what}"
            raise InputError(what, where=str(path), remedy=error.remedy) from None
    return config


def project_root(folder: Path) -> Path | None:
    """Return the root of the repository above `folder`, else the working directory above it.

    Both are looked for above the folder, not at it; None where neither is there.
    """
    above = folder.resolve().parents
    repository = next((parent for parent in above if (parent / ".git").exists()), None)
    here = Path.cwd().resolve()
    return repository or (here if here in above else None)


def _find(folder: Path) -> Path | None:
    root = project_root(folder)
    path = root / CONFIG_NAME if root else None
    if path is None or not path.is_file():
        return None
    if path.is_symlink():
        remedy = "name the file with --config"
        raise InputError("is a link: links are not followed", where=str(path), remedy=remedy)
    return path


def _track(name: str, table: toml.Table, path: Path) -> Track:
    _check_name(name, table)
    table.refuse_unknown(_KEYS)
    target = table.get("target", toml.number, "a finite number")
    if target is None:
        raise InputError("target is missing", where=table.where, remedy="give the figure to beat")
    test: Test = table.get("test", toml.one_of(get_args(Test)), '"t" or "known-sigma"') or "t"
    sigma, alpha = _sigma_and_alpha(table, test)
    n_gpus, gpu = _hardware(table.table("hardware"))
    direction = table.get("direction", toml.one_of(get_args(Direction)), '"less" or "greater"')
    cost = table.get("cost", toml.one_of(get_args(Cost)), '"time" or "steps"')
    log_pattern = _log_pattern(table)
    if cost == "steps" and log_pattern and not log_pattern.has_steps:
        remedy = "let log_pattern give the step"
        raise InputError('cost is "steps", which no log tells', where=table.where, remedy=remedy)
    return Track(
        name=name,
        target=target,
        alpha=alpha,
        typical_sd=sigma,
        n_gpus=n_gpus,
        gpu=gpu,
        val_tokens=table.get("val_tokens", toml.whole, "a whole number from 0"),
        direction=direction or "less",
        test=test,
        sigma=sigma,
        cost=cost or "time",
        log_pattern=log_pattern,
        source=str(path),
    )


def _check_name(name: str, table: toml.Table) -> None:
    if not _NAME.fullmatch(name):
        remedy = "use letters, digits, '.', '-' and '_'"
        raise InputError(f"{name[:60]!r} cannot name a track", where=table.where, remedy=remedy)
    if name in TRACKS:
        remedy = "choose another name"
        raise InputError(f"{name!r} is a built-in track", where=table.where, remedy=remedy)


def _sigma_and_alpha(table: toml.Table, test: Test) -> tuple[float | None, float]:
    """Return the known standard deviation, if any, and the level, which a margin can say too."""
    sigma = table.get("sigma", toml.positive, "a number above 0")
    margin = table.get("margin", toml.positive, "a number above 0")
    alpha = table.get("alpha", toml.probability, "a number between 0 and 1")
    if (test == "known-sigma") != (sigma is not None):
        remedy = 'give test = "known-sigma" and sigma, or neither'
        given = "is missing" if sigma is None else f"is {sigma:g}"
        raise InputError(f"test is {test!r}, sigma {given}", where=table.where, remedy=remedy)
    if margin is None:
        return sigma, ALPHA if alpha is None else alpha
    if sigma is None or alpha is not None:
        remedy = "give it with sigma, and without alpha"
        raise InputError(f"margin is {margin:g}", where=table.where, remedy=remedy)
    alpha = alpha_of_margin(margin, sigma)
    if alpha == 0:
        remedy = "give a margin of a few sigma"
        raise InputError(f"margin is {margin:g}", where=table.where, remedy=remedy)
    return sigma, alpha


def _hardware(table: toml.Table | None) -> tuple[int | None, str | None]:
    if table is None:
        return None, None
    table.refuse_unknown(("n_gpus", "gpu"))
    n_gpus = table.get("n_gpus", toml.whole, "a whole number from 0")
    gpu = table.get("gpu", toml.text, "a word of the GPU's name")
    if n_gpus is None or gpu is None:
        remedy = 'give both, as in { n_gpus = 8, gpu = "H100" }'
        raise InputError("n_gpus or gpu is missing", where=table.where, remedy=remedy)
    return n_gpus, gpu


def _log_pattern(table: toml.Table) -> LogPattern | None:
    expression = table.get("log_pattern", toml.text, "a regular expression")
    if expression is None:
        return None
    try:
        return LogPattern(expression)
    except ValueError as error:
        remedy = "docs/tracks.md has an example"
        raise InputError(f"log_pattern {error}", where=table.where, remedy=remedy) from None
