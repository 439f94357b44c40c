"""Lists longer than the logs, JSON and CSV, and where documents are."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from speedcheck.claims import document_claims
from speedcheck.logs import LogFile
from speedcheck.records.record_folder import Record
from tests.speedcheck.claims.conftest import (
    BITS,
    BPB,
    LOSSES,
    NATS,
    OTHERS,
    REFUTED,
    WARNED,
    found,
    listed,
    pair,
    pairs,
)

# More runs than logs.


@pytest.mark.parametrize(("logs", "severity"), [(5, "fail"), (2, "fail"), (1, "unknown")])
def test_a_list_longer_than_the_logs_is_said(read, logs, severity):
    assert found(read(listed(LOSSES), pairs(LOSSES[:logs]))) == {("P003", severity)}


def test_a_list_in_text_longer_than_the_logs_is_a_warning(read):
    values = ", ".join(map(str, LOSSES))
    assert found(read(f"The losses: {values}.\n", pairs(LOSSES[:5]))) == {("P003", "warn")}
    assert found(read(f"Per seed (900 / end): {values}.\n", pairs(LOSSES[:3]))) == set()


def test_the_five_best_of_seven_are_a_shortfall_and_a_run_left_out_of_the_list_is_said(read):
    seven = (*LOSSES, 3.2831)
    documents = read(listed(seven), pairs(sorted(seven)[:5]))
    assert [(s.claimed, s.logs) for s in documents.shortfalls] == [(7, 5)]
    documents = read(listed(sorted(seven)[:6]), pairs(seven))
    assert (documents.unlisted, found(documents)) == (("6.txt",), {("P022", "warn")})


def test_ten_losses_of_other_runs_than_the_five_logs_are_a_shortfall(read):
    assert found(read(listed((*OTHERS, *LOSSES[:4])), pairs((3.2801, 3.2811, 3.2793)))) == {
        ("P003", "fail")
    }


# JSON and CSV.


@pytest.mark.parametrize("value", [1.1194, 1.11937, 1.1200])
def test_json_may_give_the_mean_or_a_runs_loss(read, value):
    text = json.dumps({"val_bpb": value, "val_loss": 1.8900})
    assert found(read({"submission.json": text}, pairs(BPB), BITS)) == set()


def test_json_of_one_seed_gives_the_loss_of_its_run(read):
    runs = [pair(i, loss, seed=7 + i) for i, loss in enumerate(BPB)]
    # Without the seed it is the best run given for the mean.
    best = {"val_bpb": 1.1189, "mean_val_bpb": 1.11937}
    assert found(read({"submission.json": json.dumps(best)}, runs, BITS)) == {WARNED}
    assert found(read({"submission.json": json.dumps(best | {"seed": 8})}, runs, BITS)) == set()


@pytest.mark.parametrize("cut", ["1.1193", "1.119"])
def test_json_with_a_mean_that_is_cut_is_not_refuted(read, cut):
    # BPB has the mean 1.119367.
    assert REFUTED not in found(
        read({"submission.json": f'{{"val_bpb": {cut}}}'}, pairs(BPB), BITS)
    )


def test_a_list_in_json_gives_no_seeds(read):
    runs = [pair(i, loss, seed=1337 + i) for i, loss in enumerate(BPB)]
    assert found(read({"results.json": json.dumps({"seed_results": BPB})}, runs, BITS)) == set()


def test_json_with_another_figure_is_refuted(read):
    documents = read({"submission.json": '{"val_bpb": 1.1149}'}, pairs(BPB), BITS)
    assert found(documents) == {REFUTED}
    assert documents.claims[0].where == "submission.json val_bpb"


def test_json_that_gives_the_best_run_for_the_mean_is_a_warning(read):
    assert found(read({"submission.json": '{"val_bpb": 1.1189}'}, pairs(BPB), BITS)) == {WARNED}


def test_json_under_other_keys_is_left_alone(read):
    text = '{"val_bpb_pre_quant": 1.1149, "baseline": {"val_bpb": 1.1149}, "val_loss": 1.1149}'
    assert found(read({"submission.json": text}, pairs(BPB), BITS)) == set()


@pytest.mark.parametrize(
    "results",
    [
        {"1": {"val_bpb": 1.1192}, "2": {"val_bpb": 1.1142}, "3": {"val_bpb": 1.12}},
        {"1": 1.1192, "2": 1.1142, "3": 1.12},
        [{"seed": s, "val_bpb": x} for s, x in ((1, 1.1192), (2, 1.1142), (3, 1.12))],
    ],
)
def test_json_results_are_compared_by_seed(read, results):
    runs = [pair(i, loss, seed=i + 1) for i, loss in enumerate(BPB)]
    wrong = json.dumps({"seeds": [1, 2, 3], "seed_results": results})
    assert found(read({"submission.json": wrong}, runs, BITS)) == {REFUTED}
    right = wrong.replace("1.1142", "1.1189")
    assert found(read({"submission.json": right}, runs, BITS)) == set()
    other_seeds = right.replace('"seeds": [1, 2, 3]', '"seeds": [1, 2, 4]')
    assert found(read({"submission.json": other_seeds}, runs, BITS)) == {("P039", "warn")}


def test_csv_is_a_claim_where_its_rows_are_in_logs(read):
    rows = "seed,val_bpb\n" + "".join(f"{i},{x}\n" for i, x in enumerate((1.1142, 1.116, 1.1145)))
    assert found(read({"results.csv": rows}, pairs(BPB), BITS)) == {REFUTED}
    trials = rows + "".join(f"{9 + i},{1.13 + i / 1000}\n" for i in range(9))
    assert found(read({"results.csv": trials}, pairs(BPB), BITS)) == set()
    curve = "step,val_bpb\n0,1.1142\n1,1.116\n2,1.1145\n"
    assert found(read({"results.csv": curve}, pairs(BPB), BITS)) == set()


# Where documents are.


def test_a_document_above_is_read_where_this_folder_is_alone(tmp_path):
    def claims(name):
        runs = pairs()
        logs = (LogFile("0.txt", None, 0, (runs[0][0],), ()),)
        record = Record(tmp_path / "x" / name, name, None, None, logs, (), ())
        return document_claims(record, runs, NATS)

    (tmp_path / "x" / "logs").mkdir(parents=True)
    (tmp_path / "x" / "README.md").write_text(listed(OTHERS))
    (tmp_path / "x" / "requirements.txt").write_text("numpy\n")
    assert found(claims("logs")) == {REFUTED}
    (tmp_path / "x" / "baseline").mkdir()
    (tmp_path / "x" / "baseline" / "1.txt").write_text("a log\n")
    assert claims("logs").claims == ()


@pytest.mark.parametrize("name", ["README", "readme.MD", "Statistics.md", "notes.md"])
def test_documents_are_found_by_their_names(read, name):
    assert found(read({name: listed(OTHERS)})) == {REFUTED}


def test_a_link_and_a_document_of_more_than_a_mebibyte_are_said(read, tmp_path):
    (tmp_path / "README.md").symlink_to(Path(__file__))
    assert found(read({"statistics.md": "a" * (2**20 + 1)})) == {("P019", "unknown")}


@pytest.mark.parametrize("label", ["before_quant", "step:900/1000"])
def test_losses_that_the_logs_print_beside_the_runs_own_are_a_warning(read, tmp_path, label):
    others = [loss - 0.005 for loss in LOSSES]
    for index, other in enumerate(others):
        (tmp_path / f"{index}.txt").write_text(f"{label} val_loss:{other:.6f}\n")
    logs = [f"{index}.txt" for index in range(6)]
    mean = json.dumps({"val_loss": round(sum(others) / 6, 4)})
    for documents in (listed(others), {"submission.json": mean}):
        assert found(read(documents, logs=logs)) == {WARNED}
        assert found(read(documents)) == {REFUTED}
    # One alone may be among them by chance.
    assert REFUTED in found(read(listed((*LOSSES[:5], others[5])), logs=logs))
