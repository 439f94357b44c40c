from __future__ import annotations

import itertools
import json
import multiprocessing
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import numpy as np
import pytest

from trainer.data.fineweb import encode
from trainer.data.fineweb.documents import Piece
from trainer.data.fineweb.encode import encode_pieces
from trainer.data.fineweb.tokenize import TokenizeConfig, Totals, tokenize_files
from trainer.data.shards import read_shard
from trainer.errors import TrainerError

tiktoken = pytest.importorskip("tiktoken")
from trainer.data.tokenizer import byte_encoding  # noqa: E402 - needs tiktoken

ROOT = Path(__file__).resolve().parents[4]
NAMES = ["fineweb_val_000000.bin", "fineweb_train_000001.bin", "fineweb_train_000002.bin"]


@pytest.fixture(autouse=True)
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a few documents make several batches."""
    monkeypatch.setattr(encode, "BATCH_CHARACTERS", 50)


def make(
    out: Path, files: list[Path], encoding: tiktoken.Encoding, **config: int
) -> list[tuple[str, int]]:
    made = tokenize_files(files, out, lambda: encoding, TokenizeConfig(**config), lambda _: None)
    return [(shard.file, shard.tokens) for shard in made]


def tokens_of(folder: Path) -> list[int]:
    """Return the tokens of all shards, the validation shard first."""
    names = sorted((path.name for path in folder.glob("*.bin")), reverse=True)
    names = names[:1] + sorted(names[1:])
    parts = [read_shard(folder / name, vocab_size=50_257) for name in names]
    return np.concatenate(parts).tolist()


@pytest.fixture
def lines(tmp_path: Path) -> tuple[Path, list[str]]:
    """A file of 30 documents of different lengths, one with the mark of a document's end."""
    texts = [f"document {index}: " + "words and\n" * (index % 7) for index in range(30)]
    texts[4] = "a <|endoftext|> b"
    path = tmp_path / "a.jsonl"
    path.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts))
    return path, texts


def test_the_shards_hold_every_document_behind_a_separator_in_order(
    tmp_path: Path, lines: tuple[Path, list[str]], encoding: tiktoken.Encoding
) -> None:
    path, texts = lines
    expected = []
    for text in texts:
        expected += [encoding.eot_token, *encoding.encode_ordinary(text)]
    made = make(tmp_path / "out", [path], encoding, val_tokens=100, shard_tokens=400)
    rest = len(expected) - 500
    assert made == list(zip(NAMES, (100, 400, rest), strict=True))
    assert tokens_of(tmp_path / "out") == expected
    # What looks like a separator in a text is none.
    assert expected.count(encoding.eot_token) == 30


def test_the_number_of_processes_changes_no_byte(
    tmp_path: Path, lines: tuple[Path, list[str]], encoding: tiktoken.Encoding
) -> None:
    for processes in (1, 3):
        out = tmp_path / str(processes)
        make(out, [lines[0]], encoding, val_tokens=100, shard_tokens=400, processes=processes)
    for name in NAMES:
        assert (tmp_path / "1" / name).read_bytes() == (tmp_path / "3" / name).read_bytes()


