"""Do the documents say what the logs say? Everything that is found of claims is said here."""

from __future__ import annotations

from speedcheck.certificate import Claim
from speedcheck.checks import codes
from speedcheck.claims import DocumentClaims, Shortfall
from speedcheck.verdicts import Finding, Severity
from speedcheck.words import count, join_some

_MOST_NAMED = 5


def check_documents(
    documents: DocumentClaims, published: tuple[Claim, ...] = ()
) -> tuple[Finding, ...]:
    """Judge how the documents of a record and record.toml's published figures differ from its logs.

    Data that the logs refute fail the record; running text is one warning with both figures.
    """
    claims = (*published, *documents.claims)
    return (
        *(
            Finding(codes.CLAIMS_NOT_READ, "unknown", unread.message, unread.where)
            for unread in documents.unread
        ),
        *map(_shortfall, documents.shortfalls),
        *(
            Finding(codes.CLAIM_NOT_CONFIRMED, "fail", _refuted(claim), claim.where)
            for claim in claims
            if claim.status == "not_confirmed" and claim.basis == "data"
        ),
        *_differing_text(claims),
        *(
            Finding(codes.SEEDS_DIFFER, "warn", difference.message, difference.where)
            for difference in documents.seeds
        ),
        *_unlisted(documents.unlisted),
    )


def _shortfall(shortfall: Shortfall) -> Finding:
    """Say how many logs are missing.

    The logs that are there may have been chosen, so that they cannot certify. One log alone never
    can, and is what records published that show one run of many.
    """
    logs = count(shortfall.logs, "log")
    severity: Severity = "fail" if shortfall.logs > 1 else "unknown"
    message = f"{shortfall.claimed} losses are claimed and {logs} can be of them"
    if shortfall.is_text:
        severity, message = "warn", f"README says {shortfall.claimed} runs, and there are {logs}"
    return Finding(codes.CLAIMED_WITHOUT_LOGS, severity, message, shortfall.where)


def _refuted(claim: Claim) -> str:
    """Name a figure; of a list its length, since the claim itself holds its values."""
    if claim.what in ("losses", "times"):
        return f"{claim.claimed.partition(':')[0]} are claimed; the logs give {claim.recomputed}"
    return f"{claim.subject} is claimed as {claim.claimed}; the evidence gives {claim.recomputed}"


def _differing_text(claims: tuple[Claim, ...]) -> list[Finding]:
    """Put every difference of running text into one warning, a row each."""
    rows = [c for c in claims if c.status == "not_confirmed" and c.basis == "text"]
    if not rows:
        return []
    more = f"; and {len(rows) - _MOST_NAMED} more" if len(rows) > _MOST_NAMED else ""
    message = "; ".join(map(_row, rows[:_MOST_NAMED])) + more
    return [Finding(codes.TEXT_DIFFERS, "warn", message, rows[0].where)]


def _row(claim: Claim) -> str:
    place = claim.where.rpartition(":")[2]
    line = f" (line {place})" if place.isdigit() else f" ({claim.where})"
    says = claim.claimed.partition(":")[0]
    return f"{claim.subject}: README says {says}, logs give {claim.recomputed}{line}"


def _unlisted(names: tuple[str, ...]) -> list[Finding]:
    if not names:
        return []
    shown = join_some(names, _MOST_NAMED)
    runs = "a run that counts is" if len(names) == 1 else f"{len(names)} runs that count are"
    message = f"{runs} in no list of losses: {shown}"
    return [Finding(codes.UNLISTED_LOG, "warn", message)]
