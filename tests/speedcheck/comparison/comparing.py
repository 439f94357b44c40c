"""What the tests of `speedcheck compare` share: figures, and the command with its JSON checked."""

from __future__ import annotations

import json
from importlib.resources import files

from jsonschema import Draft202012Validator

SCHEMA = json.loads(files("speedcheck").joinpath("schema/comparison.schema.json").read_text())
LOSSES = [3.2777, 3.2795, 3.2784, 3.2782, 3.2778, 3.2779, 3.2786, 3.2790]
FAST = [175_000 + ms for ms in (-130, -80, -40, 0, 10, 50, 70, 120)]
SLOW = [180_000 + ms for ms in (60, -90, 130, -20, 40, -110, 90, -70)]
GPUS = ("NVIDIA H100",)


def compared(cli, *arguments):
    """Compare by the command, and hold its JSON to the schema and to the exit code."""
    result = cli("compare", "--json", *arguments)
    assert result.err == ""
    found = json.loads(result.out)
    Draft202012Validator(SCHEMA).validate(found)
    assert result.code == {"better": 0, "worse": 1, "undecided": 3}[found["outcome"]]
    return found
