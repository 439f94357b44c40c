"""The runs of records as a table for terminals, and as CSV."""

from __future__ import annotations

from speedcheck.certificate import Certificate
from speedcheck.report.certificate_figures import steps
from speedcheck.report.wording import ABSENT, number, printable, without_commands
from speedcheck.runs_table import runs_table


def format_csv(certificates: list[Certificate]) -> str:
    """Return the whole table as CSV; what a log does not say is an empty field."""
    text = runs_table(certificates).to_csv(index=False)
    # A file name need not be text, and a strict stream would refuse it.
    return without_commands(text.encode("utf-8", "backslashreplace").decode())


def format_table(certificates: list[Certificate]) -> str:
    """Return the columns that fit on a terminal as aligned text."""
    runs = [(certificate, run) for certificate in certificates for run in certificate.runs]
    if not runs:
        return "no runs\n"
    several = len(certificates) > 1
    heads = [*(["record"] if several else []), "log", "seed", "val_loss", "time [s]", "step"]
    rows = [[*heads, "counted"]]
    for certificate, run in runs:
        seconds = None if run.train_time_ms is None else run.train_time_ms / 1000
        rows.append(
            [
                *([certificate.record] if several else []),
                ABSENT if run.log is None else f"{run.log} #{run.run}" if run.run else run.log,
                ABSENT if run.seed is None else str(run.seed),
                ABSENT if run.val_loss is None else repr(run.val_loss),
                number(seconds, ".3f"),
                steps(run),
                "yes" if run.exclusion is None else f"no: {run.exclusion.replace('_', ' ')}",
            ]
        )
    return without_commands("".join(f"{line}\n" for line in _aligned(rows)))


def _aligned(rows: list[list[str]]) -> list[str]:
    """Return rows as lines whose columns are as wide as their widest cell."""
    cells = [[printable(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in cells
    ]
