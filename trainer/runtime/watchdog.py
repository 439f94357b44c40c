"""Ends this process when it waits too long: some rank hangs, and would hang all for ever."""

from __future__ import annotations

import os
import sys
import threading
from datetime import timedelta

EXIT_HUNG = 4


class Watchdog:
    """A thread that wants to hear from the main one, as the exchanges' own timeouts do not suffice.

    After its timeout, NCCL's watchdog waits for another minute or more to write down what it knows.

    Args:
        rank: of this process, for the message.
        patience: the longest silence.
    """

    def __init__(self, rank: int, patience: timedelta) -> None:
        self._rank = rank
        self._patience = patience.total_seconds()
        self._heard = threading.Event()
        self._released = False
        threading.Thread(target=self._watch, name="watchdog", daemon=True).start()

    def hear(self) -> None:
        """Be patient anew."""
        self._heard.set()

    def release(self) -> None:
        """Watch no longer."""
        self._released = True
        self._heard.set()

    def _watch(self) -> None:
        while self._heard.wait(self._patience):
            self._heard.clear()
            if self._released:
                return
        print(  # noqa: T201 - the command's own output
            f"trainer: rank {self._rank} has waited {self._patience:g} s for the others; "
            "see which of them hangs",
            file=sys.stderr,
            flush=True,
        )
        os._exit(EXIT_HUNG)
