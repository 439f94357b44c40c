"""The commands: one module a group, wiring and exit codes only."""

from __future__ import annotations

from speedcheck.cli.entry import main

__all__ = ["main"]
