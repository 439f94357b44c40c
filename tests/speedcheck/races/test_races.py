"""What a race's folder shows: which pairs count, what they come to, and what speaks against it."""

from __future__ import annotations

import json
from importlib.resources import files

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from speedcheck.races.pairs import account, left_over
from speedcheck.races.race_plan import RacePlan, order
from speedcheck.races.read_race import read_race
from speedcheck.records.ledger import Entry, Ledger
from speedcheck.stats.sequential_pairs import race

PLAN = RacePlan("r", "2026-11-28", "gpt2-small", pairs=4, alpha=0.01, is_aa=False)


def entry(event: str, folder: str, seed: int) -> Entry:
    return Entry(event, "", seed, f"{folder}/{seed}", None, "", "", {"folder": folder})


def runs(*keys: str, ended: str = "finished") -> list[Entry]:
    """Make the entries of runs such as "a0", which all end in one way."""
    return [entry(event, k[0], int(k[1:])) for k in keys for event in ("started", ended)]


def ledger(*entries: Entry) -> Ledger:
    planned = [entry("planned", side, pair) for side, pair in order(PLAN.pairs)]
    return Ledger((*planned, *entries), ())


def numbers(found: Ledger) -> list[int]:
    return [pair.number for pair in account(found, PLAN).pairs]


def test_the_order_is_blocks_of_a_b_b_a():
    sides = "".join(side for side, _ in order(4))
    assert sides == "abbaabba"
    assert [pair for _, pair in order(4)] == [0, 0, 1, 1, 2, 2, 3, 3]


def test_pairs_that_were_run_in_the_planned_order_count():
    found = account(ledger(*runs("a0", "b0", "b1", "a1")), PLAN)
    assert [(pair.number, pair.first) for pair in found.pairs] == [(0, "a"), (1, "b")]
    assert found.problems == ()
    assert found.begun_again == 0


@pytest.mark.parametrize(
    "entries",
    [
        [*runs("a0")],
        [*runs("a0"), *runs("b0", ended="failed")],
        [*runs("a0"), entry("started", "b", 0)],
        [*runs("b0", "a0")],
        [*runs("a0"), *runs("w0"), *runs("b0")],
        [*runs("a0", "b1", "b0")],
    ],
    ids=["half", "failed", "under way", "other order", "warm-up between", "run between"],
)
def test_a_pair_that_is_not_whole_and_back_to_back_does_not_count(entries):
    assert numbers(ledger(*entries)) == []


def test_a_half_pair_that_is_run_again_counts_once_and_is_said():
    broken = [*runs("a0", "b0", "b1"), entry("started", "a", 1), entry("abandoned", "a", 1)]
    assert numbers(ledger(*broken)) == [0]
    assert [(e.log, e.event) for e, _ in left_over(ledger(*broken), PLAN)] == [("b/1", "finished")]
    again = [*broken, entry("abandoned", "b", 1), *runs("w1", "b1", "a1")]
    found = account(ledger(*again), PLAN)
    assert [pair.number for pair in found.pairs] == [0, 1]
    assert found.begun_again == 1


def test_another_order_in_the_ledger_than_the_planned_one_is_a_problem():
    found = ledger(*runs("a0", "b0"))
    first, second, *rest = found.entries
    swapped = Ledger((second, first, *rest), ())
    assert "does not begin with all runs in the planned order" in account(swapped, PLAN).problems[0]
    late = Ledger((*found.entries[8:], *found.entries[:8]), ())
    assert account(late, PLAN).problems


