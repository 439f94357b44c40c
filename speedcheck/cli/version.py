"""`speedcheck --version`: the versions that a report of a fault needs."""

from __future__ import annotations

import platform
import re
from importlib.util import find_spec
from pathlib import Path

from speedcheck import __version__

_VALUES = {
    "PyTorch": r"^__version__\b[^=\n]*= *'([^']+)'",
    "CUDA": r"^cuda\b[^=\n]*= *'([^']+)'",
}


def version_line() -> str:
    """Return the versions of speedcheck and Python, and of PyTorch and CUDA if they are there."""
    parts = [f"speedcheck {__version__}", f"Python {platform.python_version()}", *_torch()]
    return ", ".join(parts)


def _torch() -> list[str]:
    """Read the versions from PyTorch's own file: importing it takes seconds and gigabytes."""
    spec = find_spec("torch")
    if spec is None or spec.origin is None:
        return []
    try:
        text = Path(spec.origin).with_name("version.py").read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return []
    found = [(shown, re.search(name, text, re.MULTILINE)) for shown, name in _VALUES.items()]
    return [f"{shown} {match[1]}" for shown, match in found if match]
