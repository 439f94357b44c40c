"""The command line: wiring and exit codes, nothing else.

What a command needs is imported inside it, so that `--help` need not wait for scipy.

Exit codes: 0 certified, 1 not certified, 2 the call or its input cannot be used; of `compare`: 0
better, 1 worse, 3 undecided. A run that a signal ends exits with 128 plus the signal's number.
"""

from __future__ import annotations

import io
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from speedcheck import __version__, data_command
from speedcheck.errors import NothingSelectedError, SpeedcheckError, Unusable
from speedcheck.report.text import inert, printable

if TYPE_CHECKING:
    from speedcheck.certificate import Certificate
    from speedcheck.rule import Overrides
    from speedcheck.sample import Selection

CERTIFIED, NOT_CERTIFIED, UNUSABLE = 0, 1, 2
COMPARED = {"better": 0, "worse": 1, "undecided": 3}
_MOST_LISTED = 4

DEBUG_VARIABLE = "SPEEDCHECK_DEBUG"

# Typer brings its own copy of click or uses the installed one, by version; either way this is the
# base of every complaint about what was typed.
_TypedWrong: type[Exception] = next(
    c for c in typer.BadParameter.__mro__ if c.__name__ == "ClickException"
)

app = typer.Typer(
    name="speedcheck",
    help="Statistical record validation for training speedruns.",
    add_completion=False,
    no_args_is_help=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
app.add_typer(data_command.app, name="data")


def _whole_number(text: str) -> int:
    if not (text.isascii() and text.removeprefix("-").isdecimal()):
        raise typer.BadParameter(f"{text!r} is not a whole number")
    return int(text)


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is not a number") from None


Folders = Annotated[
    list[Path], typer.Argument(help="Record folders.", metavar="FOLDER...", show_default=False)
]
TrackOption = Annotated[
    str | None, typer.Option("--track", help="Judge by this track.", metavar="NAME")
]
TargetOption = Annotated[
    float | None,
    typer.Option(
        "--target",
        help="Loss that the mean must be below, nats per token.",
        parser=_number,
        metavar="X",
    ),
]
AlphaOption = Annotated[
    float | None,
    typer.Option("--alpha", help="Significance level.", parser=_number, metavar="A"),
]
BaselineOption = Annotated[
    Path | None,
    typer.Option(help="Record folder to compare with.", metavar="FOLDER", show_default=False),
]
ConfigOption = Annotated[
    Path | None,
    typer.Option(
        help="Tracks of your own.  [default: speedcheck.toml at the repository's root]",
        metavar="FILE",
        show_default=False,
    ),
]


@app.callback(invoke_without_command=True)
def speedcheck(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    """Statistical record validation for training speedruns."""
    if version:
        typer.echo(f"speedcheck {__version__}")
        raise typer.Exit
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


@app.command()
def run(
    context: typer.Context,
    recipe: Annotated[
        str | None,
        typer.Option(
            help="Recipe of the bundled trainer: sub3 or tiny.  [default: sub3]",
            metavar="NAME",
            show_default=False,
        ),
    ] = None,
    seeds: Annotated[
        int | None,
        typer.Option(
            help="Number of runs: seeds 0 to N-1.  [default: 32]",
            show_default=False,
            parser=_whole_number,
            metavar="N",
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            help="Record folder.  [default: records/DATE_RECIPE]",
            metavar="FOLDER",
            show_default=False,
        ),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Continue an existing record folder.")
    ] = False,
    jobs: Annotated[
        int | None,
        typer.Option(
            help="Runs at one time.  [default: what the machine has room for]",
            show_default=False,
            parser=_whole_number,
            metavar="N",
        ),
    ] = None,
    data_dir: Annotated[
        Path | None,
        typer.Option(
            help="Training data.  [default: $SPEEDCHECK_DATA, else the user's cache]",
            metavar="FOLDER",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Run N seeds, write a record folder, and certify it."""
    from speedcheck.launch.campaign import Interrupted
    from speedcheck.launch.command import Request, run_record
    from speedcheck.launch.local import LocalLauncher
    from speedcheck.report.terminal import make_console, print_certificate

    launcher = context.obj or LocalLauncher(data_dir)
    request = Request(recipe=recipe, seeds=seeds, out=out, resume=resume, jobs=jobs)
    console = make_console()
    try:
        certificate = run_record(request, launcher, console)
    except Interrupted as interruption:
        _complain(
            f"{interruption}: the runs were stopped; to continue: "
            f"speedcheck run --resume --out {request.folder}"
        )
        raise typer.Exit(128 + interruption.signum) from None
    print_certificate(console, certificate, request.folder)
    raise typer.Exit(_exit_code([certificate]))


@app.command()
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
        typer.Option(help="Write JUnit XML to this file too.", metavar="FILE", show_default=False),
    ] = None,
    runs: Annotated[
        bool, typer.Option("--runs", help="List every run, however many there are.")
    ] = False,
    track: TrackOption = None,
    target: TargetOption = None,
    alpha: AlphaOption = None,
    baseline: BaselineOption = None,
    config: ConfigOption = None,
    only: Annotated[
        list[str] | None,
        typer.Option(help="Count these logs alone.", metavar="GLOB", show_default=False),
    ] = None,
    exclude: Annotated[
        list[str] | None,
        typer.Option(help="Do not count these logs.", metavar="GLOB", show_default=False),
    ] = None,
    group: Annotated[
        str | None,
        typer.Option(
            help="Which group of runs to judge ('all' for all).",
            metavar="NAME",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Judge records by the logs in their folders."""
    from speedcheck.report.outputs import Outputs, check_writable, write_outputs
    from speedcheck.rule import Overrides
    from speedcheck.sample import Selection

    if junit is not None:
        check_writable(junit)
    outputs = Outputs(json=json, markdown=markdown, annotations=annotations, junit=junit, runs=runs)
    overrides = Overrides(track=track, target=target, alpha=alpha, baseline=baseline, config=config)
    selection = Selection(tuple(only or ()), tuple(exclude or ()), group)
    judged, unusable = _judge_all(folders, overrides, selection)
    write_outputs(outputs, judged, unusable)
    raise typer.Exit(UNUSABLE if unusable else _exit_code([c for _, c in judged]))


@app.command()
def init(
    folder: Annotated[
        Path, typer.Argument(help="Folder of logs.", metavar="FOLDER", show_default=False)
    ],
    track: TrackOption = None,
    config: ConfigOption = None,
) -> None:
    """Propose a record.toml that declares which runs are the sample."""
    from speedcheck.init_command import init_record
    from speedcheck.rule import Overrides

    proposal = init_record(folder, Overrides(track=track, config=config))
    typer.echo(inert(printable(f"wrote {folder / 'record.toml'}:")))
    for reason in proposal.reasons:
        typer.echo(inert(printable(f"  {reason}")))
    typer.echo(inert(printable(f"Check that it is true, then: speedcheck verify {folder}")))


@app.command()
def table(
    folders: Folders,
    csv: Annotated[bool, typer.Option("--csv", help="Write CSV.")] = False,
    track: TrackOption = None,
    config: ConfigOption = None,
) -> None:
    """Print the runs of records as one table, one row a run."""
    from speedcheck.report.table import format_csv, format_table
    from speedcheck.rule import Overrides

    judged, unusable = _judge_all(folders, Overrides(track=track, config=config))
    if judged:
        certificates = [certificate for _, certificate in judged]
        typer.echo((format_csv if csv else format_table)(certificates), nl=False)
    raise typer.Exit(UNUSABLE if unusable else 0)


@app.command()
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
            parser=_number,
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
    typer.echo(comparison_json(found) if json else inert(comparison_text(found)), nl=False)
    raise typer.Exit(COMPARED[found.decision.outcome])


@app.command()
def plan(  # noqa: PLR0913 - one argument an option
    *,
    mean: Annotated[
        float | None,
        typer.Option(help="Expected mean loss.", parser=_number, metavar="X", show_default=False),
    ] = None,
    sd: Annotated[
        float | None,
        typer.Option(
            help="Expected standard deviation of a loss.  [default: typical of the track]",
            parser=_number,
            metavar="X",
            show_default=False,
        ),
    ] = None,
    target: TargetOption = None,
    folder: Annotated[
        Path | None,
        typer.Option(
            "--from",
            help="Record folder whose runs give the figures.",
            metavar="FOLDER",
            show_default=False,
        ),
    ] = None,
    track: TrackOption = None,
    alpha: AlphaOption = None,
    power: Annotated[
        float | None,
        typer.Option(
            help="Chance of success to plan for.  [default: 0.9]",
            parser=_number,
            metavar="P",
            show_default=False,
        ),
    ] = None,
    max_seeds: Annotated[
        int | None,
        typer.Option(
            help="Most runs of the sequential test.  [default: 64]",
            parser=_whole_number,
            metavar="N",
            show_default=False,
        ),
    ] = None,
    difference: Annotated[
        float | None,
        typer.Option(
            help="Expected difference of two trainers, in seconds.",
            parser=_number,
            metavar="S",
            show_default=False,
        ),
    ] = None,
    time_sd: Annotated[
        float | None,
        typer.Option(
            help="Standard deviation of a run's time, in seconds.",
            parser=_number,
            metavar="S",
            show_default=False,
        ),
    ] = None,
    pairs: Annotated[
        int | None,
        typer.Option(
            help="Most pairs of a race.  [default: 32]",
            parser=_whole_number,
            metavar="N",
            show_default=False,
        ),
    ] = None,
    margin: Annotated[
        float | None,
        typer.Option(
            help="Worsening of the mean loss to rule out.  [default: 0.002]",
            parser=_number,
            metavar="X",
            show_default=False,
        ),
    ] = None,
    baseline_runs: Annotated[
        int | None,
        typer.Option(
            help="Runs of the baseline.  [default: as many as the record's]",
            parser=_whole_number,
            metavar="N",
            show_default=False,
        ),
    ] = None,
    gpu_hours_per_run: Annotated[
        float | None,
        typer.Option(help="GPU-hours of one run.", parser=_number, metavar="H", show_default=False),
    ] = None,
    price: Annotated[
        float | None,
        typer.Option(help="Price of a GPU-hour.", parser=_number, metavar="X", show_default=False),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print the plan as JSON.")] = False,
    config: ConfigOption = None,
) -> None:
    """Say how many runs a record, a race or a speed change takes.

    Exit codes: 0 for a plan, 1 where no number of runs will do.
    """
    from speedcheck.planning.plan import plan as make_plan
    from speedcheck.report.plan import plan_json, plan_text

    made = make_plan(
        mean,
        sd,
        target,
        folder=folder,
        track=track,
        alpha=alpha,
        power=power,
        max_runs=max_seeds,
        difference=difference,
        time_sd=time_sd,
        max_pairs=pairs,
        margin=margin,
        baseline_runs=baseline_runs,
        gpu_hours_per_run=gpu_hours_per_run,
        price=price,
        config=config,
    )
    typer.echo(plan_json(made) if json else inert(plan_text(made)), nl=False)
    raise typer.Exit(NOT_CERTIFIED if made.problems else 0)


@app.command()
def gate(
    paths: Annotated[
        list[str] | None,
        typer.Argument(
            help="Folders that hold records.  [default: records]",
            metavar="[FOLDER...]",
            show_default=False,
        ),
    ] = None,
    base: Annotated[
        str | None,
        typer.Option(
            help="Branch to merge into.  [default: origin/$GITHUB_BASE_REF, else main]",
            metavar="REF",
            show_default=False,
        ),
    ] = None,
    head: Annotated[str, typer.Option(help="Branch to judge.", metavar="REF")] = "HEAD",
    repository: Annotated[
        Path | None,
        typer.Option(
            help="The clone.  [default: the working directory]",
            metavar="FOLDER",
            show_default=False,
        ),
    ] = None,
    comment: Annotated[
        Path | None,
        typer.Option(
            help="Write the body of a comment to this file.", metavar="FILE", show_default=False
        ),
    ] = None,
) -> None:
    """Judge the records that a branch adds, changes or removes, strictly."""
    from speedcheck.gate.command import run_gate

    passed = run_gate(paths or (), base=base, head=head, repository=repository, comment=comment)
    raise typer.Exit(CERTIFIED if passed else NOT_CERTIFIED)


@app.command()
def parse(
    log: Annotated[Path, typer.Argument(help="Log file.", show_default=False)],
    track: Annotated[
        str | None,
        typer.Option("--track", help="Read it as a log of this track.", metavar="NAME"),
    ] = None,
    config: ConfigOption = None,
) -> None:
    """Print each line of a log that was read, and what came of it."""
    from speedcheck.parse_command import explain_log

    lines, found = explain_log(log, track, config)
    for line in lines:
        typer.echo(inert("\n".join(map(printable, line.split("\n")))))
    raise typer.Exit(0 if found else NOT_CERTIFIED)


@app.command()
def explain(
    codes: Annotated[
        list[str] | None,
        typer.Argument(metavar="[CODE...]", help="Code or name of a finding.", show_default=False),
    ] = None,
    markdown: Annotated[
        bool, typer.Option("--markdown", help="Print the page of all findings as Markdown.")
    ] = False,
) -> None:
    """Say what a finding means and what to do about it; without a code, list all."""
    from speedcheck.checks.explain import find_codes
    from speedcheck.report.findings import findings_list, findings_page, findings_text

    if markdown:
        typer.echo(findings_page(), nl=False)
    elif codes:
        typer.echo(findings_text(find_codes(codes)), nl=False)
    else:
        typer.echo(findings_list(), nl=False)


def _judge_all(
    folders: list[Path], overrides: Overrides, selection: Selection | None = None
) -> tuple[list[tuple[Path, Certificate]], list[Unusable]]:
    """Judge every record below `folders`; say of each folder that cannot be used why not.

    One folder that cannot be used hides no other. One of which the selection leaves nothing is
    no error beside one of which it leaves something.
    """
    from speedcheck.many import verify_folders
    from speedcheck.records.folder import find_records

    found: list[Path] = []
    judged: list[tuple[Path, Certificate]] = []
    unusable: list[Unusable] = []
    left_out: list[Unusable] = []
    for folder in folders:
        try:
            found += find_records(folder, overrides.parser_for)
        except SpeedcheckError as error:
            unusable.append(Unusable(folder, error))
    for folder, result in zip(found, verify_folders(found, overrides, selection), strict=True):
        if isinstance(result, NothingSelectedError):
            left_out.append(Unusable(folder, result))
        elif isinstance(result, SpeedcheckError):
            unusable.append(Unusable(folder, result))
        else:
            judged.append((folder, result))
    if judged and left_out:
        _say(f"note: --only and --exclude leave no log of {_listed(left_out)}: not judged")
    elif left_out:
        unusable += left_out
    for one in unusable:
        _complain(str(one.error))
    return judged, unusable


def _exit_code(certificates: list[Certificate]) -> int:
    return CERTIFIED if all(c.certified for c in certificates) else NOT_CERTIFIED


def _listed(left_out: list[Unusable]) -> str:
    names = [one.folder.name for one in left_out[:_MOST_LISTED]]
    more = len(left_out) - len(names)
    return ", ".join(names) + (f" and {more} more" if more else "")


def _complain(message: str) -> None:
    _say(f"error: {message}")


def _say(message: str) -> None:
    """Write one line for people, whatever the names in it hold."""
    typer.echo(inert(f"speedcheck: {printable(' '.join(message.split()))}"), err=True)


def main(arguments: list[str] | None = None, *, launcher: object = None) -> int:
    """Run the command line and return its exit code.

    Args:
        arguments: the words after `speedcheck`; those of this process unless given.
        launcher: starts the runs of `speedcheck run`; child processes unless given.
    """
    if sys.stdout is None:
        # Whoever closed it (`>&-`) wants the exit code alone.
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115, PTH123 - till the end
    if isinstance(sys.stdout, io.TextIOWrapper):
        # A file name may hold what a terminal's encoding does not.
        sys.stdout.reconfigure(errors="backslashreplace")
    code = NOT_CERTIFIED
    try:
        code = int(app(arguments, standalone_mode=False, obj=launcher) or 0)
        # Here and not at exit, where nobody could catch what a closed pipe raises.
        sys.stdout.flush()
        return code
    except _TypedWrong as error:
        _complain(error.format_message())  # type: ignore[attr-defined]  # ClickException has it
    except SpeedcheckError as error:
        _complain(str(error))
    except BrokenPipeError:
        # Whoever read our output has seen enough; Python must not complain about it at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return code
    except OSError as error:
        _complain(f"{error.filename or 'input or output'}: {error.strerror or error}")
    except (KeyboardInterrupt, typer.Abort):
        _complain("interrupted")
        return 130
    except Exception as error:
        if DEBUG_VARIABLE in os.environ:
            raise
        _complain(
            f"internal error ({type(error).__name__}: {error}); please report it with the output "
            f"of the same command under {DEBUG_VARIABLE}=1"
        )
    return UNUSABLE
