"""Registers the profiles of hypothesis; pytest takes all examples by default."""

from __future__ import annotations

from examples import register

register()
