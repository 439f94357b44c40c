from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainer.data.fineweb import documents
from trainer.data.fineweb.documents import Piece, cut_document, read_pieces, require_readable
from trainer.errors import TrainerError

if TYPE_CHECKING:
    import tiktoken


def texts(*paths: Path, field: str = "text") -> list[str]:
    """Return the documents, put together again."""
    found: list[str] = []
    for piece in read_pieces(paths, field):
        if piece.opens:
            found.append(piece.text)
        else:
            found[-1] += piece.text
    return found


def write(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def test_a_text_file_is_one_document_with_every_character(tmp_path: Path) -> None:
    text = "a\r\n\r\nb \u00e9\U0001f600\0<|endoftext|>\n"
    assert texts(write(tmp_path / "a.txt", text)) == [text]


def test_a_byte_order_mark_is_no_text(tmp_path: Path) -> None:
    line = json.dumps({"text": "b"})
    assert texts(
        write(tmp_path / "a.txt", "\ufeffa"), write(tmp_path / "b.jsonl", f"\ufeff{line}\n")
    ) == ["a", "b"]


def test_a_character_may_stand_across_two_reads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(documents, "READ_BYTES", 3)
    assert texts(write(tmp_path / "a.txt", "\u00e9\U0001f600" * 9)) == ["\u00e9\U0001f600" * 9]


def test_a_line_of_json_is_a_document_and_blank_lines_are_none(tmp_path: Path) -> None:
    rows = ['{"text": "one\\ntwo", "id": 1}', "", '{"text": ""}', '{"text": null}', '{"text": "x"}']
    path = write(tmp_path / "a.jsonl", "\n".join(rows))
    assert texts(path) == ["one\ntwo", "x"]


def test_the_field_can_be_named(tmp_path: Path) -> None:
    assert texts(write(tmp_path / "a.jsonl", '{"body": "b"}'), field="body") == ["b"]


def test_a_row_of_a_parquet_file_is_a_document(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pa = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    monkeypatch.setattr(documents, "BATCH_ROWS", 2)
    column = ["one", None, "", "two\n", "\u00e9"]
    for kind in (pa.string(), pa.large_string(), pa.dictionary(pa.int32(), pa.string())):
        table = pa.table({"id": range(5), "text": pa.array(column, pa.string()).cast(kind)})
        parquet.write_table(table, tmp_path / "a.parquet", row_group_size=3)
        assert texts(tmp_path / "a.parquet") == ["one", "two\n", "\u00e9"]


def test_files_are_read_in_the_order_given(tmp_path: Path) -> None:
    b, a = write(tmp_path / "b.txt", "b"), write(tmp_path / "a.txt", "a")
    assert texts(b, a, b) == ["b", "a", "b"]


@pytest.mark.parametrize(
    ("name", "content", "complaint"),
    [
        ("a.txt", b"abc\xff", r"a\.txt, byte 3: the text is not UTF-8 \(byte 0xff\)"),
        ("a.txt", b"\xef\xbb\xbfabc\xc3", r"a\.txt, byte 6: the text is not UTF-8"),
        ("a.jsonl", b'{"text": "a"}\n{"text": "\xff"}\n', r"a\.jsonl:2: the text is not UTF-8"),
        ("a.jsonl", b'{"text": "a"}\n{"text": \n', r"a\.jsonl:2: the line is not JSON \(Expecting"),
        ("a.jsonl", b"[" * 100_000, r"a\.jsonl:1: the line is not JSON"),
        ("a.jsonl", b'\n{"body": 1, "id": 2}', r"a\.jsonl:2: .*no field 'text'.*has body, id"),
        ("a.jsonl", b'["text"]', r"a\.jsonl:1: .*no field 'text': the line is list"),
        ("a.jsonl", b'{"text": 3}', r"a\.jsonl:1: 'text' is int, not text"),
    ],
)
def test_what_cannot_be_read_is_named_with_its_place(
    tmp_path: Path, name: str, content: bytes, complaint: str
) -> None:
    with pytest.raises(TrainerError, match=complaint):
        texts(write(tmp_path / name, content))


@pytest.mark.parametrize("content", [b"PAR1 nonsense", b""])
def test_what_is_no_parquet_file_is_named(tmp_path: Path, content: bytes) -> None:
    pytest.importorskip("pyarrow")
    with pytest.raises(TrainerError, match=r"a\.parquet: not a readable Parquet file"):
        texts(write(tmp_path / "a.parquet", content))


def test_a_parquet_file_without_the_column_names_those_it_has(tmp_path: Path) -> None:
    pa = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    parquet.write_table(pa.table({"body": ["a"], "id": [1]}), tmp_path / "a.parquet")
    with pytest.raises(TrainerError, match="no column 'text', only body, id; name it with --field"):
        texts(tmp_path / "a.parquet")
    with pytest.raises(TrainerError, match=r"a\.parquet, row 1: 'id' is int, not text"):
        texts(tmp_path / "a.parquet", field="id")


def test_a_line_without_an_end_is_refused_before_it_fills_the_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(documents, "LINE_BYTES", 20)
    path = write(tmp_path / "a.jsonl", '{"text": "a"}\n' + '{"text": "' + "a" * 50)
    with pytest.raises(TrainerError, match=r"a\.jsonl:2: the line is longer than 20 bytes"):
        texts(path)


def test_names_are_checked_before_any_file_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    good, table = write(tmp_path / "a.txt", "a"), write(tmp_path / "a.csv", "a")
    rows = write(tmp_path / "a.parquet", "a")
    with pytest.raises(TrainerError, match=r"a\.csv: .*known are \.txt, \.jsonl, \.parquet"):
        require_readable([good, table])
    with pytest.raises(TrainerError, match=r"b\.txt: does not exist; name files that"):
        require_readable([good, tmp_path / "b.txt"])
    monkeypatch.setattr("trainer.data.fineweb.extras.find_spec", lambda _: None)
    with pytest.raises(TrainerError, match=r"needs pyarrow.*'speedcheck\[data\]'"):
        require_readable([good, rows])


@given(
    chunks=st.lists(st.text(st.sampled_from("ab'1.\u3000\x1c \n\t\u00e9"), max_size=40)),
    limit=st.integers(1, 12),
)
def test_the_pieces_are_the_text_and_no_longer_than_the_limit(
    chunks: list[str], limit: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(documents, "PIECE_CHARACTERS", limit)
        patch.setattr(documents, "SEARCH_CHARACTERS", 3)
        pieces = list(cut_document(chunks))
    assert "".join(piece.text for piece in pieces) == "".join(chunks)
    assert all(0 < len(piece.text) <= limit for piece in pieces)
    assert [piece.opens for piece in pieces] == [index == 0 for index in range(len(pieces))]


WORDS = st.lists(
    st.text(st.sampled_from("abc's1.,\u00e9\u3000\x1c"), min_size=1, max_size=6)
    | st.text(st.sampled_from(" \n\t"), min_size=1, max_size=4),
    max_size=60,
).map("".join)


@given(text=WORDS)
def test_a_cut_changes_no_token(encoding: tiktoken.Encoding, text: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        # Longer than any stretch without a place to cut, so that none is cut where it ends.
        patch.setattr(documents, "PIECE_CHARACTERS", longest_stretch(text) + 1)
        patch.setattr(documents, "SEARCH_CHARACTERS", 7)
        pieces = list(cut_document([text]))
    found = [token for piece in pieces for token in encoding.encode_ordinary(piece.text)]
    assert found == encoding.encode_ordinary(text)


def longest_stretch(text: str) -> int:
    """Return how far two places lie apart at most where a blank follows something else."""
    places = [
        index
        for index in range(1, len(text))
        if text[index] in " \n" and not text[index - 1].isspace()
    ]
    edges = [0, *places, len(text)]
    return max(later - earlier for earlier, later in pairwise(edges))


def test_a_long_text_is_never_held_as_a_whole(tmp_path: Path) -> None:
    import tracemalloc

    path = write(tmp_path / "a.txt", "some words and more\n" * 1_000_000)
    tracemalloc.start()
    pieces = sum(isinstance(piece, Piece) for piece in read_pieces([path], "text"))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert pieces == 20
    assert peak < 6 << 20
