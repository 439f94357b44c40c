"""A campaign's status as one screen of text, or as JSON."""

from __future__ import annotations

import json
from dataclasses import asdict

from speedcheck.report.wording import ABSENT, aligned, number, printable, resume_command
from speedcheck.run.progress.campaign_status import Status, UnderWay
from speedcheck.run.progress.outlook import duration, milliseconds
from speedcheck.words import join_some

# More would not fit on a screen; those that have come furthest are the first to end.
MOST_ROWS = 16
_HEAD = ("run", "seed", "step", "ms a step", "loss", "against finished")


def status_json(status: Status) -> str:
    """Return one line of JSON."""
    return json.dumps(asdict(status), sort_keys=True, allow_nan=False)


def status_text(status: Status) -> str:
    """Return the screen, with a line end behind its last line."""
    most = "at most " if status.evidence else ""
    counts = (
        f"{status.finished} of {most}{status.planned} runs finished, "
        f"{len(status.under_way)} under way, {status.waiting} to start"
    )
    lines = [
        f"{status.folder}: {_state(status)}",
        counts + _ended_badly(status),
        f"mean {number(status.mean, '.4f')}, sd {number(status.sd, '.4f')}"
        + ("" if status.target is None else f" (target {status.target:g})"),
    ]
    if status.missing:
        lines.append(
            f"missing from the figures, since their logs are gone: {join_some(status.missing)}"
        )
    if status.evidence:
        lines.append(status.evidence)
    if status.seconds_left is not None and status.launcher != "gone":
        lines.append(f"about {duration(status.seconds_left)} left")
    if status.under_way:
        lines += ["", *_table(status.under_way)]
    return "\n".join(map(printable, lines)) + "\n"


def _state(status: Status) -> str:
    if not (status.under_way or status.waiting):
        unfinished = status.failed + status.abandoned
        again = f"; to repeat {unfinished}: {resume_command(status.folder)}"
        return "ended" + (again if unfinished else "")
    if status.launcher == "gone":
        return f"interrupted; to continue: {resume_command(status.folder)}"
    return "running" if status.launcher == "running" else "running, or interrupted"


def _ended_badly(status: Status) -> str:
    failed = f", {status.failed} failed" if status.failed else ""
    return failed + (f", {status.abandoned} abandoned" if status.abandoned else "")


def _table(under_way: tuple[UnderWay, ...]) -> list[str]:
    shown = sorted(under_way, key=lambda run: -run.fraction)[:MOST_ROWS]
    rows = aligned([_HEAD, *map(_row, shown)])
    more = len(under_way) - len(shown)
    return [*rows, f"and {more} more"] if more else rows


def _row(run: UnderWay) -> tuple[str, ...]:
    step = "starting" if run.step is None else f"{run.step}/{run.steps}"
    return (
        run.log,
        str(run.seed),
        step,
        ABSENT if run.step_ms is None else milliseconds(run.step_ms),
        number(run.loss, ".4f"),
        number(run.difference, "+.4f"),
    )