def test_any_encoding_of_16_bits_will_do(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("caf\u00e9")
    make(tmp_path / "out", [tmp_path / "a.txt"], byte_encoding(), val_tokens=2)
    assert tokens_of(tmp_path / "out") == [256, *"caf\u00e9".encode()]


def test_the_folder_says_what_the_shards_are(
    tmp_path: Path, lines: tuple[Path, list[str]], encoding: tiktoken.Encoding
) -> None:
    make(tmp_path / "out", [lines[0], lines[0]], encoding, val_tokens=100)
    rows = json.loads((tmp_path / "out" / "manifest.json").read_text())["shards"]
    assert {row["origin"] for row in rows} == {
        "small tokens of the user's own text, from a.jsonl and 1 more"
    }


def test_progress_counts_tokens_and_documents(
    tmp_path: Path, lines: tuple[Path, list[str]], encoding: tiktoken.Encoding
) -> None:
    seen: list[int] = []

    def on_progress(totals: Totals) -> None:
        seen.append(totals.tokens)
        last.append(totals)

    last: list[Totals] = []
    config = TokenizeConfig(val_tokens=10)
    list(tokenize_files([lines[0]], tmp_path / "out", lambda: encoding, config, on_progress))
    assert len(seen) > 3
    assert seen == sorted(seen)
    assert last[-1] == Totals(documents=30, tokens=len(tokens_of(tmp_path / "out")))


@pytest.mark.parametrize(("text", "count"), [("", 0), ("ab", 3), ("abc", 4)])
def test_text_for_the_validation_shard_alone_is_refused_and_leaves_nothing(
    tmp_path: Path, text: str, count: int
) -> None:
    (tmp_path / "a.txt").write_text(text)
    complaint = f"the text has {count} tokens, and the validation shard alone takes 4"
    with pytest.raises(TrainerError, match=complaint):
        make(tmp_path / "out", [tmp_path / "a.txt"], byte_encoding(), val_tokens=4)
    assert not (tmp_path / "out").exists()


def test_a_folder_with_shards_is_refused_before_the_encoding_is_loaded(
    tmp_path: Path, lines: tuple[Path, list[str]]
) -> None:
    (tmp_path / "fineweb_val_000000.bin").write_bytes(b"precious")

    def load() -> tiktoken.Encoding:
        pytest.fail("loaded")

    with pytest.raises(TrainerError, match="the folder holds 1 shard"):
        list(tokenize_files([lines[0]], tmp_path, load, TokenizeConfig(), lambda _: None))
    with pytest.raises(TrainerError, match=r"b\.txt: does not exist"):
        list(tokenize_files([tmp_path / "b.txt"], tmp_path, load, TokenizeConfig(), print))


def test_a_bad_line_stops_the_work_and_names_itself(
    tmp_path: Path, lines: tuple[Path, list[str]], encoding: tiktoken.Encoding
) -> None:
    with lines[0].open("a") as file:
        file.write("{\n")
    with pytest.raises(TrainerError, match=r"a\.jsonl:31: the line is not JSON"):
        make(tmp_path / "out", [lines[0]], encoding, val_tokens=10)


def test_a_process_that_dies_ends_the_work_and_hangs_nothing(encoding: tiktoken.Encoding) -> None:
    arrays = encode_pieces(itertools.repeat(Piece("a" * 60, opens=True)), encoding, processes=2)
    next(arrays)
    # As the system does where memory runs out.
    multiprocessing.active_children()[0].kill()
    with pytest.raises(TrainerError, match="a process that encodes has died"):
        list(arrays)


def test_the_text_is_read_no_further_than_the_processes_need(encoding: tiktoken.Encoding) -> None:
    taken = 0

    def pieces():
        nonlocal taken
        for _ in range(1000):
            taken += 1
            yield Piece("a" * 50, opens=True)

    arrays = encode_pieces(pieces(), encoding, processes=1)
    next(arrays)
    # AHEAD batches of one piece, the one being made, and the first of the next.
    assert taken <= encode.AHEAD + 2
    arrays.close()


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_memory_does_not_grow_with_the_text(tmp_path: Path) -> None:
    program = r"""
        import re, resource, sys
        from pathlib import Path
        from trainer.data.fineweb.tokenize import TokenizeConfig, tokenize_files
        from trainer.data.tokenizer import byte_encoding
        if __name__ == "__main__":
            file, out = map(Path, sys.argv[1:])
            config = TokenizeConfig(val_tokens=10, shard_tokens=1_000_000, processes=1)
            list(tokenize_files([file], out, byte_encoding, config, lambda _: None))
            # Not ru_maxrss of this process, which begins with the peak of the one that made it.
            print(re.search(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text())[1])
            print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
        """
    (tmp_path / "program.py").write_text(textwrap.dedent(program))
    peaks = []
    for megabytes in (4, 24):
        (tmp_path / "a.txt").write_text("some words and\n" * (megabytes * 66_667))
        done = subprocess.run(
            [
                sys.executable,
                tmp_path / "program.py",
                tmp_path / "a.txt",
                tmp_path / str(megabytes),
            ],
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            check=True,
        )
        peaks.append([int(line) / 1024 for line in done.stdout.split()])
    # 20 MB of text more are 40 MB of tokens more.
    assert np.max(np.subtract(peaks[1], peaks[0])) < 15


def test_without_the_network_the_encoding_is_one_line_that_names_the_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", str(tmp_path))
    monkeypatch.setitem(tiktoken.registry.ENCODING_CONSTRUCTORS or {}, "gpt2", refuse)
    monkeypatch.delitem(tiktoken.registry.ENCODINGS, "gpt2", raising=False)
    with pytest.raises(TrainerError, match=r"cannot be downloaded \(Con.*TIKTOKEN_CACHE_DIR"):
        encode.gpt2_encoding()


def refuse() -> dict[str, object]:
    raise ConnectionError


def test_without_tiktoken_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("trainer.data.fineweb.extras.find_spec", lambda _: None)
    with pytest.raises(TrainerError, match=r"needs tiktoken.*'speedcheck\[data\]'"):
        encode.gpt2_encoding()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_no_process_stays_behind_an_end_by_signal(tmp_path: Path, number: int) -> None:
    program = """
        import itertools, sys
        from trainer.data.fineweb.documents import Piece
        from trainer.data.fineweb.encode import encode_pieces
        from trainer.data.tokenizer import byte_encoding
        if __name__ == "__main__":
            pieces = (Piece("a" * 500_000, True) for _ in itertools.count())
            for _ in encode_pieces(pieces, byte_encoding(), 2):
                print("ready", flush=True)
        """
    (tmp_path / "program.py").write_text(textwrap.dedent(program))
    process = subprocess.Popen(
        [sys.executable, tmp_path / "program.py"],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    if number == signal.SIGINT:
        # As a terminal does: to all of them.
        os.killpg(process.pid, number)
    else:
        process.send_signal(number)
    _, err = process.communicate(timeout=60)
    # Only this process's own traceback, where Python prints one.
    assert err.count("Traceback") == (number == signal.SIGINT)
    deadline = time.monotonic() + 30
    while group_lives(process.pid):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def group_lives(leader: int) -> bool:
    try:
        os.killpg(leader, 0)
    except ProcessLookupError:
        return False
    return True
