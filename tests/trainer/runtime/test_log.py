from __future__ import annotations

import io
import json
import math
from pathlib import Path

import pytest

from trainer.errors import TrainerError
from trainer.runtime.log import FileLog, header_line, memory_line, step_line, stopped_line


@pytest.mark.parametrize(
    ("step", "kind", "loss", "train_ms", "line"),
    [
        (0, "val", 5.768321, 0.0, "0/300 val_loss:5.768321 train_time:0ms step_avg:0.00ms"),
        (1, "train", 5.76841, 31.2, "1/300 train_loss:5.768410 train_time:31ms step_avg:31.20ms"),
        (37, "train", math.nan, 1199.2, "37/300 train_loss:nan train_time:1199ms step_avg:32.41ms"),
        (
            300,
            "val",
            1.5435,
            9711.6,
            "300/300 val_loss:1.543500 train_time:9712ms step_avg:32.37ms",
        ),
        (2, "val", math.inf, 4.0, "2/300 val_loss:inf train_time:4ms step_avg:2.00ms"),
    ],
)
def test_step_lines_are_those_of_the_contract(
    step: int, kind: str, loss: float, train_ms: float, line: str
) -> None:
    assert step_line(step, 300, kind=kind, loss=loss, train_ms=train_ms) == f"step:{line}"


def test_the_other_lines_are_those_of_the_contract() -> None:
    assert memory_line(212.4, 239.6) == "peak memory allocated: 212 MiB reserved: 240 MiB"
    assert stopped_line(37) == 'stopped: "loss is not a finite number at step 37"'
    assert header_line("world", {"ranks": 1, "device": "cpu"}) == (
        'world: {"device": "cpu", "ranks": 1}'
    )


def test_a_log_can_be_followed_line_by_line(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "seed-000.txt"
    with FileLog.create(path, steps=2) as log:
        log.header("print(1)\n", ["seed: 0"])
        rule = "=" * 100
        assert path.read_text() == f"print(1)\n{rule}\nseed: 0\n{rule}\n"
        log.step(1, kind="train", loss=2.0, train_ms=3.0)
        assert path.read_text().endswith(
            "\nstep:1/2 train_loss:2.000000 train_time:3ms step_avg:3.00ms\n"
        )


def test_an_existing_log_is_never_touched(tmp_path: Path) -> None:
    path = tmp_path / "seed-000.txt"
    path.write_text("precious")
    with pytest.raises(TrainerError, match=r"seed-000\.txt: this log exists already; name another"):
        FileLog.create(path, steps=2).__enter__()
    assert path.read_text() == "precious"


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(TrainerError, match=r"file.*cannot be written"):
        FileLog.create(tmp_path / "file" / "seed-000.txt", steps=2).__enter__()


class FullDisk(io.StringIO):
    def flush(self) -> None:
        raise OSError(28, "No space left on device")

    def close(self) -> None:
        self.flush()


def test_a_full_disk_is_one_clear_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "open", lambda *_, **__: FullDisk())
    sentence = r"here\.txt: the log cannot be written \(No space left on device\); free space"
    with (
        pytest.raises(TrainerError, match=sentence),
        FileLog.create(Path("here.txt"), steps=2) as log,
    ):
        log.step(1, kind="train", loss=2.0, train_ms=3.0)


def test_header_values_survive_a_round_trip() -> None:
    value = {"text": 'quotes " and ünïcode\nand lines', "none": None, "list": [1, 2.5]}
    key, _, text = header_line("key", value).partition(": ")
    assert (key, json.loads(text)) == ("key", value)
