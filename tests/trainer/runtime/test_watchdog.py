from __future__ import annotations

import os
import threading
import time
from datetime import timedelta

import pytest

from trainer.runtime.watchdog import EXIT_HUNG, Watchdog


@pytest.fixture
def ended(monkeypatch: pytest.MonkeyPatch) -> tuple[threading.Event, list[int]]:
    """Set when the process would end, with the status."""
    event, statuses = threading.Event(), []

    def end(status: int) -> None:
        statuses.append(status)
        event.set()

    monkeypatch.setattr(os, "_exit", end)
    return event, statuses


def test_silence_ends_the_process_in_one_line(
    ended: tuple[threading.Event, list[int]], capfd: pytest.CaptureFixture[str]
) -> None:
    event, statuses = ended
    Watchdog(1, timedelta(seconds=0.05))
    assert event.wait(10)
    assert statuses == [EXIT_HUNG]
    assert capfd.readouterr().err.startswith("trainer: rank 1 has waited 0.05 s for the others")


def test_a_sign_of_life_renews_the_patience(ended: tuple[threading.Event, list[int]]) -> None:
    event, _ = ended
    watchdog = Watchdog(0, timedelta(seconds=2))
    end = time.monotonic() + 3
    while time.monotonic() < end:
        watchdog.hear()
        time.sleep(0.01)
    assert not event.is_set()
    watchdog.release()


def test_released_it_watches_no_longer(ended: tuple[threading.Event, list[int]]) -> None:
    event, _ = ended
    Watchdog(0, timedelta(seconds=0.2)).release()
    assert not event.wait(0.6)
