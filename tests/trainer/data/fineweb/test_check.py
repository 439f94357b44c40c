from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from trainer.config import SUB3, DataConfig
from trainer.data.fineweb import __main__ as command
from trainer.data.fineweb.origin import record
from trainer.data.shards import describe_shard, write_shard

ONE, TWO, VAL = "fineweb_train_000001.bin", "fineweb_train_000002.bin", "fineweb_val_000000.bin"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, count in ((ONE, 600_000), (TWO, 1_200_000), (VAL, 200)):
        write_shard(tmp_path / name, np.zeros(count, dtype=np.uint16))
        record(tmp_path, describe_shard(tmp_path / name), "somewhere")
    return tmp_path


def check(folder: Path, capsys: pytest.CaptureFixture[str], *options: str) -> tuple[int, str, str]:
    status = command.main(["check", str(folder), *options])
    captured = capsys.readouterr()
    return status, captured.out, captured.err


def test_the_shards_are_a_table_of_80_columns_with_what_a_run_can_do(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    status, out, err = check(folder, capsys)
    assert (status, err) == (1, "")
    assert all(len(line) <= 80 for line in out.splitlines())
    digest = describe_shard(folder / ONE).sha256
    assert f"{ONE}       600,000  {digest[:32]}\n" in out
    assert "3 shards: somewhere" in out
    # 600,000 tokens hold one step of 524,288, and 1,200,000 hold two.
    assert "training: 2 shards hold 3 steps of 524,288 tokens" in out
    assert "validation: 200 tokens of the 10,485,761 needed" in out
    assert "not enough for a run of sub3, which takes 1393 steps" in out


def test_the_json_holds_what_the_table_does(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    status, out, _ = check(folder, capsys, "--json")
    found = json.loads(out)
    assert status == 1
    assert [row["file"] for row in found["shards"]] == [ONE, TWO, VAL]
    assert found["shards"][0] == {
        "file": ONE,
        "origin": "somewhere",
        "broken": None,
        "tokens": 600_000,
        "sha256": describe_shard(folder / ONE).sha256,
    }
    assert found["sub3"] == {
        "shards": 2,
        "steps": 3,
        "step_tokens": 524_288,
        "needed": 1393,
        "val_tokens": 200,
        "val_needed": 10_485_761,
        "fits": False,
    }


def test_what_is_enough_for_a_run_is_said(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    data = DataConfig(
        separator=0, sequence_length=100, sequences_per_step=5, sequences_per_pass=1, val_tokens=100
    )
    small = replace(SUB3.model, block_size=10)
    monkeypatch.setattr("trainer.data.fineweb.check.SUB3", replace(SUB3, data=data, model=small))
    _, out, _ = check(folder, capsys)
    assert "2 shards hold 3598 steps of 500 tokens" in out
    assert "\nenough for a run of sub3" in out


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda data: data[:-2], "600000 tokens in the header make 1201024 bytes"),
        (lambda data: b"x" + data[1:], "magic number"),
        (lambda data: data[:-2] + b"\xff\xff", "token 599999 is 65535"),
        (lambda data: data[:-2] + b"\x01\x00", "manifest.json has"),
        (lambda _: b"", "0 bytes are too few"),
    ],
)
def test_a_broken_shard_is_named_with_its_reason_and_the_others_are_shown(
    folder: Path, capsys: pytest.CaptureFixture[str], spoil, reason: str
) -> None:
    (folder / ONE).write_bytes(spoil((folder / ONE).read_bytes()))
    status, out, err = check(folder, capsys)
    assert status == 2
    assert err.count("\n") == 1
    assert f"{folder / ONE}: " in err
    assert reason in err
    assert f"{ONE}  broken\n" in out
    assert TWO in out
    # A run would stop before it.
    assert "0 shards hold 0 steps" in out
    assert json.loads(check(folder, capsys, "--json")[1])["shards"][0]["broken"] in err


def test_a_gap_in_the_numbers_ends_what_a_run_can_read(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / TWO).rename(folder / TWO.replace("2", "3"))
    assert "1 shard hold 1 steps" in check(folder, capsys)[1]


def test_a_shard_that_is_not_written_of_is_sound_and_of_unknown_origin(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "manifest.json").unlink()
    status, out, _ = check(folder, capsys)
    assert status == 1
    assert "3 shards: nobody wrote down where from" in out


def test_a_folder_without_shards_is_one_line_with_the_fetch_command(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    status, out, err = check(tmp_path, capsys)
    assert (status, out) == (2, "")
    assert f"speedcheck data fetch --shards 8 --data-dir {tmp_path}" in err
