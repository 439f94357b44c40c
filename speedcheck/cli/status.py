"""`speedcheck status`: how far a campaign has come, from another terminal."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from speedcheck.cli.options import argument
from speedcheck.report.wording import without_commands

WATCH_SECONDS = 2.0
CLEAR = "\x1b[H\x1b[2J"


def status(
    folder: Annotated[Path, argument("Record folder.", "FOLDER")],
    *,
    watch: Annotated[
        bool, typer.Option("--watch", help="Show it again every 2 s until the campaign ends.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Print it as a line of JSON.")] = False,
) -> None:
    """Say how far the campaign of a record folder has come."""
    import sys

    from speedcheck.run.progress.campaign_status import read_status
    from speedcheck.run.progress.status_text import status_json, status_text

    clears = watch and not json and sys.stdout.isatty()
    while True:
        now = read_status(folder)
        text = status_json(now) + "\n" if json else without_commands(status_text(now))
        typer.echo((CLEAR if clears else "") + text, nl=False)
        if not watch or now.is_over:
            return
        time.sleep(WATCH_SECONDS)
