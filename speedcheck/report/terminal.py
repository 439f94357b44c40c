"""The certificate on a terminal: readable at 80 columns, with and without colour."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import PurePosixPath

from rich import box
from rich.console import Console, Group, JustifyMethod, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from speedcheck.certificate import Certificate, Status
from speedcheck.report.text import (
    ABSENT,
    headline,
    interval,
    number,
    p_value,
    printable,
    steps,
)

_NAME_WIDTH = 28
_COLOURS: dict[Status, str] = {"pass": "green", "fail": "red", "warn": "yellow", "unknown": "cyan"}


def make_console() -> Console:
    """Return the console on standard output, which shows every text as it is."""
    return Console(highlight=False, markup=False, emoji=False)


def print_certificate(console: Console, certificate: Certificate) -> None:
    """Print runs, statistics, claims, verdicts and, last, the judgement."""
    console.print(_title(certificate))
    for part in (_runs(certificate), _statistics(certificate), _claims(certificate)):
        if part is not None:
            console.print(Padding(part, (0, 0, 0, 1)))
            console.print()
    console.print(Padding(_verdicts(certificate), (0, 0, 0, 1)))
    console.print()
    colour = "bold green" if certificate.certified else "bold red"
    console.print(Text(headline(certificate), style=colour))


def _title(certificate: Certificate) -> Text:
    rule = (
        f"track {certificate.track}: mean loss < {certificate.target:g} "
        f"at p < {certificate.alpha:g}"
    )
    return Text.assemble((printable(certificate.record), "bold"), "  ", (rule, "dim"), "\n")


def _runs(certificate: Certificate) -> RenderableType | None:
    rows = [run for run in certificate.runs if run.log is not None]
    if not rows:
        return _published(certificate)
    table = _table("run", ">seed", ">val_loss", ">time [s]", ">step", "counted")
    for run in rows:
        name = PurePosixPath(run.log or "").name + (f" #{run.run}" if run.run else "")
        seconds = None if run.train_time_ms is None else run.train_time_ms / 1000
        loss = "not finite" if run.val_loss is None and run.counted else _loss(run.val_loss)
        table.add_row(
            _shortened(printable(name)),
            ABSENT if run.seed is None else str(run.seed),
            loss,
            number(seconds, ".3f"),
            steps(run),
            "yes" if run.counted else "no",
            style=None if run.counted else "dim",
        )
    return table


def _shortened(name: str) -> str:
    """Return a name that leaves room for the figures; a UUID is told by its first digits."""
    return name if len(name) <= _NAME_WIDTH else f"{name[: _NAME_WIDTH - 3]}..."


def _published(certificate: Certificate) -> RenderableType:
    losses = [run.val_loss for run in certificate.runs]
    return Text.assemble(("published without logs\n", "bold"), str(losses))


def _loss(value: float | None) -> str:
    return ABSENT if value is None else repr(value)


def _statistics(certificate: Certificate) -> RenderableType:
    loss, runtime = certificate.loss, certificate.runtime
    rows = [("losses", f"n = {loss.n}")]
    if loss.mean is not None:
        sd = "" if loss.std is None else f", sd {loss.std:.6g} (n - 1)"
        rows.append(("", f"mean {loss.mean:.10g}{sd}"))
    if loss.t is not None:
        rows.append(("t-test", f"t = {loss.t:.4f}, df = {loss.df}, one-sided, less"))
    rows.append(("" if loss.t is not None else "t-test", f"p = {p_value(loss.p_value)}"))
    if loss.bayes_mean and loss.bayes_std:
        level = f"Bayes {loss.bayes_mean.level:.0%}"
        rows.append((level, f"mean {interval(loss.bayes_mean)}"))
        rows.append(("", f"sd {interval(loss.bayes_std)}"))
    if runtime:
        sd = "" if runtime.std_s is None else f", sd {runtime.std_s:.3f} s"
        rows.append(("runtime", f"mean {runtime.mean_s:.3f} s{sd} (n = {runtime.n})"))
        span = f"range {runtime.min_s:.3f} to {runtime.max_s:.3f} s"
        rows.append(("", f"median {runtime.median_s:.3f} s, {span}"))
    return _pairs(rows)


def _claims(certificate: Certificate) -> RenderableType | None:
    if not certificate.claims:
        return None
    table = _table("claim", "printed", "recomputed", "status")
    for claim in certificate.claims:
        table.add_row(
            claim.what,
            printable(claim.claimed),
            printable(claim.recomputed or ABSENT),
            claim.status.replace("_", " "),
        )
    return table


def _verdicts(certificate: Certificate) -> RenderableType:
    verdicts = certificate.verdicts
    grid = Table.grid(padding=(0, 2))
    for name, verdict in (
        ("loss", verdicts.loss),
        ("speed", verdicts.speed),
        ("rules", verdicts.rules),
        ("provenance", verdicts.provenance),
    ):
        findings = [
            Text.assemble(
                (finding.code, "bold"),
                f": {printable(finding.message)}",
                (f" ({printable(finding.where)})" if finding.where else "", "dim"),
            )
            for finding in verdict.findings
        ]
        status = Text(verdict.status, style=_COLOURS[verdict.status])
        grid.add_row(name, status, Group(*findings) if findings else "")
    return grid


def _table(*columns: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1), pad_edge=False)
    for column in columns:
        justify: JustifyMethod = "right" if column.startswith(">") else "left"
        table.add_column(Text(column.lstrip(">")), justify=justify)
    return table


def _pairs(rows: Iterable[tuple[str, str]]) -> Table:
    grid = Table.grid(padding=(0, 2))
    for name, value in rows:
        grid.add_row(name, Text(value))
    return grid
