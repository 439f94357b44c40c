"""`speedcheck data` says what `python -m trainer.data.fineweb` does."""

from __future__ import annotations

import re
import subprocess
import sys

import platformdirs
import pytest

from trainer.data.fineweb.__main__ import _parse


@pytest.mark.parametrize(
    ("words", "options"),
    [
        (["fetch"], ["shards"]),
        (["tokenize", "a.txt", "--out=d"], ["field", "val_tokens", "shard_tokens"]),
        (["synth"], ["shards", "tokens", "val_tokens", "seed"]),
    ],
)
def test_the_defaults_in_the_help_are_those_that_hold(words: list[str], options: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "speedcheck", "data", words[0], "--help"],
        capture_output=True,
        text=True,
        check=True,
    )
    text = " ".join(done.stdout.split())
    shown = dict(re.findall(r"--([a-z-]+) [^[]*\[default: (\S+)\]", text))
    defaults = vars(_parse(words))
    assert {name: shown[name.replace("_", "-")] for name in options} == {
        name: str(defaults[name]) for name in options
    }


def test_the_folder_is_that_of_the_variable_or_the_users_cache(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("SPEEDCHECK_DATA", raising=False)
    assert _parse(["fetch"]).dir == platformdirs.user_cache_path("speedcheck") / "data"
    monkeypatch.setenv("SPEEDCHECK_DATA", "elsewhere")
    assert [str(_parse([name]).dir) for name in ("fetch", "check", "synth")] == ["elsewhere"] * 3
