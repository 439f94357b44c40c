"""Tables with a row for each run: by seed, by log, or in any order."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.speedcheck.claims.conftest import (
    BITS,
    BPB,
    LOSSES,
    OTHERS,
    REFUTED,
    found,
    listed,
    pair,
    pairs,
    statuses,
    table,
)

# Tables.


def test_a_column_headed_with_the_measure_is_refuted(read):
    rows = [(i, f"{loss:.4f}") for i, loss in enumerate(OTHERS)]
    assert found(read(table(("Run", "Val Loss"), rows))) == {REFUTED}


@pytest.mark.parametrize(
    "heading", ["val_loss (nats)", "Delta BPB", "Pre-quant BPB", "val_bpb std", "Train BPB"]
)
def test_a_column_of_another_unit_or_metric_is_not_refuted(read, heading):
    rows = [(i, f"{loss + 0.004:.4f}") for i, loss in enumerate(BPB)]
    assert found(read(table(("Run", heading), rows), pairs(BPB), BITS)) == set()


def test_the_rows_of_a_table_may_be_named(read):
    rows = [
        (name, seed, f"{x:.4f}")
        for seed, (name, x) in enumerate(zip("abcdef", OTHERS, strict=True))
    ]
    assert found(read(table(("Name", "seed", "val/loss"), rows))) == {REFUTED}


def test_rows_of_settings_are_not_a_list_of_runs(read):
    rows = [("full", "1.1150"), ("no gate", "1.1161"), ("no smear", "1.1170")]
    for heading in ("Config", "Run", ""):
        assert found(read(table((heading, "val_bpb"), rows), pairs(BPB), BITS)) == set()


def test_rows_are_compared_by_seed_where_all_seeds_are_in_the_logs(read):
    runs = [pair(i, loss, seed=i + 1) for i, loss in enumerate(BPB)]
    rows = [(1, "1.1142"), (2, "1.1189"), (3, "1.1145")]
    documents = read(table(("Seed", "val_bpb"), rows), runs, BITS)
    assert found(documents) == {REFUTED}
    assert documents.claims[0].recomputed == "seed 1: 1.1192, not 1.1142, seed 3: 1.12, not 1.1145"


def test_other_seeds_than_the_logs_have_are_a_warning(read):
    runs = [pair(i, loss, seed=i + 1) for i, loss in enumerate(BPB)]
    rows = [(10 * (i + 1), f"{loss:.4f}") for i, loss in enumerate(BPB)]
    documents = read(table(("Seed", "val_bpb"), rows), runs, BITS)
    assert ("losses", "confirmed") in statuses(documents)
    assert found(documents) == {("P039", "warn")}


def test_a_loss_beside_a_seed_of_the_logs_is_that_of_the_seed(read):
    runs = [pair(i, loss, seed=i + 1) for i, loss in enumerate(BPB)]
    swapped = [(2, "1.1192"), (1, "1.1189"), (3, "1.1200")]
    assert found(read(table(("Seed", "val_bpb"), swapped), runs, BITS)) == {REFUTED}


def test_seeds_may_be_in_any_column(read):
    runs = [pair(i, loss, seed=7 * i) for i, loss in enumerate(BPB)]
    head = ("Run", "Seed", "val_bpb")
    right = [(i + 1, 7 * i, f"{loss:.4f}") for i, loss in enumerate(BPB)]
    assert found(read(table(head, right), runs, BITS)) == set()
    swapped = [(row[0], other[1], row[2]) for row, other in zip(right, right[::-1], strict=True)]
    assert found(read(table(head, swapped), runs, BITS)) == {REFUTED}


NAMES = ("4ad9a1c2-77e0.txt", "logs/0b11f3e8-90aa.txt", "c0ffee12-0001.txt")


@pytest.fixture
def named_runs():
    """Give runs of three logs with names as programs make them."""
    runs = pairs(BPB)
    return [
        (replace(run, log=name), replace(judged, log=name))
        for (run, judged), name in zip(runs, NAMES, strict=True)
    ]


@pytest.mark.parametrize("called", [str, lambda x: Path(x).name, lambda x: Path(x).stem[:8]])
def test_rows_are_compared_by_log_where_the_logs_have_all_names(read, named_runs, called):
    names = [f"`{called(name)}`" for name in NAMES]

    def judged(losses):
        rows = [(name, f"{loss:.4f}") for name, loss in zip(names, losses, strict=True)]
        return read(table(("Log", "val_bpb"), rows), named_runs, BITS)

    assert found(judged(BPB)) == set()
    assert found(judged((BPB[1], BPB[0], BPB[2]))) == {REFUTED}
    wrong = judged((BPB[0], BPB[1], 1.1145))
    assert found(wrong) == {REFUTED}
    assert wrong.claims[0].recomputed == f"{called(NAMES[2])}: 1.12, not 1.1145"


def test_other_names_than_those_of_the_logs_say_nothing(read, named_runs):
    rows = [(f"run-{x}.txt", f"{loss:.4f}") for x, loss in zip("abc", BPB, strict=True)]
    assert found(read(table(("Log", "val_bpb"), rows), named_runs, BITS)) == set()


def test_html_tables_are_not_read(read):
    rows = "".join(f"<tr><td>{i}</td><td>{x}</td></tr>" for i, x in enumerate(OTHERS))
    assert read(f"<table><tr><th>run</th><th>val_loss</th></tr>{rows}</table>\n").claims == ()


def test_a_list_of_an_earlier_validation_is_confirmed_there(read):
    runs = [
        pair(i, loss, earlier=[(900, round(loss + 0.0007, 4))]) for i, loss in enumerate(LOSSES)
    ]
    rows = [(i, f"{loss + 0.0007:.4f}") for i, loss in enumerate(LOSSES)]
    for heading in ("step 900", "val loss at 900"):
        documents = read(table(("seed", heading), rows), runs)
        assert (statuses(documents), documents.steps) == ([("losses", "confirmed")], (900,))


@pytest.mark.parametrize(
    "document",
    [
        "# Reached at step 900\n\n{}",
        "# Muon, 900 steps\n\n{}\nThe mean is {:.4f}.\n",
        "All losses at step 900:\n\n{}",
        "{}\n\nWe stop at 900.\n",
        "```\ngrep 'step:900/1000' *.txt\n```\n\n{}",
    ],
)
def test_losses_may_be_of_any_validation_that_the_document_names(read, document):
    earlier = [round(loss + 0.0007, 4) for loss in LOSSES]
    runs = [
        pair(i, loss, earlier=[(900, x)])
        for i, (loss, x) in enumerate(zip(LOSSES, earlier, strict=True))
    ]
    text = document.format(listed(earlier), sum(earlier) / 6)
    documents = read(text, runs)
    assert (found(documents), documents.steps) == (set(), (900,))
    assert REFUTED in found(read(text.replace("900", "800"), runs))


def test_a_column_of_an_earlier_step_does_not_speak_for_the_final_losses(read):
    runs = [pair(i, loss, earlier=[(900, loss + 0.0007)]) for i, loss in enumerate(LOSSES)]
    rows = [
        (i, f"{a + 0.0007:.4f}", b) for i, (a, b) in enumerate(zip(LOSSES, LOSSES, strict=True))
    ]
    rows[0] = (0, rows[0][1], 3.2707)
    assert found(read(table(("seed", "step 900", "val_loss"), rows), runs)) == {REFUTED}


def test_a_column_of_other_times_is_not_that_of_the_training(read):
    runs = pairs(BPB, seconds=600.0)
    rows = [(i, f"{loss:.4f}", "136 s") for i, loss in enumerate(BPB)]
    assert found(read(table(("Seed", "val_bpb", "TTT time"), rows), runs, BITS)) == set()
    assert found(read(table(("Seed", "val_bpb", "time"), rows), runs, BITS)) == {("P038", "warn")}
