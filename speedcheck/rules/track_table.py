"""A track as a TOML table describes it, in a project's speedcheck.toml or in a preset."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

from speedcheck import toml
from speedcheck.errors import InputError
from speedcheck.logs import TIME_UNITS, Columns, Expression, ForeignFormat, LogPattern
from speedcheck.rules.tracks import (
    ALPHA,
    BUILT_IN_MEASURE,
    Cost,
    Direction,
    Limits,
    Test,
    Track,
    alpha_of_margin,
)

KEYS = (
    "target",
    "direction",
    "alpha",
    "test",
    "sigma",
    "margin",
    "improvement",
    "frontier",
    "exchange_rate",
    "cost",
    "hardware",
    "val_tokens",
    "train_shards",
    "machine_spread",
    "measure",
    "budget",
    "limits",
    "preset",
    "log_pattern",
    "log_patterns",
    "columns",
    "skip_before",
    "skip_after",
)

PRESETS = Path(__file__).parent / "presets"
"""Each file is a speedcheck.toml with one track, which has the file's name."""


def preset_names() -> tuple[str, ...]:
    """Return the names of the tracks that ship as data."""
    return tuple(sorted(path.stem for path in PRESETS.glob("*.toml")))


def read_preset(name: str) -> Track:
    """Return a track that ships as data.

    Args:
        name: one of `preset_names`.
    """
    return read_track(name, _preset_table(name), str(PRESETS / f"{name}.toml"))


def read_track(name: str, table: toml.Table, source: str) -> Track:
    """Return the track that a table describes.

    Args:
        name: its name.
        table: the table.
        source: the file that it is in.

    Raises:
        InputError: a key is unknown, or a value is not what it should be.
    """
    table.refuse_unknown(KEYS)
    preset = table.get("preset", toml.one_of(preset_names()), f"one of {', '.join(preset_names())}")
    if preset is not None:
        table = table.completed_by(_preset_table(preset))
    target = table.get("target", toml.number, "a finite number")
    if target is None:
        raise InputError("target is missing", where=table.where, remedy="give the figure to beat")
    tests = '"t", "known-sigma" or "welch"'
    test: Test = table.get("test", toml.one_of(get_args(Test)), tests) or "t"
    sigma, alpha = _sigma_and_alpha(table, test)
    n_gpus, gpu = _hardware(table.table("hardware"))
    direction = table.get("direction", toml.one_of(get_args(Direction)), '"less" or "greater"')
    cost = table.get("cost", toml.one_of(get_args(Cost)), '"time" or "steps"')
    log_format = _log_format(table)
    if cost == "steps" and log_format and not log_format.has_steps:
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
        improvement=_improvement(table, test),
        exchange_rate=_exchange_rate(table, test, cost, direction),
        cost=cost or "time",
        log_format=log_format,
        measure=_measure(table, log_format),
        budget=_limits(table.table("budget")),
        limits=_limits(table.table("limits")),
        train_shards=table.get("train_shards", toml.whole, "a whole number from 0"),
        machine_spread=table.get("machine_spread", toml.not_negative, "a number from 0"),
        source=source,
    )


def _preset_table(name: str) -> toml.Table:
    tracks = toml.read_table(PRESETS / f"{name}.toml").table("tracks")
    return (tracks.tables() if tracks else {})[name]


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


def _improvement(table: toml.Table, test: Test) -> float:
    """Return by how much a record must beat the frontier, where the track has one."""
    improvement = table.get("improvement", toml.not_negative, "a number from 0")
    frontier = table.get("frontier", toml.one_of(("best",)), '"best"')
    if test != "welch" and (improvement is not None or frontier is not None):
        key = "frontier" if improvement is None else "improvement"
        remedy = 'give it with test = "welch"'
        raise InputError(f"test is {test!r}, and {key} is given", where=table.where, remedy=remedy)
    return improvement or 0.0


def _exchange_rate(
    table: toml.Table, test: Test, cost: Cost | None, direction: Direction | None
) -> float | None:
    """Return what one step is worth, where the track says it."""
    rate = table.table("exchange_rate")
    if rate is None:
        return None
    rate.refuse_unknown(("loss", "steps"))
    loss = rate.get("loss", toml.positive, "a number above 0")
    steps = rate.get("steps", toml.positive, "a number above 0")
    if loss is None or steps is None:
        remedy = "give both, as in { loss = 0.0045, steps = 100 }"
        raise InputError("loss or steps is missing", where=rate.where, remedy=remedy)
    if test != "known-sigma" or cost != "steps" or direction == "greater":
        remedy = 'give it for losses, with test = "known-sigma" and cost = "steps"'
        raise InputError("exchange_rate is given", where=table.where, remedy=remedy)
    return loss / steps


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


def _limits(table: toml.Table | None) -> Limits:
    if table is None:
        return Limits()
    times = [f"{time}_{unit}" for time in ("train", "eval") for unit in TIME_UNITS]
    table.refuse_unknown((*times, "artifact_bytes"))
    return Limits(
        train_ms=_time_ms(table, "train"),
        eval_ms=_time_ms(table, "eval"),
        artifact_bytes=table.get("artifact_bytes", toml.whole, "a whole number from 0"),
    )


def _time_ms(table: toml.Table, name: str) -> float | None:
    given = [
        (key, value * factor)
        for unit, factor in TIME_UNITS.items()
        if (value := table.get(key := f"{name}_{unit}", toml.positive, "a number above 0"))
    ]
    if len(given) > 1:
        what = f"has both {given[0][0]} and {given[1][0]}"
        raise InputError(what, where=table.where, remedy="give one of them")
    return given[0][1] if given else None


def _measure(table: toml.Table, log_format: ForeignFormat | None) -> tuple[str, ...]:
    given = table.get("measure", toml.one_or_more(toml.text), "a word or a list of words")
    if given is not None:
        return given
    return log_format.measure if log_format else BUILT_IN_MEASURE


def _log_format(table: toml.Table) -> ForeignFormat | None:
    key = "log_pattern"
    one = table.get(key, toml.text, "a regular expression")
    several = table.get("log_patterns", toml.tuple_of(toml.text), "a list of regular expressions")
    if several is not None:
        if one is not None:
            remedy = "move the pattern into log_patterns"
            raise InputError(
                "has both log_pattern and log_patterns", where=table.where, remedy=remedy
            )
        key = "log_patterns"
    texts = several or (() if one is None else (one,))
    columns = _columns(table.table("columns"))
    skips = (_expression(table, "skip_before"), _expression(table, "skip_after"))
    if not texts and not columns:
        if several is not None or any(skips):
            what = f"{key} is missing" if several is None else "log_patterns is empty"
            raise InputError(what, where=table.where, remedy="docs/tracks.md has an example")
        return None
    try:
        patterns = tuple(LogPattern(text) for text in texts)
        return ForeignFormat(patterns, columns, *skips)
    except ValueError as error:
        remedy = "docs/tracks.md has an example"
        raise InputError(f"{key} {error}", where=table.where, remedy=remedy) from None


def _expression(table: toml.Table, key: str) -> Expression | None:
    text = table.get(key, toml.text, "a regular expression")
    try:
        return None if text is None else Expression(text)
    except ValueError as error:
        raise InputError(f"{key} {error}", where=table.where) from None


def _columns(table: toml.Table | None) -> Columns | None:
    if table is None:
        return None
    names = table.values(toml.text, "the name of a column")
    try:
        return Columns(tuple(names.items()))
    except ValueError as error:
        raise InputError(str(error), where=table.where) from None
