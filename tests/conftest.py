"""The profiles of hypothesis: all examples, unless pytest is told `--hypothesis-profile quick`."""

from __future__ import annotations

from examples import register

register()
