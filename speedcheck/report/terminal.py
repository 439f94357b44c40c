"""The certificate on a terminal: what it says first and last, and why between."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from rich import box
from rich.console import Console, Group, JustifyMethod, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from speedcheck.certificate import Certificate, Claim, JudgedRun
from speedcheck.report.certificate_figures import confirmed, rule, statistics, steps
from speedcheck.report.collapsed_findings import against, collapsed
from speedcheck.report.headline import COMMAND, headline, next_step
from speedcheck.report.step_table import SCAN_HEADER, scan_rows, scan_summary
from speedcheck.report.wording import ABSENT, decimals, number, printable, without_commands
from speedcheck.rules.tracks import track_in_words
from speedcheck.verdicts import Status
from speedcheck.words import count

# Leaves room for the figures at 80 columns; on a wider terminal names have what is left.
_NAME_WIDTH = 24
_COLUMNS = 80
_LEAST_NAME = 6
# A terminal of fewer columns shows how far runs came only where it is a finding.
_NARROW = 60
# Rich fills lines with blanks, before and behind the end of a colour.
_FILLED = re.compile(r" +(\x1b\[0m)? *$", re.MULTILINE)
_COLOURS: dict[Status, str] = {"pass": "green", "fail": "red", "warn": "yellow", "unknown": "cyan"}

# Of more runs than these a reader looks at the extremes.
MOST_RUNS = 16
_EXTREMES = 3
_MOST_UNCOUNTED = 8


def make_console(*, to_stderr: bool = False, quiet: bool = False) -> Console:
    """Return a console that shows every text as it is, or a quiet one, which shows none."""
    return Console(highlight=False, markup=False, emoji=False, stderr=to_stderr, quiet=quiet)


def print_certificate(
    console: Console, certificate: Certificate, folder: Path | None = None, *, runs: bool = False
) -> None:
    """Print the verdict, the figures, the runs, what differs, the findings, and the verdict again.

    Args:
        console: the console.
        certificate: what to print.
        folder: the record folder, for the commands that help next.
        runs: whether to list every run, however many there are.
    """
    verdict = Text(headline(certificate), style=_colour(certificate))
    parts = [
        _statistics(certificate),
        _groups(certificate),
        _runs(certificate, console, every=runs),
        _scan(certificate),
        _against(certificate),
        _claims(certificate, _room(console)),
        _verdicts(certificate),
    ]
    step = next_step(certificate, printable(str(folder or certificate.record)))
    with console.capture() as shown:
        console.print(verdict)
        console.print(_title(certificate))
        for part in parts:
            if part is not None:
                console.print(Padding(part, (0, 0, 0, 1)))
                console.print()
        if step:
            _print_step(console, step)
        console.print(verdict)
    _write(console, shown.get())


def _print_step(console: Console, step: str) -> None:
    """Print what to do next; a command at its end is on a line of its own, to be copied whole."""
    what, is_command, words = step.partition(COMMAND)
    console.print(Text.assemble(("next: ", "bold"), what, ":" if is_command else ""))
    if is_command:
        console.print(Text(f"      {COMMAND[2:]}{words}"), soft_wrap=True)
    console.print()


def print_summary(console: Console, certificates: Sequence[Certificate], unusable: int) -> None:
    """Print the judgements of several records, one below another, and how many are certified.

    Args:
        console: the console.
        certificates: what was judged.
        unusable: the number of folders that could not be.
    """
    grid = _grid(3)
    for certificate in certificates:
        judgement, _, why = headline(certificate).partition(": ")
        grid.add_row(
            Text(judgement, style=_colour(certificate)),
            _shortened(printable(certificate.record), _room(console)),
            Text(why),
        )
    certified = sum(certificate.certified for certificate in certificates)
    total = f"{certified} of {count(len(certificates), 'record')} certified"
    if unusable:
        total += f"; {unusable} could not be judged, see the errors"
    with console.capture() as shown:
        console.print(Padding(grid, (0, 0, 0, 1)))
        console.print()
        console.print(Text(total, style="bold"))
    _write(console, shown.get())


def _write(console: Console, text: str) -> None:
    console.file.write(_FILLED.sub(r"\1", without_commands(text)))
    console.file.flush()


def _colour(certificate: Certificate) -> str:
    return "bold green" if certificate.certified else "bold red"


def _title(certificate: Certificate) -> Text:
    asked = f"{track_in_words(printable(certificate.track))}: {rule(certificate)}"
    return Text.assemble((printable(certificate.record), "bold"), "  ", (asked, "dim"), "\n")


def _statistics(certificate: Certificate) -> RenderableType:
    grid = _grid(2)
    for name, value in statistics(certificate):
        grid.add_row(name, Text(value))
    return grid


def _groups(certificate: Certificate) -> RenderableType | None:
    """Show each group's own figures where the folder holds several."""
    if len(certificate.groups) < 2:
        return None
    table = _table("group", ">n", ">mean", ">sd", ">p", "what")
    for group in certificate.groups:
        table.add_row(
            f"{group.name}*" if group.judged else group.name,
            str(group.n),
            number(group.mean, ".4f"),
            number(group.std, ".4f"),
            number(group.p_value, ".2g"),
            printable(group.label),
            style=None if group.judged else "dim",
        )
    return table


def _room(console: Console) -> int:
    return max(_NAME_WIDTH, _NAME_WIDTH + console.width - _COLUMNS)


