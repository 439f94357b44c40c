"""The keys of the bundled trainer's header, and what the value of each must be."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any


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


def _is_texts(value: Any) -> bool:
    return isinstance(value, list) and all(map(_is_text, value))


def _is_text_table(value: Any) -> bool:
    return _is_object(value) and all(map(_is_text, value.values()))


def _is_gpus(value: Any) -> bool:
    return isinstance(value, list) and all(
        _is_object(gpu) and all(map(_is_text, (gpu.get("name", ""), gpu.get("driver", ""))))
        for gpu in value
    )


def _is_temperature(value: Any) -> bool:
    return value in ("cold", "warm")


def _is_world(value: Any) -> bool:
    return (
        _is_object(value)
        and _is_text(value.get("device"))
        and _is_integer(value.get("ranks"))
        and _is_integer(value.get("threads"))
    )


def _is_worker(value: Any) -> bool:
    return _is_object(value) and _is_text(value.get("id")) and _is_integer(value.get("order"))


KINDS: Mapping[str, tuple[Callable[[Any], bool], str]] = {
    "speedcheck_log": (_is_integer, "an integer"),
    "seed": (_is_integer, "an integer"),
    "recipe": (_is_text, "a string"),
    "config": (_is_object, "an object"),
    "source_sha256": (_is_text, "a string"),
    "git": (_is_git, "null or an object with commit and clean"),
    "data": (_is_object, "an object"),
    "timing": (_is_text, "a string"),
    "host": (_is_object, "an object"),
    "gpus": (_is_gpus, "a list of objects whose name and driver are strings"),
    "argv": (_is_texts, "a list of strings"),
    "environment": (_is_text_table, "an object of strings"),
    "compile_cache": (_is_temperature, '"cold" or "warm"'),
    "world": (_is_world, "an object with device, ranks and threads"),
    "started": (_is_text, "a string"),
    "worker": (_is_worker, "an object with id and order"),
    "side_by_side": (_is_integer, "an integer"),
}
"""The keys of docs/log-format.md: how a value is checked, and what it should be, in words."""
