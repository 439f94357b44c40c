"""The table of runs."""

from __future__ import annotations

import pandas as pd

from speedcheck.logs import parse_log, runs_table

TEXT = b"step:0/9 val_loss:5.0 train_time:0ms\nstep:9/9 val_loss:3.2 train_time:1.5s\n"


def test_the_table_has_one_row_a_run_in_order():
    runs = parse_log(TEXT + TEXT.replace(b"3.2", b"nan"), "a.txt").runs
    table = runs_table(runs)
    assert table["run"].tolist() == [0, 1]
    assert table["log"].tolist() == ["a.txt", "a.txt"]
    assert table["val_loss"].iloc[0] == 3.2
    assert table["train_time_ms"].tolist() == [1500.0, 1500.0]
    assert table["complete"].tolist() == [True, True]
    assert table["diverged"].tolist() == [False, True]


def test_what_a_log_does_not_say_is_missing_and_keeps_its_column_whole():
    table = runs_table(parse_log(b"s:9 tel:3.2\n", "main.log").runs)
    for column in ("seed", "total_steps", "n_gpus", "complete", "gpu", "torch", "source_sha256"):
        assert table[column].isna().all(), column
    assert table["final_step"].dtype == table["seed"].dtype == pd.Int64Dtype()
    assert table["complete"].dtype == pd.BooleanDtype()


def test_no_runs_give_an_empty_table_with_the_same_columns():
    empty = runs_table([])
    one = runs_table(parse_log(TEXT, "a.txt").runs)
    assert len(empty) == 0
    assert list(empty.dtypes.items()) == list(one.dtypes.items())
