"""Signals that ask a campaign to end: noted first, so that none cuts a ledger line in two."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interrupted(Exception):  # noqa: N818 - what happened, not an error of anyone
    """A signal has ended the campaign; every run of it is in the ledger.

    Args:
        signum: the signal's number.
    """

    def __init__(self, signum: int) -> None:
        self.signum = signum
        super().__init__(signal.Signals(signum).name)


@contextmanager
def signals_noted() -> Iterator[list[int]]:
    """Collect the signals that ask for an end, so that none cuts a ledger line in two."""
    noted: list[int] = []

    def note(signum: int, frame: FrameType | None) -> None:  # noqa: ARG001 - signal's signature
        noted.append(signum)

    before = {number: signal.signal(number, note) for number in _SIGNALS}
    try:
        yield noted
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
