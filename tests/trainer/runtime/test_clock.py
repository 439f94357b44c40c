from __future__ import annotations

import time

import pytest
import torch

from trainer.runtime.clock import Clock


class Time:
    """A clock for the clock: it moves when told."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 100.0
        monkeypatch.setattr(time, "perf_counter", lambda: self.now)


def test_the_clock_counts_between_start_and_stop_and_not_in_pauses(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    real = Time(monkeypatch)
    clock = Clock(torch.device("cpu"))
    real.now += 5
    clock.start()
    real.now += 0.25
    first = clock.lap()
    with clock.paused():
        assert clock.milliseconds == pytest.approx(250)
        real.now += 7
    real.now += 0.5
    second = clock.lap()
    clock.stop()
    real.now += 9
    assert first.milliseconds() == pytest.approx(250)
    assert second.milliseconds() == pytest.approx(750)
    assert clock.milliseconds == pytest.approx(750)


@pytest.mark.gpu
def test_on_a_gpu_a_lap_is_read_when_the_gpu_has_come_to_it(cuda: torch.device) -> None:
    clock = Clock(cuda)
    clock.start()
    torch.cuda._sleep(200_000_000)
    first = clock.lap()
    torch.cuda._sleep(200_000_000)
    second = clock.lap()
    clock.stop()
    assert first.milliseconds() > 20
    assert second.milliseconds() == pytest.approx(2 * first.milliseconds(), rel=0.2)
    assert second.milliseconds() == pytest.approx(clock.milliseconds, rel=0.05)
