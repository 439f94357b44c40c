"""[gate] of speedcheck.toml: strict where it says nothing, exact where it does."""

from __future__ import annotations

import re
from pathlib import PurePosixPath as P

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speedcheck import toml
from speedcheck.errors import InputError
from speedcheck.rules.gate_rules import (
    GateRules,
    PathRules,
    matches,
    read_gate_rules,
)
from speedcheck.rules.rule import SystemsRule


@pytest.fixture
def read(tmp_path):
    def read_text(text: str, default_track: str | None = None) -> GateRules:
        path = tmp_path / "speedcheck.toml"
        path.write_text(text)
        return read_gate_rules(toml.read_table(path).table("gate"), default_track)

    return read_text


def test_a_file_without_the_table_leaves_the_strict_defaults(read):
    rules = read("").for_path(P("records/x"))
    assert rules == PathRules(
        tracks=("gpt2-small",),
        allow_unknown=frozenset(),
        systems=None,
        stopping=frozenset({"fixed"}),
        may_add_runs=False,
        artifacts=(),
    )


def test_the_default_track_of_the_file_holds_where_the_table_names_none(read):
    assert read("", "mine").default.tracks == ("mine",)
    assert read("[gate]\n", "mine").default.tracks == ("mine",)
    assert read('[gate]\ntrack = "tiny"\n', "mine").default.tracks == ("tiny",)


def test_every_key_is_read(read):
    rules = read(
        """
        [gate]
        track = ["a", "b"]
        allow_unknown = ["rules", "hardware"]
        systems = { margin = 0.001, alpha = 0.01, min_runs = 8 }
        stopping = ["fixed", "sequential"]
        may_add_runs = true
        artifacts = ["*.pt", "final/*.bin"]
        """
    ).default
    assert rules.tracks == ("a", "b")
    assert rules.allow_unknown == {"rules", "hardware"}
    assert rules.systems == SystemsRule(margin=0.001, alpha=0.01, min_runs=8)
    assert rules.stopping == {"fixed", "sequential"}
    assert rules.may_add_runs
    for name, allowed in {
        "model.pt": True,
        "logs/model.pt": True,
        "final/x.bin": True,
        "x/final/x.bin": True,
        "x.bin": False,
        "model.pt.zip": False,
    }.items():
        assert rules.allows_artifact(name) == allowed, name


def test_systems_records_have_the_defaults_of_the_specification(read):
    assert read("[gate]\nsystems = {}\n").default.systems == SystemsRule(0.002, 0.05, 4)
    assert read("[gate]\nsystems = false\n").default.systems is None


def test_a_path_changes_the_keys_that_it_names_and_a_later_one_wins(read):
    rules = read(
        """
        [gate]
        track = "gpt2-small"
        may_add_runs = true
        [gate.paths."records/**"]
        allow_unknown = ["rules"]
        track = "gpt2-medium"
        [gate.paths."records/*_tiny/**"]
        track = "tiny"
        systems = { margin = 0.01 }
        [gate.paths."records/*_tiny/strict"]
        systems = false
        """
    )
    tiny = rules.for_path(P("records/2026_tiny"))
    assert (tiny.tracks, tiny.allow_unknown, tiny.may_add_runs) == (("tiny",), {"rules"}, True)
    assert tiny.systems == SystemsRule(margin=0.01)
    assert rules.for_path(P("records/2026_tiny/strict")).systems is None
    assert rules.for_path(P("records/x")).tracks == ("gpt2-medium",)
    assert rules.for_path(P("other/x")).tracks == ("gpt2-small",)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("[gate]\ntracks = 'x'\n", "'tracks'"),
        ("[gate]\ntrack = []\n", "track is []"),
        ("[gate]\ntrack = 3\n", "track is 3"),
        ("[gate]\nallow_unknown = ['speed']\n", "allow_unknown is ['speed']"),
        ("[gate]\nallow_unknown = 'rules'\n", "allow_unknown is 'rules'"),
        ("[gate]\nsystems = true\n", "systems is True"),
        ("[gate]\nsystems = { margins = 1 }\n", "'margins'"),
        ("[gate]\nsystems = { margin = -1 }\n", "margin is -1"),
        ("[gate]\nsystems = { min_runs = 1 }\n", "min_runs is 1"),
        ("[gate]\nstopping = []\n", "stopping is []"),
        ("[gate]\nstopping = ['peek']\n", "stopping is ['peek']"),
        ("[gate]\nmay_add_runs = 1\n", "may_add_runs is 1"),
        ("[gate]\nartifacts = '*.pt'\n", "artifacts is '*.pt'"),
        ('[gate.paths."a/**"]\nmay_add_run = true\n', "'may_add_run'"),
        ('[gate.paths."a/**"]\nmay_add_runs = "x"\n', "[gate.paths.a/**]: may_add_runs is 'x'"),
        ('[gate.paths]\n"a/**" = 1\n', "a/** is 1"),
    ],
)
def test_a_value_that_cannot_be_meant_is_refused_with_its_place(read, text, complaint):
    with pytest.raises(InputError) as refused:
        read(text)
    assert complaint in str(refused.value)
    assert "speedcheck.toml" in str(refused.value)


NAMES = st.text("ab", min_size=1, max_size=2)
PARTS = st.one_of(st.just("**"), st.just("*"), st.just("a*"), NAMES)


@given(st.lists(NAMES, min_size=1, max_size=5), st.lists(PARTS, min_size=1, max_size=5))
def test_patterns_match_as_a_regular_expression_of_the_same_meaning(names, parts):
    expression = "".join(
        "(?:/[^/]+)*" if part == "**" else "/" + part.replace("*", "[^/]*") for part in parts
    )
    expected = re.fullmatch(expression, "/" + "/".join(names)) is not None
    assert matches(P(*names), "/".join(parts)) == expected


def test_a_pattern_made_to_explode_is_matched_at_once():
    assert not matches(P(*["a"] * 64), "/".join(["**", "a"] * 30 + ["b"]))
