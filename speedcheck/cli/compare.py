"""`speedcheck compare`: two records side by side."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from speedcheck.cli.common import AlphaOption, ConfigOption, TrackOption, number
from speedcheck.report.text import without_commands

EXIT_CODES = {"better": 0, "worse": 1, "undecided": 3}


def compare(
    a: Annotated[Path, typer.Argument(help="Record folder.", metavar="A", show_default=False)],
    b: Annotated[
        Path, typer.Argument(help="Record folder to compare with.", metavar="B", show_default=False)
    ],
    *,
    json: Annotated[bool, typer.Option("--json", help="Print the comparison as JSON.")] = False,
    track: TrackOption = None,
    alpha: AlphaOption = None,
    margin: Annotated[
        float | None,
        typer.Option(
            help="Worsening of the mean loss to accept.  [default: 0.002]",
            parser=number,
            metavar="X",
            show_default=False,
        ),
    ] = None,
    config: ConfigOption = None,
) -> None:
    """Tell whether record A is better than record B, or worse.

    Exit codes: 0 better, 1 worse, 3 undecided, 2 the two cannot be compared.
    """
    from speedcheck.comparison.compare import compare as compare_folders
    from speedcheck.report.comparison import comparison_text
    from speedcheck.report.comparison_json import comparison_json

    found = compare_folders(a, b, track=track, alpha=alpha, margin=margin, config=config)
    typer.echo(
        comparison_json(found) if json else without_commands(comparison_text(found)), nl=False
    )
    raise typer.Exit(EXIT_CODES[found.decision.outcome])
