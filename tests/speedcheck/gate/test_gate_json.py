"""`speedcheck gate --json FILE`: the decisions for programs, held to their schema."""

from __future__ import annotations

import json
from importlib.resources import files

import pytest
from jsonschema import Draft202012Validator
from referencing import Registry, Resource

from speedcheck.cli import main


def schema(name: str):
    return json.loads(files("speedcheck").joinpath(f"schema/{name}.schema.json").read_text())


REGISTRY = Registry().with_resources(
    [("urn:speedcheck:certificate:2", Resource.from_contents(schema("certificate")))]
)
VALIDATOR = Draft202012Validator(schema("gate"), registry=REGISTRY)
RULES = '[gate]\ntrack = "tiny"\nallow_unknown = ["rules"]\n'


@pytest.fixture
def judged(clone, build, losses, tmp_path):
    """Judge a branch that adds a folder, and return what the file says."""

    def run(worse=0.0):
        clone.commit("rules", {"speedcheck.toml": RULES})
        clone.branch("work")
        folder = build.record([loss + worse for loss in losses])
        for path in folder.rglob("*"):
            if path.is_file():
                name = f"records/new/{path.relative_to(folder).as_posix()}"
                clone.write({name: path.read_bytes()})
        clone.commit("record")
        file = tmp_path / "gate.json"
        code = main(["gate", "--repository", str(clone.root), "--json", str(file)])
        found = json.loads(file.read_text())
        VALIDATOR.validate(found)
        assert found["passed"] == (code == 0)
        return found

    return run


def test_a_record_that_passes_has_its_certificate_and_no_objection(judged):
    (record,) = judged()["records"]
    assert (record["folder"], record["passed"]) == ("records/new", True)
    assert record["objections"] == []
    assert record["certificate"]["certified"] is True


def test_a_record_that_fails_says_why_with_the_findings_code(judged):
    (record,) = judged(worse=0.5)["records"]
    assert record["passed"] is False
    assert "L005 not-significant" in [each["code"] for each in record["objections"]]


def test_a_file_that_cannot_be_written_is_one_line(judged, clone, capsys):
    judged()
    code = main(["gate", "--repository", str(clone.root), "--json", "/nowhere/gate.json"])
    assert code == 2
    assert "/nowhere/gate.json" in capsys.readouterr().err
