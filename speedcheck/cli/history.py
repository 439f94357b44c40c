"""`speedcheck history`: the records of a folder as one series."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from speedcheck.cli.common import UNUSABLE, ConfigOption, TrackOption, complain, say
from speedcheck.errors import UsageError


def history(
    records: Annotated[
        Path,
        typer.Argument(help="Folder that holds records.", metavar="FOLDER", show_default=False),
    ] = Path("records"),
    *,
    csv: Annotated[bool, typer.Option("--csv", help="Print CSV with all digits.")] = False,
    markdown: Annotated[bool, typer.Option("--markdown", help="Print a Markdown table.")] = False,
    write: Annotated[
        Path | None,
        typer.Option(
            help="Put the table between the markers of this file.",
            metavar="FILE",
            show_default=False,
        ),
    ] = None,
    track: TrackOption = None,
    config: ConfigOption = None,
) -> None:
    """List the records of a folder by date, each with its gain over the one before."""
    from speedcheck.history.read import read_history
    from speedcheck.report.history import history_csv, history_markdown, history_text
    from speedcheck.report.markers import write_between
    from speedcheck.rules.rule import Overrides

    if csv + markdown + (write is not None) > 1:
        raise UsageError(
            "more than one of --csv, --markdown and --write", remedy="choose one of them"
        )
    entries, unusable = read_history(records, Overrides(track=track, config=config))
    for one in unusable:
        complain(str(one.error))
    if write is not None:
        changed = write_between(write, history_markdown(entries))
        say(f"{write}: {'updated' if changed else 'unchanged'}")
    else:
        form = history_csv if csv else history_markdown if markdown else history_text
        typer.echo(form(entries), nl=False)
    raise typer.Exit(UNUSABLE if unusable else 0)
