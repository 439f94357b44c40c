"""The pages of the documentation, and the script that runs their commands."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def _load(name: str):
    """Load a script of docs/, which is not a package."""
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, ROOT / "docs" / f"{name}.py")
        sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[name])
    return sys.modules[name]


refresh = _load("refresh")
capture = _load("capture")
PAGES = refresh.PAGES


def page_id(page: Path) -> str:
    return str(page.relative_to(ROOT))
