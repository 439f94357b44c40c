"""Do README.md and statistics.md say what the logs say? Claims and logs against each other."""

from __future__ import annotations

from speedcheck.certificate import Finding, Severity
from speedcheck.checks import codes
from speedcheck.claims import DocumentClaims, Shortfall

_MOST_NAMED = 5


def check_documents(documents: DocumentClaims) -> tuple[Finding, ...]:
    """Judge how the documents of a record and its logs differ.

    A figure that is not confirmed is a finding of `check_provenance`, wherever it is claimed.
    """
    comparison = documents.comparison
    return (
        *(
            Finding(codes.CLAIMS_NOT_READ, "unknown", unread.reason, unread.name)
            for unread in documents.unread
        ),
        *(_shortfall(shortfall) for shortfall in comparison.shortfalls),
        *_unlisted(comparison.unlisted),
    )


def _shortfall(shortfall: Shortfall) -> Finding:
    """Say how many logs are missing.

    The logs that are there may have been chosen, so that they cannot certify. One log alone never
    can, and is what records published that show one run of many.
    """
    severity: Severity = "fail" if shortfall.logs > 1 else "unknown"
    logs = "1 log" if shortfall.logs == 1 else f"{shortfall.logs or 'no'} logs"
    message = f"{shortfall.claimed} losses are claimed and {logs} can be of them"
    return Finding(codes.CLAIMED_WITHOUT_LOGS, severity, message, shortfall.where)


def _unlisted(names: tuple[str, ...]) -> list[Finding]:
    if not names:
        return []
    more = len(names) - _MOST_NAMED
    shown = ", ".join(names[:_MOST_NAMED]) + (f" and {more} more" if more > 0 else "")
    runs = "a run that counts is" if len(names) == 1 else f"{len(names)} runs that count are"
    message = f"{runs} in no list of losses: {shown}"
    return [Finding(codes.UNLISTED_LOG, "warn", message)]