@given(cut=st.integers(0, 16))
def test_whatever_moment_ends_a_race_only_whole_pairs_count(cut):
    every = runs("a0", "b0", "b1", "a1", "a2", "b2", "b3", "a3")
    assert numbers(ledger(*every[:cut])) == list(range(cut // 4))


A = [9.61, 9.72, 9.58, 9.66, 9.63, 9.70, 9.59, 9.64]
B = [10.02, 9.95, 10.01, 9.93, 10.04, 9.98, 10.03, 10.0]


def test_the_figures_are_those_of_the_test_on_the_times_of_the_logs(make_race):
    result = read_race(make_race(A, B))
    assert result.test == race(A, B)
    assert result.test.outcome == "better"
    assert result.test.mean == pytest.approx(np.mean(np.subtract(A, B)))
    assert [pair.first for pair in result.pairs] == list("abababab")
    assert (result.a.trainer, result.b.trainer) == ("recipe-a", "recipe-b")
    assert result.problems == ()
    assert result.hosts == ("h",)


def test_verify_and_compare_say_the_same_of_a_race(make_race, cli):
    folder = make_race(A, B)
    verified, compared = cli("verify", folder), cli("compare", folder)
    assert verified.out == compared.out
    assert (verified.code, compared.code) == (0, 0)
    assert verified.out.startswith("BETTER: A is 0.354 s faster")
    assert "99% confidence sequence -" in verified.out


@pytest.mark.parametrize(("a", "b", "code"), [(A, B, 0), (B, A, 1), (A, A[::-1], 3)])
def test_compare_exits_by_the_outcome_of_the_race(make_race, cli, a, b, code):
    assert cli("compare", make_race(a, b)).code == code


def change_log(folder):
    log = folder / "a" / "logs" / "seed-003.txt"
    log.write_text(log.read_text().replace("9660ms", "9160ms"))


def change_ledger(folder):
    path = folder / "ledger.jsonl"
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join([*lines[:20], *lines[22:]]))


def state_another_result(folder):
    figures = {"outcome": "worse", "decided_at": 4, "pairs_counted": 8}
    (folder / "race.json").write_text(json.dumps(figures))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (change_log, "a/logs/seed-003.txt: the log is not the one that the ledger noted"),
        (change_ledger, "does not follow from the line before it"),
        (lambda f: (f / "b" / "logs" / "seed-002.txt").unlink(), "seed-002.txt: the log is gone"),
        (state_another_result, "race.json says worse after 4 of 8 pairs"),
        (lambda f: (f / "race.json").write_text("[]"), "race.json is not the result of a race"),
    ],
)
def test_evidence_that_was_changed_is_named_and_decides_nothing(make_race, cli, change, message):
    folder = make_race(A, B)
    change(folder)
    result = cli("verify", folder)
    assert result.code == 1
    assert message in result.out
    assert result.out.startswith("UNUSABLE")
    assert cli("compare", folder).code == 2


def test_half_a_line_that_a_crash_left_in_the_ledger_does_not_speak_against_a_race(make_race, cli):
    folder = make_race(A, B)
    with (folder / "ledger.jsonl").open("ab") as ledger:
        ledger.write(b'{"event": "fini')
    result = cli("verify", folder)
    assert (result.code, "problem" in result.out) == (0, False)


def test_a_race_that_is_not_over_says_how_it_goes_on(make_race, cli):
    folder = make_race(A[:3], A[:3], pairs=8)
    result = cli("verify", folder)
    assert result.code == 0
    assert f"speedcheck race --resume --out {folder}" in result.out


def test_the_command_that_finishes_a_race_quotes_its_folder(make_race, cli):
    folder = make_race(A[:3], A[:3], pairs=8)
    folder = folder.rename(folder.with_name("my race"))
    assert f"speedcheck race --resume --out '{folder}'" in cli("verify", folder).out


def test_a_race_and_a_record_are_not_verified_together(make_race, cli, tmp_path):
    result = cli("verify", make_race(A, B), tmp_path)
    assert result.code == 2
    assert "verify races and records apart" in result.err


@pytest.mark.parametrize(
    "option",
    [
        *("--markdown", "--annotations", "--runs", "--junit=x.xml", "--track=tiny"),
        *("--target=3", "--alpha=0.5", "--baseline=x", "--only=x", "--exclude=x", "--group=A"),
    ],
)
def test_an_option_of_records_is_refused_where_a_race_is_verified(make_race, cli, option):
    result = cli("verify", option, make_race(A, B))
    name = option.partition("=")[0]
    assert (result.code, result.out, result.err.count("\n")) == (2, "", 1)
    assert f"{name} does not apply to a race" in result.err


@pytest.mark.parametrize("length", [0, 1, 8])
def test_the_json_of_a_race_keeps_to_its_schema(make_race, cli, length):
    schema = json.loads(files("speedcheck").joinpath("schema/race.schema.json").read_text())
    found = json.loads(cli("compare", make_race(A[:length], B[:length]), "--json").out)
    Draft202012Validator(schema).validate(found)
    assert found["pairs_counted"] == length
