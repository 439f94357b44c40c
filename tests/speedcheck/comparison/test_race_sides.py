"""`compare RACE/a RACE/b`: the ledger of the race says which runs are pairs, on one machine."""

from __future__ import annotations

import json
from importlib.resources import files

import numpy as np
import pytest
import scipy.stats
from jsonschema import Draft202012Validator

# A little slower from pair to pair, as a machine that warms up.
A = [9.61, 9.72, 9.83, 9.94, 10.05, 10.16]
B = [9.66, 9.76, 9.89, 9.98, 10.11, 10.20]
HOST = {"id": "h"}


def compared(cli, a, b):
    result = cli("compare", "--json", a, b)
    assert result.err == ""
    found = json.loads(result.out)
    schema = json.loads(files("speedcheck").joinpath("schema/comparison.schema.json").read_text())
    Draft202012Validator(schema).validate(found)
    return found


def change(folder, of, to):
    path = folder / "ledger.jsonl"
    path.write_text(path.read_text().replace(json.dumps(of), json.dumps(to)))


def test_the_sides_are_compared_in_the_pairs_of_the_race_without_a_spread(make_race, cli):
    folder = make_race(A, B)
    found = compared(cli, folder / "a", folder / "b")
    oracle = scipy.stats.ttest_rel(A, B)
    assert (found["time"]["test"], found["time"]["machine_spread"]) == ("paired", 0)
    assert found["time"]["p_two_sided"] == pytest.approx(oracle.pvalue)
    assert found["time"]["difference"] == pytest.approx(np.mean(np.subtract(A, B)))
    assert found["hardware_problem"] == ""
    assert [host["host"] for host in found["a"]["hosts"]] == ["h None"]
    mirror = compared(cli, folder / "b", folder / "a")
    assert mirror["time"]["difference"] == -found["time"]["difference"]


def test_the_comparison_names_the_test_that_allows_for_the_looks_of_a_race(make_race, cli):
    folder = make_race(A, B)
    assert compared(cli, folder / "a", folder / "b")["race"] == str(folder)
    assert f"speedcheck compare {folder}" in cli("compare", folder / "a", folder / "b").out


def test_half_a_pair_does_not_count(make_race, cli):
    folder = make_race(A, B)
    path = folder / "ledger.jsonl"
    lines = path.read_text().splitlines(keepends=True)
    assert json.loads(lines[-2])["details"]["folder"] == "a"
    # The last run of the last block is A's; without its lines the race was interrupted before it.
    path.write_text("".join(lines[:-2]))
    found = compared(cli, folder / "a", folder / "b")
    assert (found["a"]["runs"], found["b"]["runs"]) == (5, 5)
    assert found["time"]["p_two_sided"] == pytest.approx(scipy.stats.ttest_rel(A[:5], B[:5]).pvalue)


@pytest.mark.parametrize("spoil", ["no host", "broken", "no ledger"])
def test_a_ledger_that_cannot_tell_leaves_the_word_to_the_logs(make_race, cli, spoil):
    folder = make_race(A, B)
    path = folder / "ledger.jsonl"
    lines = path.read_text().splitlines(keepends=True)
    if spoil == "no host":
        path.unlink()
        path.write_text("")
    elif spoil == "broken":
        path.write_text("".join(lines[:20] + lines[22:]))
    else:
        path.unlink()
    found = compared(cli, folder / "a", folder / "b")
    assert found["race"] is None
    assert "does not say what it ran on" in found["hardware_problem"]


def test_folders_of_two_races_are_no_pairs(make_race, cli, tmp_path):
    folder = make_race(A, B)
    other = folder.rename(tmp_path / "other")
    folder = make_race(A, [b + 0.001 for b in B])
    assert compared(cli, folder / "b", other / "a")["race"] is None


def test_one_side_twice_is_refused(make_race, cli):
    folder = make_race(A, B)
    result = cli("compare", folder / "a", folder / "a")
    assert (result.code, result.out) == (2, "")
    assert "A and B are the same record" in result.err
