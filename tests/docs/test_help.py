"""docs/commands.md is what the program says of itself."""

from __future__ import annotations

import subprocess
import sys

from pages import ROOT


def test_the_page_of_commands_is_up_to_date():
    # A process of its own: the width is read when the command line is imported.
    done = subprocess.run(
        [sys.executable, "docs/help.py"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    page = (ROOT / "docs/commands.md").read_text(encoding="utf-8")
    assert done.stdout == page, "run `make docs`"
