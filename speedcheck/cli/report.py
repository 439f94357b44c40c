"""`speedcheck report`: the page and the pictures of a record or a race."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from speedcheck.cli.common import print_verdict
from speedcheck.cli.options import (
    AlphaOption,
    BaselineOption,
    ConfigOption,
    QuietOption,
    TargetOption,
    TrackOption,
    argument,
    value_option,
)


def report(  # noqa: PLR0913 - one argument an option
    folder: Annotated[Path, argument("Record or race folder.", "FOLDER")],
    *,
    html: Annotated[
        Path | None,
        value_option(
            "Write the page to this file.  [default: NAME.html, unless --png is given]", "FILE"
        ),
    ] = None,
    png: Annotated[
        Path | None,
        value_option("Write the pictures into this folder.", "FOLDER"),
    ] = None,
    track: TrackOption = None,
    target: TargetOption = None,
    alpha: AlphaOption = None,
    baseline: BaselineOption = None,
    config: ConfigOption = None,
    quiet: QuietOption = False,
) -> None:
    """Write a record or a race as one web page, or its pictures as PNG files.

    The page holds everything it shows. Exit codes: 0 written, 2 usage or input error; `verify`
    tells whether the record is certified, `compare` which side of a race is faster.
    """
    from speedcheck.report.report_files import Wanted, write_report
    from speedcheck.rules.rule import Overrides

    overrides = Overrides(track=track, target=target, alpha=alpha, baseline=baseline, config=config)
    lines = write_report(folder, overrides, Wanted(html=html, png=png))
    # The verdict is the first one.
    for line in lines[:1] if quiet else lines:
        print_verdict(line)
