"""`speedcheck compare`: two records side by side."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from speedcheck.cli.common import EXIT_CODES
from speedcheck.cli.options import AlphaOption, ConfigOption, TrackOption, argument, number_option
from speedcheck.cli.race import compare_race
from speedcheck.report.wording import without_commands


def compare(
    a: Annotated[Path, argument("Record folder.", "A")],
    b: Annotated[
        Path | None,
        argument("Record folder to compare with; none if A is a race.", "B"),
    ] = None,
    *,
    json: Annotated[bool, typer.Option("--json", help="Print the comparison as JSON.")] = False,
    track: TrackOption = None,
    alpha: AlphaOption = None,
    margin: Annotated[
        float | None,
        number_option("Worsening of the mean loss to accept.  [default: 0.002]", "X"),
    ] = None,
    config: ConfigOption = None,
) -> None:
    """Tell whether record A is better than record B, or worse; or what a race has shown.

    Exit codes: 0 better, 1 worse, 3 undecided, 2 the two cannot be compared.
    """
    from speedcheck.comparison.compare_folders import compare as compare_folders
    from speedcheck.report.comparison_json import comparison_json
    from speedcheck.report.comparison_text import comparison_text

    if b is None:
        compare_race(a, {"--track": track, "--alpha": alpha, "--margin": margin}, config, json=json)
    found = compare_folders(a, b, track=track, alpha=alpha, margin=margin, config=config)
    typer.echo(
        comparison_json(found) if json else without_commands(comparison_text(found)), nl=False
    )
    raise typer.Exit(EXIT_CODES[found.decision.outcome])
