"""What a machine has is told, and what it lacks is a sentence."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from trainer import __main__ as command


def survey(recipe: str, data: Path, capsys: pytest.CaptureFixture[str]) -> dict:
    assert command.main(["survey", "--recipe", recipe, "--data-dir", str(data)]) == 0
    return json.loads(capsys.readouterr().out)


def test_tiny_lacks_nothing_on_any_machine(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = survey("tiny", tmp_path, capsys)
    assert (found["device"], found["data"], found["kernel_cache"]) == (None, None, None)
    assert found["data_free_gib"] > 0


def test_sub3_without_a_gpu_or_shards_says_both(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setenv("TRITON_CACHE_DIR", str(tmp_path / "cache"))
    (tmp_path / "cache/abc").mkdir(parents=True)
    (tmp_path / "cache/abc/kernel.cubin").touch()
    found = survey("sub3", tmp_path / "none", capsys)
    assert "needs a CUDA GPU" in found["device"]
    assert "speedcheck data fetch" in found["data"]
    assert found["kernel_cache"] == {
        "folder": str(tmp_path / "cache"),
        "kernels": 1,
        "writable": True,
    }
