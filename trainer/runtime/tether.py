"""Ends this process when the one that started it has died, at whatever moment and however.

The launcher holds the other end of standard input; the system closes it with the launcher. With
several ranks torchrun is the parent, and its death shows in the number of the parent process.
"""

from __future__ import annotations

import os
import select
import threading

EXIT_ORPHANED = 129
INTERVAL_MS = 500


def tether(descriptor: int = 0) -> None:
    """Watch `descriptor` and the parent process from a thread of its own."""
    arguments = (descriptor, os.getppid())
    threading.Thread(target=_watch, args=arguments, name="tether", daemon=True).start()


def _watch(descriptor: int, parent: int) -> None:
    poll = select.poll()
    poll.register(descriptor, select.POLLHUP)
    while os.getppid() == parent and not poll.poll(INTERVAL_MS):
        pass
    os._exit(EXIT_ORPHANED)
