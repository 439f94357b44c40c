"""What a log says of a run beside its losses: software, hardware, header and data.

The header of the bundled trainer consists of lines `key: value` with a value of JSON each.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any, NamedTuple

from speedcheck.logs.header_keys import KINDS
from speedcheck.logs.log_file import Environment, Header
from speedcheck.logs.log_text import Problems, quoted

_VERSIONS = {
    "python": re.compile(rb"\nRunning Python ([0-9][^\s]*)"),
    "torch": re.compile(rb"\nRunning (?:PyTorch|pytorch) ([0-9][^\s]*)"),
    "cuda": re.compile(rb"\nRunning (?:PyTorch|pytorch) [^\s]+ compiled for CUDA ([0-9.]+)"),
    "triton": re.compile(rb"\nRunning Triton version ([0-9][^\s]*)"),
    "driver": re.compile(rb"\n\| NVIDIA-SMI [^\n]*?Driver Version: *([0-9.]+)"),
}
# Repetitions are bounded, since a line of a stranger's log may hold a million blanks.
# "Running on device_name=NVIDIA L40S with world_size=8", and at the end of the PyTorch line
# "on NVIDIA H100 80GB HBM3 with world_size 8".
_WORLD = re.compile(
    rb"\nRunning (?:[^\n]{1,99}? )?on (?:device_name=)?([^\n]{1,99}?)"
    rb" with world_size[= ]([0-9]{1,6})"
)
# A row of nvidia-smi's table: index, name, persistence mode (or the driver model), bus id. The
# table may be there twice, and a GPU is one by its index and its place on the bus.
_SMI_ROW = re.compile(
    rb"\n\| {1,9}(?P<index>[0-9]{1,4}) {1,9}(?P<name>\S[^|\n]{0,99}?) {1,99}"
    rb"(?:On|Off|N/A|WDDM|TCC|MCDM) {0,9}\| {0,9}(?P<bus>[0-9A-Fa-f]{4,8}:[0-9A-Fa-f:.]{0,9})"
)


def read_environment(preamble: bytes) -> Environment:
    """The environment that a text with a line end before its first line names."""
    versions = {key: _first(pattern, preamble) for key, pattern in _VERSIONS.items()}
    gpus = {row.group("index", "bus"): row["name"] for row in _SMI_ROW.finditer(preamble)}
    names = tuple(map(_shown, gpus.values()))
    world = _WORLD.search(preamble)
    if world is not None:
        names = names or (_shown(world[1]),)
    n_gpus = int(world[2]) if world else len(names) or None
    return Environment(**versions, gpu=_one_name(names), gpu_names=names, n_gpus=n_gpus)


def with_header(environment: Environment, header: Header | None) -> Environment:
    """The environment with what the bundled trainer's header knows better: what really trained."""
    if header is None or header.device is None:
        return environment
    if header.device != "cuda":
        return replace(environment, gpu=None, gpu_names=(), n_gpus=0)
    gpus = header.gpus or ()
    names = tuple(str(gpu["name"]) for gpu in gpus if "name" in gpu) or environment.gpu_names
    driver = next((str(gpu["driver"]) for gpu in gpus if "driver" in gpu), environment.driver)
    return replace(
        environment, gpu=_one_name(names), gpu_names=names, n_gpus=header.ranks, driver=driver
    )


def completed(environment: Environment, before: Environment) -> Environment:
    """What a later run in one file does not repeat is as in the run before it."""
    missing: dict[str, Any] = {
        field.name: getattr(before, field.name)
        for field in fields(Environment)
        if getattr(environment, field.name) in {None, ()}
    }
    return replace(environment, **missing)


def _first(pattern: re.Pattern[bytes], text: bytes) -> str | None:
    match = pattern.search(text)
    return _shown(match[1]) if match else None


def _shown(text: bytes) -> str:
    return text.decode("utf-8", "replace")


def _one_name(names: tuple[str, ...]) -> str | None:
    return " + ".join(dict.fromkeys(names)) or None


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


def _value(key: str, text: str, position: int, problems: Problems) -> dict[str, Any]:
    """{key: value}, or nothing for an unknown key or a value that is a problem."""
    if key not in KINDS:
        return {}
    is_right, kind = KINDS[key]
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
    gpus, argv = values.get("gpus"), values.get("argv")
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
        argv=None if argv is None else tuple(argv),
        variables=values.get("environment"),
        compile_cache=values.get("compile_cache"),
        device=world.get("device"),
        ranks=world.get("ranks"),
        threads=world.get("threads"),
        started=values.get("started"),
        worker=worker.get("id"),
        worker_order=worker.get("order"),
        side_by_side=values.get("side_by_side", 1),
    )


# "val_tokens: 36562944", "train_loader:dataset:fineweb10B train_shards:80"; in a line of JSON the
# key ends in a quote, and such lines are the header's.
_FINGERPRINT = re.compile(
    rb"(?:(?<=[\s,(])|\A)(val_tokens|train_shards) ?[:=] ?([0-9][0-9_,]{0,19})(?![0-9A-Za-z_.*])"
)


class Fingerprints(NamedTuple):
    """What a log prints of its data; None where it prints nothing.

    Attributes:
        val_tokens: the number of validation tokens.
        train_shards: the number of training shards.
    """

    val_tokens: int | None
    train_shards: int | None


def read_fingerprints(text: bytes) -> Fingerprints:
    """Read the first line of each kind in the output of a program."""
    # Most logs print neither, and two plain searches take a hundredth of the expression's time.
    if b"val_tokens" not in text and b"train_shards" not in text:
        return Fingerprints(None, None)
    found: dict[bytes, int] = {}
    for match in _FINGERPRINT.finditer(text):
        count = parse_count(match[2].decode())
        if count is not None:
            found.setdefault(match[1], count)
    return Fingerprints(found.get(b"val_tokens"), found.get(b"train_shards"))


def parse_count(text: str) -> int | None:
    """Read a whole number, whose digits may be grouped; None unless the text is one."""
    digits = text.replace(",", "").replace("_", "")
    return int(digits) if digits.isascii() and digits.isdecimal() and len(digits) <= 18 else None
