"""`speedcheck compare`: two records side by side."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from speedcheck.cli.common import EXIT_CODES, print_verdict
from speedcheck.cli.options import (
    AlphaOption,
    ConfigOption,
    QuietOption,
    TrackOption,
    argument,
    number_option,
)
from speedcheck.cli.race import compare_race
from speedcheck.report.wording import without_commands


def compare(  # noqa: PLR0913 - one argument an option
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
    quiet: QuietOption = False,
) -> None:
    """Tell whether record A is better than record B, or worse; or what a race has shown.

    Exit codes: 0 better, 1 worse, 3 undecided, 2 the two cannot be compared.
    """
    from speedcheck.comparison.compare_folders import compare as compare_folders
    from speedcheck.report.comparison_json import comparison_json
    from speedcheck.report.comparison_text import comparison_text
    from speedcheck.report.comparison_words import headline

    if b is None:
        planned = {"--track": track, "--alpha": alpha, "--margin": margin}
        compare_race(a, planned, config, json=json, quiet=quiet)
    found = compare_folders(a, b, track=track, alpha=alpha, margin=margin, config=config)
    if json:
        typer.echo(comparison_json(found), nl=False)
    elif quiet:
        print_verdict(headline(found))
    else:
        typer.echo(without_commands(comparison_text(found)), nl=False)
    raise typer.Exit(EXIT_CODES[found.decision.outcome])
