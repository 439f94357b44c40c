"""Findings as GitHub annotations: workflow commands that mark the file and line on a pull request.

The runner reads one command a line, and takes an escape back after it has read the command, so
that no text of a submission can end its own command or begin another.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from speedcheck.certificate import Certificate
from speedcheck.errors import Unusable
from speedcheck.report.headline import headline
from speedcheck.report.wording import printable
from speedcheck.verdicts import SEVERITIES, Finding, Severity

_COMMANDS: dict[Severity, str] = {
    "fail": "error",
    # The evidence to judge is not there: more than a remark, and nothing was shown to be wrong.
    "unknown": "warning",
    "warn": "warning",
    "info": "notice",
}
_LINE = re.compile(r"(.+):([0-9]{1,9})", re.DOTALL)


def certificate_annotations(certificate: Certificate, folder: Path) -> str:
    """Return the judgement and its findings, one workflow command a line, each ending in a newline.

    GitHub shows no more than ten errors, ten warnings and ten notices of a step: the gravest
    findings stand first, and one of each code before the second of any.

    Args:
        certificate: the judgement.
        folder: the record folder, as the runner's working directory sees it.
    """
    judgement, _, why = headline(certificate).partition(": ")
    record = printable(certificate.record)
    verdict = _command(
        "notice" if certificate.certified else "error", {"title": f"{judgement}: {record}"}, why
    )
    return "".join([verdict, *(_annotation(finding, folder) for finding in _ordered(certificate))])


def unusable_annotation(unusable: Unusable) -> str:
    """Return one workflow command for a folder that could not be judged, ending in a newline."""
    error = unusable.error
    file, line = _place(Path(), error.where)
    title = f"NOT JUDGED: {printable(str(unusable.folder))}"
    return _command("error", {"file": file, "line": line, "title": title}, str(error))


def _ordered(certificate: Certificate) -> Iterator[Finding]:
    seen: Counter[tuple[str, str]] = Counter()
    ranked = []
    for place, finding in enumerate(certificate.verdicts.findings()):
        kind = (finding.code, finding.severity)
        ranked.append((SEVERITIES.index(finding.severity), seen[kind], place, finding))
        seen[kind] += 1
    return (finding for *_, finding in sorted(ranked, key=lambda entry: entry[:3]))


def _annotation(finding: Finding, folder: Path) -> str:
    file, line = _place(folder, finding.where)
    properties = {"file": file, "line": line, "title": finding.code}
    where = f" ({finding.where})" if finding.where and not file else ""
    return _command(_COMMANDS[finding.severity], properties, finding.message + where)


def _place(folder: Path, where: str) -> tuple[str, str]:
    """Return the file and the line that `where` names, "" for what it does not name.

    A file's name may itself end like a line's number, so the folder decides.
    """
    numbered = _LINE.fullmatch(where)
    places = [(where, ""), (numbered[1], numbered[2]) if numbered else (where, "")]
    for name, line in places:
        if name and os.path.lexists(folder / name):
            return (folder / name).as_posix(), line
    return "", ""


def _command(name: str, properties: dict[str, str], message: str) -> str:
    given = ",".join(f"{key}={_property(value)}" for key, value in properties.items() if value)
    return f"::{name} {given}::{_data(message)}\n"


def _data(text: str) -> str:
    # After `printable` no line end is left that would need an escape.
    return printable(text).replace("%", "%25")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
