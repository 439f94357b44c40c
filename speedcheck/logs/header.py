"""The header of the bundled trainer: `key: value` lines with a value of JSON each."""

from __future__ import annotations

import json
import math
import re
from typing import TYPE_CHECKING, Any

from speedcheck.logs.model import Header
from speedcheck.logs.text import quoted

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from speedcheck.logs.text import Problems

VERSION = 1
_MARK = b"\nspeedcheck_log: "
_LINE = re.compile(rb"\n([a-z_][a-z0-9_]*): ([^\n]*)")


def read_header(data: bytes, start: int, end: int, problems: Problems) -> Header | None:
    """The header between two positions; None in a log of another trainer.

    Values that are not JSON, or not of the kind that docs/log-format.md gives, become problems.
    """
    begin = data.find(_MARK, start, end)
    if begin < 0:
        return None
    values: dict[str, Any] = {}
    # A value is read up to its line end, which is left for the next line to start with.
    for match in _LINE.finditer(data, begin, end):
        key = match[1].decode()
        values |= _value(key, match[2].decode("utf-8", "replace"), match.start() + 1, problems)
    if values.get("speedcheck_log") != VERSION:
        problems.add(
            "header", begin + 1, f"header version is not {VERSION}; this header is not read"
        )
        return None
    return _header(values)


def _is_integer(value: Any) -> bool:
    # A table's column holds 64 bits.
    return isinstance(value, int) and not isinstance(value, bool) and -(2**63) <= value < 2**63


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_object(value: Any) -> bool:
    return isinstance(value, dict)


def _is_git(value: Any) -> bool:
    return value is None or (
        _is_object(value) and _is_text(value.get("commit")) and isinstance(value.get("clean"), bool)
    )


def _is_gpus(value: Any) -> bool:
    return isinstance(value, list) and all(
        _is_object(gpu) and all(map(_is_text, gpu.values())) for gpu in value
    )


def _is_world(value: Any) -> bool:
    return (
        _is_object(value)
        and _is_text(value.get("device"))
        and _is_integer(value.get("ranks"))
        and _is_integer(value.get("threads"))
    )


def _is_worker(value: Any) -> bool:
    return _is_object(value) and _is_text(value.get("id")) and _is_integer(value.get("order"))


_KINDS: Mapping[str, tuple[Callable[[Any], bool], str]] = {
    "speedcheck_log": (_is_integer, "an integer"),
    "seed": (_is_integer, "an integer"),
    "recipe": (_is_text, "a string"),
    "config": (_is_object, "an object"),
    "source_sha256": (_is_text, "a string"),
    "git": (_is_git, "null or an object with commit and clean"),
    "data": (_is_object, "an object"),
    "timing": (_is_text, "a string"),
    "host": (_is_object, "an object"),
    "gpus": (_is_gpus, "a list of objects of strings"),
    "world": (_is_world, "an object with device, ranks and threads"),
    "started": (_is_text, "a string"),
    "worker": (_is_worker, "an object with id and order"),
    "side_by_side": (_is_integer, "an integer"),
}
"""The keys of docs/log-format.md: how a value is checked, and what it should be, in words."""


def _value(key: str, text: str, position: int, problems: Problems) -> dict[str, Any]:
    """{key: value}, or nothing for an unknown key or a value that is a problem."""
    if key not in _KINDS:
        return {}
    is_right, kind = _KINDS[key]
    try:
        value = parse_json(text)
    except ValueError as error:
        problems.add("header", position, f"header key {key!r} is not JSON: {error}")
        return {}
    if not is_right(value):
        problems.add("header", position, f"header key {key!r} is not {kind}: {quoted(text)}")
        return {}
    return {key: value}


def parse_json(text: str) -> Any:
    """A JSON value of finite numbers.

    Raises:
        ValueError: the text is something else, or nested too deeply to read.
    """
    try:
        return json.loads(text, parse_constant=_refuse, parse_float=_finite)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error


def _refuse(constant: str) -> float:
    raise ValueError(f"{constant} is not a JSON number")


def _finite(number: str) -> float:
    value = float(number)
    return value if math.isfinite(value) else _refuse(quoted(number))


def _header(values: Mapping[str, Any]) -> Header:
    git = values.get("git") or {}
    world = values.get("world") or {}
    worker = values.get("worker") or {}
    gpus = values.get("gpus")
    return Header(
        seed=values.get("seed"),
        recipe=values.get("recipe"),
        config=values.get("config"),
        source_sha256=values.get("source_sha256"),
        git_commit=git.get("commit"),
        git_clean=git.get("clean"),
        data=values.get("data"),
        timing=values.get("timing"),
        host=values.get("host"),
        gpus=None if gpus is None else tuple(gpus),
        device=world.get("device"),
        ranks=world.get("ranks"),
        threads=world.get("threads"),
        started=values.get("started"),
        worker=worker.get("id"),
        worker_order=worker.get("order"),
        side_by_side=values.get("side_by_side", 1),
    )
