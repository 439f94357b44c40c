"""The clock of a run: it counts training and stands still during validation."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class Lap:
    """A reading of the clock that may lie in the future: a GPU works behind the program's back.

    Attributes:
        before: milliseconds on the clock when it was last started.
        events: on a GPU, the start and this reading, whose distance the GPU measures.
    """

    before: float
    events: tuple[torch.cuda.Event, torch.cuda.Event] | None = None

    def milliseconds(self) -> float:
        """The reading; waits until the GPU has come to it."""
        if self.events is None:
            return self.before
        start, end = self.events
        end.synchronize()
        elapsed: float = start.elapsed_time(end)
        return self.before + elapsed


class Clock:
    """Wall time of training, in milliseconds.

    Starting and stopping wait for the device, so that the total is true whatever the device still
    had to do.

    Args:
        device: that trains.
    """

    def __init__(self, device: torch.device) -> None:
        self.lags = device.type == "cuda"
        self._device = device
        self._total = 0.0
        self._began = 0.0
        self._start: torch.cuda.Event | None = None

    @property
    def milliseconds(self) -> float:
        """The total, while the clock stands still."""
        return self._total

    def start(self) -> None:
        """Begin to count."""
        self._wait()
        self._began = time.perf_counter()
        self._start = self._event()

    def stop(self) -> None:
        """Cease to count."""
        self._wait()
        self._total += self._elapsed()

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Do not count this block."""
        self.stop()
        yield
        self.start()

    def lap(self) -> Lap:
        """Read the running clock at the work that has been asked for so far."""
        end = self._event()
        if self._start is None or end is None:
            return Lap(self._total + self._elapsed())
        return Lap(self._total, (self._start, end))

    def _elapsed(self) -> float:
        return 1000 * (time.perf_counter() - self._began)

    def _event(self) -> torch.cuda.Event | None:
        if self._device.type != "cuda":
            return None
        event = torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]
        event.record()
        return event

    def _wait(self) -> None:
        if self._device.type == "cuda":
            torch.cuda.synchronize(self._device)
