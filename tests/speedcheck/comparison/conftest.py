"""Two kinds of records to compare: published ones, and those of the bundled trainer."""

from __future__ import annotations

import pytest

from tests.speedcheck.comparison.comparing import GPUS, LOSSES


@pytest.fixture
def published(build, published_log_text):
    """Write a folder of published logs, which name no machine."""

    def write(name, times, losses=LOSSES, **options):
        logs = {
            f"{i:02d}.txt": published_log_text(val_loss=loss, time_ms=ms, **options)
            for i, (loss, ms) in enumerate(zip(losses, times, strict=False))
        }
        return build.folder(logs, name)

    return write


@pytest.fixture
def trained(build, log_text, losses):
    """Write logs of the bundled trainer with the minutes of their starts and their machines."""

    def write(name, times, minutes, hosts=("5f0c1e2d3a4b",), shift=0.0, seeds=None):
        logs = {}
        for i, (ms, minute) in enumerate(zip(times, minutes, strict=True)):
            seed = i if seeds is None else seeds[i]
            text = log_text(seed=seed, val_loss=losses[i] + shift, time_ms=ms, gpus=GPUS)
            text = text.replace("18:30:00Z", f"18:{minute:02d}:00Z")
            logs[f"{i}.txt"] = text.replace("5f0c1e2d3a4b", hosts[i % len(hosts)])
        return build.folder(logs, name)

    return write
