"""Text to tokens on all cores, in the order of the text and in bounded memory."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections import deque
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np

from trainer.data.fineweb.extras import require_package
from trainer.errors import TrainerError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import tiktoken

    from trainer.data.fineweb.documents import Piece
    from trainer.data.shards import Tokens

# Characters handed to a process at a time. Many short documents go together, since handing one
# over costs as much as encoding some thousand characters.
BATCH_CHARACTERS = 1 << 20
# Batches per process that wait or are done: enough that none idles, and what bounds the memory.
AHEAD = 3


def gpt2_encoding() -> tiktoken.Encoding:
    """Return GPT-2's encoding, which tiktoken downloads once and keeps.

    Raises:
        TrainerError: tiktoken is not installed, or the encoding cannot be downloaded.
    """
    require_package("tiktoken")
    import tiktoken  # noqa: PLC0415 - an extra

    try:
        return tiktoken.get_encoding("gpt2")
    # tiktoken lets the errors of its network library and of its own hash check through.
    except Exception as error:
        raise TrainerError(
            f"GPT-2's encoding cannot be downloaded ({type(error).__name__})",
            where="tiktoken",
            remedy="connect to the network once, give a file of its ranks with --ranks, or point "
            "TIKTOKEN_CACHE_DIR to the folder of another machine's tiktoken that has it",
        ) from error


def encode_pieces(
    pieces: Iterable[Piece], encoding: tiktoken.Encoding, processes: int
) -> Iterator[Tokens]:
    """Yield the tokens of the pieces in their order; a document begins with end-of-text.

    What looks like a special token in a text is ordinary text.

    Args:
        pieces: read no further than the processes need.
        encoding: with ids that fit in 16 bits.
        processes: that share the work.

    Raises:
        TrainerError: a process died.
    """
    running: deque[Future[Tokens]] = deque()
    pool = ProcessPoolExecutor(
        processes,
        mp_context=multiprocessing.get_context("spawn"),
        initializer=_start_worker,
        initargs=(encoding,),
    )
    try:
        for batch in _batches(pieces):
            if len(running) >= AHEAD * processes:
                yield running.popleft().result()
            with _interrupts_held():
                running.append(pool.submit(_encode, batch))
        while running:
            yield running.popleft().result()
    except BrokenProcessPool as error:
        raise TrainerError(
            "a process that encodes has died",
            remedy="was there too little memory? try --processes 1",
        ) from error
    finally:
        pool.shutdown(cancel_futures=True)


def _batches(pieces: Iterable[Piece]) -> Iterator[list[Piece]]:
    batch: list[Piece] = []
    characters = 0
    for piece in pieces:
        if batch and characters + len(piece.text) > BATCH_CHARACTERS:
            yield batch
            batch, characters = [], 0
        batch.append(piece)
        characters += len(piece.text)
    if batch:
        yield batch


@contextmanager
def _interrupts_held() -> Iterator[None]:
    """Start processes that Ctrl-C does not reach: they end with this one."""
    signals = {signal.SIGINT}
    before = signal.pthread_sigmask(signal.SIG_BLOCK, signals)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


_encoding: tiktoken.Encoding


def _start_worker(encoding: tiktoken.Encoding) -> None:
    global _encoding  # noqa: PLW0603 - once in a process of its own, before any work
    _encoding = encoding
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """Leave nothing behind where the parent is killed: its pipe would never close."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _encode(batch: list[Piece]) -> Tokens:
    """Return the tokens of the pieces, shape (n,)."""
    tokens: list[int] = []
    for piece in batch:
        if piece.opens:
            tokens.append(_encoding.eot_token)
        tokens += _encoding.encode_ordinary(piece.text)
    return np.array(tokens, dtype=np.uint16)
