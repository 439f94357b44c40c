"""Standard output that may go away while runs train, without ending them."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TextIO, cast


class LastingOutput:
    """A stream that drops what it cannot write: nobody reads it any more, or its disk is full.

    Args:
        stream: takes the text while it can.
        tell: hears, once, why it cannot.
    """

    def __init__(self, stream: TextIO, tell: Callable[[OSError], None]) -> None:
        self._stream = stream
        self._tell = tell

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        """Write the text at once, so that what stops it shows here."""
        try:
            self._stream.write(text)
            self._stream.flush()
        except OSError as error:
            self._give_up(error)
        return len(text)

    def flush(self) -> None:
        """Do nothing: every text has been written."""

    def _give_up(self, error: OSError) -> None:
        # In the stream's own place: what it still holds must not fail again at exit.
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, self._stream.fileno())
        os.close(nowhere)
        self._tell(error)


@contextmanager
def lasting_output(tell: Callable[[OSError], None]) -> Iterator[None]:
    """Let standard output go away while the context lasts.

    Args:
        tell: hears why, once.
    """
    before = sys.stdout
    sys.stdout = cast(TextIO, LastingOutput(before, tell))
    try:
        yield
    finally:
        sys.stdout = before
