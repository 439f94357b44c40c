"""`speedcheck verify` and `table`: judge records by the logs in their folders."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from speedcheck.cli.common import UNUSABLE, complain, exit_code, say
from speedcheck.cli.options import (
    AlphaOption,
    BaselineOption,
    ConfigOption,
    Folders,
    QuietOption,
    TargetOption,
    TrackOption,
    value_option,
)
from speedcheck.cli.race import verify_races
from speedcheck.cli.wrong_call import refuse_together
from speedcheck.errors import NothingSelectedError, SpeedcheckError, Unusable
from speedcheck.words import join_some

if TYPE_CHECKING:
    from speedcheck.certificate import Certificate
    from speedcheck.rules.rule import Overrides
    from speedcheck.sample import Selection


def verify(  # noqa: PLR0913 - one argument an option
    folders: Folders,
    *,
    json: Annotated[bool, typer.Option("--json", help="Print the certificate as JSON.")] = False,
    markdown: Annotated[
        bool, typer.Option("--markdown", help="Print the body of a pull request's comment.")
    ] = False,
    annotations: Annotated[
        bool, typer.Option("--annotations", help="Print the findings as GitHub annotations too.")
    ] = False,
    junit: Annotated[
        Path | None,
        value_option("Write JUnit XML to this file too.", "FILE"),
    ] = None,
    runs: Annotated[
        bool, typer.Option("--runs", help="List every run, however many there are.")
    ] = False,
    quiet: QuietOption = False,
    track: TrackOption = None,
    target: TargetOption = None,
    alpha: AlphaOption = None,
    baseline: BaselineOption = None,
    config: ConfigOption = None,
    only: Annotated[
        list[str] | None,
        value_option("Count only these logs.", "GLOB"),
    ] = None,
    exclude: Annotated[
        list[str] | None,
        value_option("Do not count these logs.", "GLOB"),
    ] = None,
    group: Annotated[
        str | None,
        value_option("Which group of runs to judge ('all' for all).", "NAME"),
    ] = None,
) -> None:
    """Judge records by the logs in their folders.

    Exit codes: 0 all are certified, 1 one is not, 2 usage or input error.
    """
    from speedcheck.many import expect_records

    expect_records(folders)
    from speedcheck.races.race_plan import is_race
    from speedcheck.report.outputs import Outputs, check_writable, write_outputs
    from speedcheck.rules.rule import Overrides
    from speedcheck.sample import Selection

    if any(map(is_race, folders)):
        of_records = {
            "--markdown": markdown,
            "--annotations": annotations,
            "--junit": junit,
            "--runs": runs,
            "--track": track,
            "--target": target,
            "--alpha": alpha,
            "--baseline": baseline,
            "--only": only,
            "--exclude": exclude,
            "--group": group,
        }
        verify_races(folders, of_records, config, json=json, quiet=quiet)
    # --quiet beside --json silences nothing, as in the commands that run something.
    for form in ({"--json": json}, {"--quiet": quiet}):
        refuse_together({"--markdown": markdown, "--runs": runs, **form})
    if junit is not None:
        check_writable(junit)
    outputs = Outputs(
        json=json, markdown=markdown, annotations=annotations, junit=junit, runs=runs, quiet=quiet
    )
    overrides = Overrides(track=track, target=target, alpha=alpha, baseline=baseline, config=config)
    selection = Selection(tuple(only or ()), tuple(exclude or ()), group)
    judged, unusable = _judge_all(folders, overrides, selection)
    write_outputs(outputs, judged, unusable)
    raise typer.Exit(UNUSABLE if unusable else exit_code([c for _, c in judged]))


def table(
    folders: Folders,
    csv: Annotated[bool, typer.Option("--csv", help="Write CSV.")] = False,
    track: TrackOption = None,
    config: ConfigOption = None,
) -> None:
    """Print the runs of records as one table, one row a run."""
    from speedcheck.many import expect_records

    expect_records(folders)
    from speedcheck.report.table import format_csv, format_table
    from speedcheck.rules.rule import Overrides

    judged, unusable = _judge_all(folders, Overrides(track=track, config=config))
    if judged:
        certificates = [certificate for _, certificate in judged]
        typer.echo((format_csv if csv else format_table)(certificates), nl=False)
    raise typer.Exit(UNUSABLE if unusable else 0)


def _judge_all(
    folders: list[Path], overrides: Overrides, selection: Selection | None = None
) -> tuple[list[tuple[Path, Certificate]], list[Unusable]]:
    """Judge every record below `folders`; say of each folder that cannot be used why not.

    A folder that cannot be used does not hide the others. A folder without selected logs is an
    error only if the others have none either.
    """
    from speedcheck.baseline import refuse_itself
    from speedcheck.many import verify_folders
    from speedcheck.sample.select import refuse_unmatched

    found, unusable = _find_all(folders, overrides)
    if len(found) == 1:
        refuse_itself(found[0], overrides.baseline)
    judged: list[tuple[Path, Certificate]] = []
    left_out: list[Unusable] = []
    for folder, result in zip(found, verify_folders(found, overrides, selection), strict=True):
        if isinstance(result, NothingSelectedError):
            left_out.append(Unusable(folder, result))
        elif isinstance(result, SpeedcheckError):
            unusable.append(Unusable(folder, result))
        else:
            judged.append((folder, result))
    if judged and left_out:
        names = join_some(one.folder.name for one in left_out)
        say(f"note: no log of {names} is left by {selection}: not judged")
    elif left_out:
        unusable += left_out
    elif selection is not None:
        logs = [(at, run.log) for at, certificate in judged for run in certificate.runs if run.log]
        refuse_unmatched(selection, logs)
    for one in unusable:
        complain(str(one.error))
    return judged, unusable


def _find_all(folders: list[Path], overrides: Overrides) -> tuple[list[Path], list[Unusable]]:
    """Return the records at and below `folders`, each once, and what cannot be searched."""
    from speedcheck.records.record_folder import find_records

    found: dict[Path, Path] = {}
    unusable: list[Unusable] = []
    for folder in folders:
        try:
            for record in find_records(folder, overrides.parser_for):
                found.setdefault(record.resolve(), record)
        except SpeedcheckError as error:
            unusable.append(Unusable(folder, error))
    return list(found.values()), unusable