def _runs(certificate: Certificate, console: Console, *, every: bool) -> RenderableType | None:
    runs = [run for run in certificate.runs if run.log is not None]
    if not runs:
        return _published(certificate)
    shown, left_out = (runs, 0) if every else _selected(runs)
    digits = decimals(run.val_loss for run in shown)
    has_seeds = any(run.seed is not None for run in shown)
    excluded = ["not counted"] if any(run.exclusion for run in shown) else []
    seeds = [">seed"] if has_seeds else []
    end = [] if console.width < _NARROW else [">step"]
    table = _table("run", *seeds, ">val_loss", ">time [s]", *end, *excluded)
    for run in shown:
        name = _shortened(printable(PurePosixPath(run.log or "").name), _room(console))
        seconds = None if run.train_time_ms is None else run.train_time_ms / 1000
        is_finite = run.val_loss is not None or not run.counted
        seed = [ABSENT if run.seed is None else str(run.seed)] if has_seeds else []
        table.add_row(
            f"{name} #{run.run}" if run.run else name,
            *seed,
            number(run.val_loss, f".{digits}f") if is_finite else "not finite",
            number(seconds, ".3f"),
            *([steps(run)] if end else []),
            *(
                ["" if run.exclusion is None else run.exclusion.replace("_", " ")]
                if excluded
                else []
            ),
            style=None if run.counted else "dim",
        )
    if not left_out:
        return table
    more = f"the {2 * _EXTREMES} extreme losses; {left_out} more runs: --runs lists all"
    return Group(table, Text(more, style="dim"))


def _scan(certificate: Certificate) -> RenderableType | None:
    """Show the test at every validation step, where the track counts steps."""
    scan = certificate.loss.scan
    if scan is None:
        return None
    table = _table(*(f">{name}" for name in SCAN_HEADER[:-1]), SCAN_HEADER[-1])
    for row in scan_rows(scan):
        table.add_row(*row)
    return Group(table, Text(scan_summary(scan), style="dim"))


def _selected(runs: Sequence[JudgedRun]) -> tuple[list[JudgedRun], int]:
    """Return the runs to show, and how many are left out: of many the extremes are enough."""
    if len(runs) <= MOST_RUNS:
        return list(runs), 0
    counted = [run for run in runs if run.counted]
    ordered = sorted(
        counted, key=lambda run: float("inf") if run.val_loss is None else run.val_loss
    )
    extremes = (
        ordered if len(ordered) <= 2 * _EXTREMES else ordered[:_EXTREMES] + ordered[-_EXTREMES:]
    )
    shown = [*extremes, *[run for run in runs if not run.counted][:_MOST_UNCOUNTED]]
    return shown, len(runs) - len(shown)


def _shortened(name: str, room: int) -> str:
    """Return a name that leaves room for the figures; its first characters tell it from others."""
    return name if len(name) <= room else f"{name[: room - 3]}..."


def _published(certificate: Certificate) -> RenderableType | None:
    losses = [run.val_loss for run in certificate.runs]
    return Text.assemble(("published without logs\n", "bold"), str(losses)) if losses else None


def _against(certificate: Certificate) -> RenderableType | None:
    findings = against(certificate)
    if not findings:
        return None
    title = (f"against {printable(findings[0].where)}", "bold")
    return Text.assemble(title, *(f"\n{printable(f.message)}" for f in findings))


def _claims(certificate: Certificate, room: int) -> RenderableType | None:
    """Say how many figures are confirmed, and list only those that differ."""
    if not certificate.claims:
        return None
    different = [claim for claim in certificate.claims if claim.status == "not_confirmed"]
    parts: list[RenderableType] = []
    if said := confirmed(certificate):
        parts.append(Text(said))
    if different:
        table = _table("where", "what", "README says", "logs give", "")
        for claim in different:
            table.add_row(*_difference(claim, (_NAME_WIDTH + room) // 2))
        parts.append(table)
    return Group(*parts) if parts else None


def _difference(claim: Claim, room: int) -> tuple[str, ...]:
    return (
        _shortened(printable(claim.where), room),
        claim.subject,
        _shortened(printable(claim.claimed), room),
        printable(claim.recomputed or ABSENT).split("; ")[0],
        "differs" if claim.basis == "data" else "text only",
    )


def _verdicts(certificate: Certificate) -> RenderableType:
    shown_above = against(certificate)
    grid = _grid(3)
    for name, verdict in certificate.verdicts.by_question().items():
        findings = [
            Text.assemble(
                (finding.code, "bold"),
                f": {printable(finding.message)}",
                (f" ({printable(finding.where)})" if finding.where else "", "dim"),
            )
            for finding in collapsed(f for f in verdict.findings if f not in shown_above)
        ]
        status = Text(verdict.status, style=_COLOURS[verdict.status])
        grid.add_row(name, status, Group(*findings) if findings else "")
    return grid


def _grid(columns: int) -> Table:
    grid = Table.grid(padding=(0, 2))
    for _ in range(columns):
        # Nothing is cut: a word longer than its column goes on below.
        grid.add_column(overflow="fold")
    return grid


def _table(*columns: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1), pad_edge=False, show_edge=False)
    for column in columns:
        # A figure is whole on every terminal; names and words go on below.
        is_figure = column.startswith(">")
        justify: JustifyMethod = "right" if is_figure else "left"
        name = Text(column.lstrip(">"))
        least = None if is_figure else _LEAST_NAME
        table.add_column(name, justify=justify, overflow="fold", no_wrap=is_figure, min_width=least)
    return table
