from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest
from tiktoken.load import data_gym_to_mergeable_bpe_ranks, load_tiktoken_bpe

from trainer.data.fineweb import ranks
from trainer.errors import TrainerError

# In GPT-2's letters a space is U+0120.
MERGES = ["t h", "i n", "th e", "\u0120 t", "\u0120t he", "in g"]


@pytest.fixture
def merges(tmp_path: Path) -> Path:
    path = tmp_path / "vocab.bpe"
    path.write_text("#version: 0.2\n" + "\n".join(MERGES) + "\n", encoding="utf-8")
    return path


@pytest.fixture
def listed(tmp_path: Path, merges: Path) -> Path:
    path = tmp_path / "r50k_base.tiktoken"
    lines = (
        f"{base64.b64encode(token).decode()} {rank}\n"
        for token, rank in ranks.read_ranks(merges).items()
    )
    path.write_text("".join(lines))
    return path


def test_merges_have_the_ranks_that_tiktoken_gives_them(
    tmp_path: Path, merges: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", "")
    found = ranks.read_ranks(merges)
    assert len(found) == 256 + len(MERGES)
    letters = {byte: letter for letter, byte in ranks._letters().items()}
    encoder = tmp_path / "encoder.json"
    spelling = {"".join(letters[b] for b in token): rank for token, rank in found.items()}
    encoder.write_text(json.dumps(spelling), encoding="utf-8")
    assert found == data_gym_to_mergeable_bpe_ranks(str(merges), str(encoder))


def test_listed_ranks_are_those_that_tiktoken_reads(
    listed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", "")
    assert ranks.read_ranks(listed) == load_tiktoken_bpe(str(listed))


def test_either_form_gives_one_encoding(
    merges: Path, listed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ranks, "GPT2_SHA256", ranks.sha256_of(ranks.read_ranks(merges)))
    monkeypatch.setattr(ranks, "SEPARATOR", 256 + len(MERGES))
    for path in (merges, listed):
        encoding = ranks.encoding_from(path)
        assert encoding.eot_token == 256 + len(MERGES)
        tokens = encoding.encode_ordinary("the thing")
        assert [encoding.decode_single_token_bytes(token) for token in tokens] == [
            *(b"the", b" ", b"th", b"ing")
        ]


@pytest.mark.parametrize("name", ["merges", "listed"])
def test_ranks_that_are_not_gpt2s_are_refused(name: str, request: pytest.FixtureRequest) -> None:
    with pytest.raises(TrainerError, match=r"not GPT-2's ranks; give r50k_base\.tiktoken"):
        ranks.encoding_from(request.getfixturevalue(name))


@pytest.mark.parametrize("text", ["no ranks here", "QQ== x\n", "?? 1\n"])
def test_a_file_of_something_else_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "x.tiktoken"
    path.write_text(text)
    with pytest.raises(TrainerError, match="not a file of ranks"):
        ranks.encoding_from(path)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(TrainerError, match=r"missing\.bpe: the ranks cannot be read"):
        ranks.encoding_from(tmp_path / "missing.bpe")
