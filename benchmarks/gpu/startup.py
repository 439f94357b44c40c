"""How long a run takes from the start of its process to its first timed step.

    python -m benchmarks.gpu.startup --data-dir D [--recipe sub3]

Once with empty compile caches, then again with those that the first one left. The run is ended
when its log has the first training step.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

TRAIN_LINE = re.compile(r"^step:1/\d+ train_loss:\S+ train_time:(\d+)ms", re.MULTILINE)
VAL_LINE = re.compile(r"^step:0/\d+ val_loss:", re.MULTILINE)
LIMIT = 300.0


def measure(options: argparse.Namespace, folder: Path, name: str) -> str:
    """Start a run, wait for its first step, and end it."""
    caches = {
        "TRITON_CACHE_DIR": str(folder / "triton"),
        "TORCHINDUCTOR_CACHE_DIR": str(folder / "inductor"),
    }
    log = folder / f"{name}.txt"
    command = [sys.executable, "-m", "trainer", "--recipe", options.recipe, "--seed", "0"]
    command += ["--data-dir", str(options.data_dir), "--log-dir", str(folder)]
    start = time.perf_counter()
    child = subprocess.Popen([*command, "--log-name", log.name], env={**os.environ, **caches})
    validated = None
    try:
        while time.perf_counter() - start < LIMIT and child.poll() is None:
            text = log.read_text() if log.exists() else ""
            elapsed = time.perf_counter() - start
            if validated is None and VAL_LINE.search(text):
                validated = elapsed
            first = TRAIN_LINE.search(text)
            if first and validated is not None:
                return f"{name}: {validated:.1f} s to the first timed step, after one validation"
            time.sleep(0.05)
        return f"{name}: no step within {LIMIT:.0f} s"
    finally:
        child.kill()
        child.wait()


def main() -> None:
    """Measure cold, then warm."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--recipe", default="sub3")
    parser.add_argument("--data-dir", type=Path, required=True)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        for name in ("cold", "warm"):
            print(measure(options, Path(folder), name), flush=True)


if __name__ == "__main__":
    main()
