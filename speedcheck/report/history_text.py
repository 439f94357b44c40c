"""A series of records as a table: for a terminal, for a README, and as CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Sequence

from speedcheck.history.series import Entry, Gain
from speedcheck.report.markdown_text import code, table
from speedcheck.report.wording import (
    ABSENT,
    aligned,
    number,
    p_value,
    printable,
    rounded,
    without_commands,
)

HEADS = ("date", "record", "time [s]", "loss", "n", "p", "certified", "gain", "shown")
NOTES = (
    "gain: over the record before it on the same track",
    "shown: whether its 95% interval is above zero, spread between machines included",
)
NOTE = "; ".join(NOTES)
_CSV_HEADS = (
    *("date", "record", "track", "time_mean_s", "time_sd_s", "loss_mean", "loss_sd", "n", "p"),
    *("certified", "loss", "speed", "rules", "provenance"),
    *("gain", "gain_unit", "gain_low", "gain_high", "gain_shown", "gain_unknown_because"),
)

_NO_GAIN: tuple[object, ...] = (None,) * 6


def history_text(entries: Sequence[Entry]) -> str:
    """Return the series as an aligned table, with lines that explain its last columns."""
    rows = [tuple(map(printable, row(entry, str))) for entry in entries]
    lines = [*aligned([HEADS, *rows]), "", *NOTES]
    return without_commands("".join(f"{line}\n" for line in lines))


def history_markdown(entries: Sequence[Entry]) -> str:
    """Return the series as a table in Markdown; ends in a newline."""
    return f"{table(HEADS, [row(entry, code) for entry in entries])}\n\n{NOTE}.\n"


def history_csv(entries: Sequence[Entry]) -> str:
    """Return the series as CSV with all digits; a figure that does not exist is empty."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_CSV_HEADS)
    writer.writerows(_csv_row(entry) for entry in entries)
    # A folder's name need not be text, and a strict stream would refuse it.
    return without_commands(text.getvalue().encode("utf-8", "backslashreplace").decode())


def row(entry: Entry, name: Callable[[str], str]) -> tuple[str, ...]:
    """Return the cells of a record under `HEADS`; `name` makes its folder what the form needs."""
    certificate = entry.certificate
    runtime, loss = certificate.runtime, certificate.loss
    return (
        entry.date or ABSENT,
        name(printable(str(entry.folder))),
        number(runtime.mean_s if runtime else None, ".2f"),
        ABSENT if loss.mean is None else rounded(loss.mean),
        str(loss.n),
        p_value(loss.p_value),
        "yes" if certificate.certified else "no",
        ABSENT if entry.gain is None else _gain(entry.gain),
        ABSENT if entry.gain is None else entry.gain.shown,
    )


def _gain(gain: Gain) -> str:
    if gain.amount is None:
        return ABSENT
    if gain.unit == "steps":
        return f"{gain.amount:+.0f} steps"
    return f"{gain.amount:+.2f} s" if gain.unit == "s" else f"{gain.amount:+.2g}"


def _csv_row(entry: Entry) -> tuple[object, ...]:
    certificate, gain = entry.certificate, entry.gain
    runtime, loss = certificate.runtime, certificate.loss
    verdicts = certificate.verdicts.by_question().values()
    gained = _NO_GAIN
    if gain is not None:
        gained = (gain.amount, gain.unit, gain.low, gain.high, gain.shown, gain.why)
    return (
        *(entry.date, entry.folder, certificate.track),
        *((runtime.mean_s, runtime.std_s) if runtime else (None, None)),
        *(loss.mean, loss.std, loss.n, loss.p_value),
        "yes" if certificate.certified else "no",
        *(verdict.status for verdict in verdicts),
        *gained,
    )
