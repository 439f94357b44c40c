"""READMEs generated from runs: no honest one is accused, and most false ones are named."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest
from examples import examples

BENCHMARK = Path(__file__).parents[3] / "benchmarks" / "claims_corpus.py"


@pytest.fixture(scope="module")
def table():
    """Give the counts of the benchmark for a few READMEs of each shape."""
    spec = importlib.util.spec_from_file_location("claims_corpus", BENCHMARK)
    module = importlib.util.module_from_spec(spec)
    # A dataclass looks for its module.
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module.measure(count=max(20, examples(40)), seed=7)


def test_no_honest_readme_is_refuted_or_warned_of(table):
    assert {name: (row["refuted"], row["warned"]) for name, row in table.items()} == dict.fromkeys(
        table, (0, 0)
    )


@pytest.mark.parametrize("shape", ["python_lists", "bayes", "by_run"])
@pytest.mark.parametrize("lie", ["other losses", "one digit", "more runs"])
def test_a_false_list_is_named(table, shape, lie):
    assert table[shape][lie] >= 0.95 * table[shape]["honest"]


# Of fewer READMEs than all, too few are prose.
@pytest.mark.slow
@pytest.mark.parametrize("shape", ["prose", "metrics"])
def test_a_false_mean_in_the_text_is_named(table, shape):
    assert table[shape]["other losses"] >= 0.9 * table[shape]["honest"]
