"""The JSON Schema of the certificate: complete, strict, and the one that the dataclasses follow.

Besides, conftest.py holds every certificate that any test makes to it.
"""

from __future__ import annotations

import copy
import json
from dataclasses import asdict, fields
from importlib.resources import files
from pathlib import Path
from typing import get_args

import pytest

from speedcheck import certificate as model
from speedcheck.api import verify
from speedcheck.checks import codes
from speedcheck.figures import FrontierFigures, SequentialFigures
from speedcheck.stats import Estimate, Runtime
from speedcheck.stats.step_rule import StepRow, StepScan
from speedcheck.verdicts import Finding, Severity, Status, Verdict

ROOT = Path(__file__).parents[2]
DEV_SET = ROOT.parent / "shared" / "logs"
SCHEMA = json.loads(files("speedcheck").joinpath("schema/certificate.schema.json").read_text())
DEFINITIONS = SCHEMA["$defs"]
NAN = float("nan")

# By definition: the class that it describes, and which of its fields the specification lets be
# null.
CLASSES = {
    "certificate": (model.Certificate, {"runtime"}),
    "run": (
        model.JudgedRun,
        {
            "log",
            "seed",
            "val_loss",
            "train_time_ms",
            "final_step",
            "total_steps",
            "complete",
            "gpu",
            "n_gpus",
            "torch",
            "source_sha256",
            "exclusion",
            "group",
            "outside_clock_s",
        },
    ),
    "group": (model.GroupSummary, {"role", "mean", "std", "p_value"}),
    "selection": (model.SelectionSummary, {"at_step", "stops_at"}),
    "loss": (
        model.LossStatistics,
        {
            "mean",
            "std",
            "t",
            "df",
            "p_value",
            "bayes_mean",
            "bayes_std",
            "sequential",
            "frontier",
            "scan",
        },
    ),
    "sequential": (SequentialFigures, {"certified_at"}),
    "frontier": (
        FrontierFigures,
        {
            "mean",
            "low",
            "high",
            "difference",
            "difference_low",
            "difference_high",
            "p_value",
            "runs_needed",
        },
    ),
    "scan": (StepScan, {"earliest"}),
    "scan_row": (StepRow, {"mean", "std", "p_value"}),
    "estimate": (Estimate, {"estimate"}),
    "runtime": (Runtime, {"std_s"}),
    "claim": (model.Claim, {"recomputed"}),
    "verdict": (Verdict, set()),
    "finding": (Finding, set()),
}


def validator(schema):
    from jsonschema import Draft202012Validator

    return Draft202012Validator(schema)


def is_valid(instance):
    return validator(SCHEMA).is_valid(instance)


@pytest.fixture
def full(build):
    """Give a certificate's JSON in which every part is there."""
    plan = {"published": {"losses": [3, 4], "p": "0.01"}}
    certificate = verify(build.record(plan=plan))
    data = certificate.to_dict()
    loss = data["loss"]
    loss["sequential"] = asdict(SequentialFigures(2, 64, (1.0, 120.5), 0.008, 2))
    loss["frontier"] = asdict(FrontierFigures("f", 3, *[0.5] * 6, 0.0, 0.01, 4))
    loss["scan"] = asdict(StepScan((StepRow(125, 2, 3.3, 0.1, 0.5, passes=False),), None))
    return json.loads(json.dumps(data))


def places(value, path=()):
    """Give the path of every object in `value`."""
    if isinstance(value, dict):
        yield path
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for key, item in items:
        if isinstance(item, dict | list):
            yield from places(item, (*path, key))


def changed(value, path, change):
    """Give a copy of `value` with the object at `path` changed."""
    value = copy.deepcopy(value)
    part = value
    for key in path:
        part = part[key]
    change(part)
    return value


