from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainer.data.tokenizer import END_OF_TEXT, SEPARATOR, VOCAB_SIZE, byte_encoding


@given(st.text())
def test_the_tokens_of_a_text_are_its_bytes(text: str) -> None:
    tokens = byte_encoding().encode_ordinary(text)

    assert tokens == list(text.encode("utf-8"))
    assert byte_encoding().decode(tokens) == text


@given(st.binary())
def test_any_bytes_can_be_decoded(content: bytes) -> None:
    assert byte_encoding().decode_bytes(list(content)) == content


def test_the_separator_is_a_token_only_where_it_is_allowed() -> None:
    encoding = byte_encoding()
    text = f"a{END_OF_TEXT}b"

    assert encoding.encode(text, allowed_special={END_OF_TEXT}) == [97, SEPARATOR, 98]
    assert encoding.encode_ordinary(text) == list(text.encode())
    with pytest.raises(ValueError, match="disallowed special token"):
        encoding.encode(text)


def test_the_separator_is_the_last_token_of_the_vocabulary() -> None:
    encoding = byte_encoding()

    assert (encoding.eot_token, encoding.max_token_value, encoding.n_vocab) == (256, 256, 257)
    assert VOCAB_SIZE == 257


def test_a_long_text_without_breaks_is_cut_into_its_bytes() -> None:
    assert byte_encoding().encode_ordinary("a" * 300_000) == [97] * 300_000
