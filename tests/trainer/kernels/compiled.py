"""Whether kernels compile for cards that are not here."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]


def assert_compiles(*arguments: str) -> None:
    """Fail where a kernel spills or does not fit the card, or where none can be compiled."""
    # Triton's interpreter compiles nothing.
    compiled = {key: value for key, value in os.environ.items() if key != "TRITON_INTERPRET"}
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.gpu.compile_check", *arguments],
        cwd=ROOT,
        env=compiled,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
