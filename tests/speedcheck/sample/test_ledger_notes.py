"""What the ledger says of the run of each log."""

from __future__ import annotations

import pytest

from speedcheck.api import verify
from speedcheck.records.ledger import Entry, Ledger
from speedcheck.sample.ledger_notes import RunNote, notes_by_log

BY = {"variable": "SEED", "option": None}


def entry(event, seed=3, **details):
    return Entry(event, "", seed, f"seed-{seed:03d}.txt", None, "", "", details)


def note(*entries):
    return notes_by_log(Ledger(entries, ())).get("logs/seed-003.txt")


def test_without_a_ledger_or_a_start_nothing_is_known():
    assert notes_by_log(None) == {}
    planned = Entry("planned", "", 3, None, None, "", "")
    assert notes_by_log(Ledger((planned,), ())) == {}


@pytest.mark.parametrize(
    ("details", "seed"), [({"seed_by": BY}, 3), ({"seed_by": None}, None), ({}, 3)]
)
def test_the_seed_is_the_one_that_the_launcher_gave(details, seed):
    assert note(entry("started", **details)) == RunNote(seed=seed)


def test_another_attempt_with_the_same_log_begins_anew():
    first = [entry("started", environment={"CUDA_X": "1"}), entry("finished", outside_clock_s=2)]
    assert note(*first) == RunNote(3, {"CUDA_X": "1"}, 2.0)
    assert note(*first, entry("started", side_by_side=2)) == RunNote(3, side_by_side=2)


@pytest.mark.parametrize("wrong", ["3", [], None])
def test_details_of_another_type_are_not_known(wrong):
    entries = (
        entry("started", environment=wrong, side_by_side=wrong),
        entry("finished", outside_clock_s=wrong),
    )
    assert note(*entries) == RunNote(seed=3)


@pytest.mark.parametrize(("seed_by", "seeds"), [(BY, [0, 1]), (None, [None, None])])
def test_a_log_without_a_seed_has_that_of_the_ledger(build, published_log_text, seed_by, seeds):
    logs = {seed: published_log_text(val_loss=3.27 + seed / 1000) for seed in (0, 1)}
    plan = {"track": "gpt2-small", "recipe": None}
    folder = build.record([3.27, 3.271], logs=logs, plan=plan, details={"seed_by": seed_by})
    assert [run.seed for run in verify(folder).runs] == seeds


def test_the_seed_that_a_log_says_is_kept(build, log_text):
    folder = build.record([1.1, 1.2], logs={1: log_text(seed=9, val_loss=1.2)})
    assert [run.seed for run in verify(folder).runs] == [0, 9]
