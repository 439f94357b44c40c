"""`speedcheck history`: the records of a folder as one series."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from speedcheck.cli.common import UNUSABLE, complain, print_verdict, say
from speedcheck.cli.options import ConfigOption, TrackOption, argument, value_option


def history(  # noqa: PLR0913 - one argument an option
    records: Annotated[
        Path,
        argument("Folder that holds records.", "FOLDER"),
    ] = Path("records"),
    *,
    csv: Annotated[bool, typer.Option("--csv", help="Print CSV with all digits.")] = False,
    markdown: Annotated[bool, typer.Option("--markdown", help="Print a Markdown table.")] = False,
    write: Annotated[
        Path | None,
        value_option("Put the table between the markers of this file.", "FILE"),
    ] = None,
    html: Annotated[
        Path | None,
        value_option("Write the series to this file, as a web page.", "FILE"),
    ] = None,
    png: Annotated[
        Path | None,
        value_option(
            "Write a picture for each track into this folder; --write shows them.", "FOLDER"
        ),
    ] = None,
    track: TrackOption = None,
    config: ConfigOption = None,
) -> None:
    """List the records of a folder by date, each with its gain over the one before."""
    from speedcheck.many import expect_records

    expect_records([records])
    from speedcheck.report.history_outputs import HistoryOutputs, write_history
    from speedcheck.rules.rule import Overrides

    outputs = HistoryOutputs(csv=csv, markdown=markdown, write=write, html=html, png=png)
    text, written, unusable = write_history(records, Overrides(track=track, config=config), outputs)
    for one in unusable:
        complain(str(one.error))
    typer.echo(text, nl=False)
    for line in written:
        (say if outputs.is_data else print_verdict)(line)
    raise typer.Exit(UNUSABLE if unusable else 0)