def test_the_schema_is_itself_valid_and_names_its_draft_and_version():
    validator(SCHEMA).check_schema(SCHEMA)
    assert SCHEMA["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert SCHEMA["title"] == model.SCHEMA
    assert DEFINITIONS["certificate"]["properties"]["schema"] == {"const": model.SCHEMA}


@pytest.mark.parametrize("name", CLASSES)
def test_each_class_has_its_fields_and_nulls_in_the_schema(name):
    kind, nullable = CLASSES[name]
    definition = DEFINITIONS[name]
    # These two are for reports.
    names = [field.name for field in fields(kind) if field.name not in ("direction", "remedy")]
    if name == "certificate":
        names = ["schema", *(name for name in names if name != "schema")]
    assert definition["required"] == list(definition["properties"]) == names
    assert definition["additionalProperties"] is False
    allowed = {
        key
        for key, rule in definition["properties"].items()
        if validator({**rule, "$defs": DEFINITIONS}).is_valid(None)
    }
    assert allowed == nullable


def test_the_schema_knows_the_words_that_the_classes_know():
    finding, claim = DEFINITIONS["finding"]["properties"], DEFINITIONS["claim"]["properties"]
    assert finding["severity"]["enum"] == list(get_args(Severity))
    assert claim["what"]["enum"] == list(get_args(model.ClaimSubject))
    assert claim["status"]["enum"] == list(get_args(model.ClaimStatus))
    assert DEFINITIONS["verdict"]["properties"]["status"]["enum"] == list(get_args(Status))
    pattern = validator(finding["code"])
    assert all(pattern.is_valid(c) for name, c in vars(codes).items() if name.isupper())
    assert not any(pattern.is_valid(c) for c in ("P004", "p004 x", "P004 X", "P004 x ", ""))


def test_a_full_certificate_is_valid_and_so_are_lists_of_them(full):
    assert is_valid(full)
    assert is_valid([])
    assert is_valid([full, full])
    assert not is_valid([[full]])
    assert not is_valid(None)


def test_no_key_may_lack_and_none_may_be_added(full):
    objects = list(places(full))
    assert len(objects) > 20
    for path in objects:
        assert not is_valid(changed(full, path, lambda part: part.update(more=1)))
        part = full
        for key in path:
            part = part[key]
        for name in part:
            assert not is_valid(changed(full, path, lambda part, name=name: part.pop(name)))


@pytest.mark.parametrize(
    ("path", "key", "value"),
    [
        ((), "schema", "speedcheck.certificate/1"),
        ((), "certified", "yes"),
        ((), "alpha", 0),
        ((), "alpha", 1),
        ((), "target", None),
        (("runs", 0), "run", -1),
        (("runs", 0), "run", 0.5),
        (("runs", 0), "val_loss", "3.28"),
        (("runs", 0), "source_sha256", "abc"),
        (("runs", 0), "counted", False),
        (("loss",), "n", -1),
        (("loss",), "p_value", 1.01),
        (("loss",), "std", -0.1),
        (("loss",), "df", 2.5),
        (("loss", "bayes_mean"), "low", None),
        (("loss", "sequential"), "p_anytime", 2),
        (("runtime",), "mean_s", None),
        (("claims", 0), "status", "true"),
        (("claims", 0), "recomputed", None),
        (("verdicts", "loss"), "status", "excused"),
        (("verdicts", "speed", "findings", 0), "severity", "error"),
        (("verdicts", "speed", "findings", 0), "message", ""),
    ],
)
def test_a_value_that_no_certificate_holds_is_refused(full, path, key, value):
    assert not is_valid(changed(full, path, lambda part: part.update({key: value})))


@pytest.mark.parametrize(
    "make",
    [
        lambda b: [b.record(), b.published([3.27, NAN])],
        lambda b: [b.folder({"record.toml": ""})],
        lambda b: [ROOT / "records" / "sub-3-minute-record", ROOT / "records" / "long-short-swa"],
    ],
)
def test_what_the_command_line_prints_is_valid(build, cli, make):
    result = cli("verify", "--json", *make(build))
    assert is_valid(json.loads(result.out))


@pytest.mark.skipif(not DEV_SET.is_dir(), reason="no development set in ../shared/logs")
def test_every_folder_of_the_development_set_gives_a_valid_certificate(cli):
    result = cli("verify", "--json", DEV_SET)
    certificates = json.loads(result.out)
    assert len(certificates) >= 12
    assert is_valid(certificates)
