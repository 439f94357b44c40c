"""The certificate on a terminal: readable at 80 columns, with and without colour."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import PurePosixPath

from rich import box
from rich.console import Console, Group, JustifyMethod, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from speedcheck.certificate import Certificate, Status
from speedcheck.report.text import (
    ABSENT,
    against,
    headline,
    inert,
    merged,
    number,
    printable,
    rule,
    statistics,
    steps,
)

# Leaves room for the figures at 80 columns.
_NAME_WIDTH = 24
# Rich fills lines with blanks, before and behind the end of a colour.
_FILLED = re.compile(r" +(\x1b\[0m)? *$", re.MULTILINE)
_COLOURS: dict[Status, str] = {"pass": "green", "fail": "red", "warn": "yellow", "unknown": "cyan"}


def make_console() -> Console:
    """Return the console on standard output, which shows every text as it is."""
    return Console(highlight=False, markup=False, emoji=False)


def print_certificate(console: Console, certificate: Certificate) -> None:
    """Print runs, statistics, claims, verdicts and, last, the judgement."""
    with console.capture() as shown:
        console.print(_title(certificate))
        parts = (
            _runs(certificate),
            _statistics(certificate),
            _against(certificate),
            _claims(certificate),
        )
        for part in parts:
            if part is not None:
                console.print(Padding(part, (0, 0, 0, 1)))
                console.print()
        console.print(Padding(_verdicts(certificate), (0, 0, 0, 1)))
        console.print()
        console.print(Text(headline(certificate), style=_colour(certificate)))
    _write(console, shown.get())


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
            _shortened(printable(certificate.record)),
            Text(why),
        )
    certified = sum(certificate.certified for certificate in certificates)
    count = f"{certified} of {len(certificates)} records certified"
    if unusable:
        count += f"; not judged: {unusable}, see the errors"
    with console.capture() as shown:
        console.print(Padding(grid, (0, 0, 0, 1)))
        console.print()
        console.print(Text(count, style="bold"))
    _write(console, shown.get())


def _write(console: Console, text: str) -> None:
    console.file.write(_FILLED.sub(r"\1", inert(text)))
    console.file.flush()


def _colour(certificate: Certificate) -> str:
    return "bold green" if certificate.certified else "bold red"


def _title(certificate: Certificate) -> Text:
    asked = f"track {printable(certificate.track)}: {rule(certificate)}"
    return Text.assemble((printable(certificate.record), "bold"), "  ", (asked, "dim"), "\n")


def _runs(certificate: Certificate) -> RenderableType | None:
    rows = [run for run in certificate.runs if run.log is not None]
    if not rows:
        return _published(certificate)
    seeds = [">seed"] if any(run.seed is not None for run in rows) else []
    table = _table("run", *seeds, ">val_loss", ">time [s]", ">step", "counted")
    for run in rows:
        name = _shortened(printable(PurePosixPath(run.log or "").name))
        seconds = None if run.train_time_ms is None else run.train_time_ms / 1000
        loss = "not finite" if run.val_loss is None and run.counted else _loss(run.val_loss)
        table.add_row(
            f"{name} #{run.run}" if run.run else name,
            *([ABSENT if run.seed is None else str(run.seed)] if seeds else []),
            loss,
            number(seconds, ".3f"),
            steps(run),
            "yes" if run.counted else "no",
            style=None if run.counted else "dim",
        )
    return table


def _shortened(name: str) -> str:
    """Return a name that leaves room for the figures; a UUID is told by its first digits.

    A list of losses is told by its length, with which it begins.
    """
    return name if len(name) <= _NAME_WIDTH else f"{name[: _NAME_WIDTH - 3]}..."


def _published(certificate: Certificate) -> RenderableType:
    losses = [run.val_loss for run in certificate.runs]
    return Text.assemble(("published without logs\n", "bold"), str(losses))


def _loss(value: float | None) -> str:
    return ABSENT if value is None else repr(value)


def _statistics(certificate: Certificate) -> RenderableType:
    grid = _grid(2)
    for name, value in statistics(certificate):
        grid.add_row(name, Text(value))
    return grid


def _against(certificate: Certificate) -> RenderableType | None:
    findings = against(certificate)
    if not findings:
        return None
    title = (f"against {printable(findings[0].where)}", "bold")
    return Text.assemble(title, *(f"\n{printable(f.message)}" for f in findings))


def _claims(certificate: Certificate) -> RenderableType | None:
    if not certificate.claims:
        return None
    table = _table("claim", "printed", "recomputed", "status")
    for claim in certificate.claims:
        table.add_row(
            claim.what,
            _shortened(printable(claim.claimed)),
            # The first clause; what the logs lack stands below where it is not confirmed.
            printable(claim.recomputed or ABSENT).split("; ")[0],
            claim.status.replace("_", " "),
        )
    return table


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
            for finding in merged(f for f in verdict.findings if f not in shown_above)
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
        justify: JustifyMethod = "right" if column.startswith(">") else "left"
        table.add_column(Text(column.lstrip(">")), justify=justify, overflow="fold")
    return table
