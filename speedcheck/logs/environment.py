"""Software and hardware that the lines before the first step name."""

from __future__ import annotations

import re
from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any

from speedcheck.logs.model import Environment

if TYPE_CHECKING:
    from speedcheck.logs.model import Header

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
