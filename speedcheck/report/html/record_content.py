"""What a page says, as text: the template lays it out, makes it visible and escapes all of it."""

from __future__ import annotations

from dataclasses import dataclass

from speedcheck import __version__
from speedcheck.certificate import Certificate, Claim, GroupSummary, JudgedRun
from speedcheck.report.certificate_figures import confirmed, rule, statistics, steps
from speedcheck.report.collapsed_findings import collapsed
from speedcheck.report.headline import headline, next_step
from speedcheck.report.wording import ABSENT, decimals, number
from speedcheck.rules.tracks import track_in_words
from speedcheck.verdicts import Finding

Row = tuple["Cell", ...]


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell of a table.

    Attributes:
        text: what it shows.
        order: what the column is sorted by; the text unless given.
        is_number: whether it is aligned right.
    """

    text: str
    order: str = ""
    is_number: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """A table.

    Attributes:
        title: what its rows are.
        heads: the names of the columns; those of numbers are aligned right.
        rows: the cells, row by row.
    """

    title: str
    heads: tuple[Cell, ...]
    rows: tuple[Row, ...]


@dataclass(frozen=True, slots=True)
class Judged:
    """One of the four verdicts with its findings."""

    question: str
    status: str
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True)
class Content:
    """Everything that a page says.

    Attributes:
        record: name of the record.
        judgement: such as "CERTIFIED".
        why: the rest of the headline.
        tone: "good" for a certified record, else "bad".
        rule: what the track asks for.
        next_step: what to do next; "" for nothing.
        statistics: names and values of the main figures.
        verdicts: the four verdicts.
        confirmed: how many figures of the documents the logs give; "" for none.
        tables: the runs, the groups and the claims that differ, where there are any.
        version: of speedcheck.
    """

    record: str
    judgement: str
    why: str
    tone: str
    rule: str
    next_step: str
    statistics: tuple[tuple[str, str], ...]
    verdicts: tuple[Judged, ...]
    confirmed: str
    tables: tuple[Table, ...]
    version: str = __version__


def content_of(certificate: Certificate) -> Content:
    """Return what the page of a record says."""
    judgement, _, why = headline(certificate).partition(": ")
    tables = (_runs(certificate), _groups(certificate), _claims(certificate))
    return Content(
        record=certificate.record,
        judgement=judgement,
        why=why,
        tone="good" if certificate.certified else "bad",
        rule=f"{track_in_words(certificate.track)}: {rule(certificate)}",
        next_step=next_step(certificate),
        statistics=tuple(statistics(certificate)),
        verdicts=tuple(
            Judged(question, verdict.status, tuple(collapsed(verdict.findings)))
            for question, verdict in certificate.verdicts.by_question().items()
        ),
        confirmed=confirmed(certificate),
        tables=tuple(table for table in tables if table.rows),
    )


def _runs(certificate: Certificate) -> Table:
    # Published logs tell no seeds, and a narrow screen has no room for an empty column.
    seeds = any(run.seed is not None for run in certificate.runs)
    numbers = (*(["seed"] if seeds else []), "val_loss", "time [s]", "step")
    heads = (Cell("log"), *(Cell(name, is_number=True) for name in numbers), Cell("counted"))
    digits = decimals(run.val_loss for run in certificate.runs)
    return Table("Runs", heads, tuple(_run(run, digits, seeds=seeds) for run in certificate.runs))


def _run(run: JudgedRun, digits: int, *, seeds: bool) -> Row:
    seconds = None if run.train_time_ms is None else run.train_time_ms / 1000
    name = ABSENT if run.log is None else run.log + (f" #{run.run}" if run.run else "")
    is_finite = run.val_loss is not None or not run.counted
    loss = number(run.val_loss, f".{digits}f") if is_finite else "not finite"
    why = f": {run.reason}" if run.reason else ""
    return (
        Cell(name),
        *([Cell(_exact(run.seed), _exact(run.seed), is_number=True)] if seeds else []),
        Cell(loss, _exact(run.val_loss), is_number=True),
        Cell(number(seconds, ".3f"), _exact(seconds), is_number=True),
        Cell(steps(run), _exact(run.final_step), is_number=True),
        Cell(f"{'yes' if run.counted else 'no'}{why}"),
    )


def _groups(certificate: Certificate) -> Table:
    """Return each group's own figures where the folder holds several."""
    heads = (
        Cell("group"),
        Cell("n", is_number=True),
        Cell("mean", is_number=True),
        Cell("sd", is_number=True),
        Cell("p", is_number=True),
        Cell("what"),
    )
    several = certificate.groups if len(certificate.groups) > 1 else ()
    return Table("Groups of runs", heads, tuple(_group(group) for group in several))


def _group(group: GroupSummary) -> Row:
    return (
        Cell(f"{group.name} (judged)" if group.judged else group.name),
        Cell(str(group.n), str(group.n), is_number=True),
        Cell(number(group.mean, ".5g"), _exact(group.mean), is_number=True),
        Cell(number(group.std, ".2g"), _exact(group.std), is_number=True),
        Cell(number(group.p_value, ".2g"), _exact(group.p_value), is_number=True),
        Cell(group.label),
    )


def _claims(certificate: Certificate) -> Table:
    heads = (Cell("where"), Cell("what"), Cell("stated"), Cell("logs give"))
    different = [claim for claim in certificate.claims if claim.status == "not_confirmed"]
    return Table("Figures of the documents that differ", heads, tuple(map(_claim, different)))


def _claim(claim: Claim) -> Row:
    cells = (claim.where, claim.subject, claim.claimed, claim.recomputed or ABSENT)
    return tuple(map(Cell, cells))


def _exact(value: float | None) -> str:
    return ABSENT if value is None else repr(value)
