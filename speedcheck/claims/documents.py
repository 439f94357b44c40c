"""The documents of a record, read and compared with its runs."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import islice

from speedcheck.certificate import JudgedRun
from speedcheck.claims.code import read_code, read_lists
from speedcheck.claims.markdown import read_passages
from speedcheck.claims.model import DocumentClaims, Figure, Reader, Remark
from speedcheck.claims.samples import Samples
from speedcheck.claims.tables import read_csv, read_json, read_table
from speedcheck.claims.text import read_text
from speedcheck.claims.verdict import compare
from speedcheck.logs import Run
from speedcheck.records.document_files import read_documents
from speedcheck.records.other_losses import OtherLosses
from speedcheck.records.record_folder import Record
from speedcheck.rules.tracks import Track

MAX_CLAIMS = 1_000
# Of one document.
_MOST_FIGURES = 300
_FRACTION = re.compile(r"[0-9]\.[0-9]")
_DATA = {".json": read_json, ".csv": read_csv}


def document_claims(
    record: Record, runs: Iterable[tuple[Run, JudgedRun]], track: Track
) -> DocumentClaims:
    """Recompute what the documents of a record claim.

    Args:
        record: the record as it was read.
        runs: each run of its logs with what was decided of it.
        track: its track, with its own target: what a caller tries out makes no README false.
    """
    samples = Samples(runs, by_steps=track.cost == "steps")
    sizes = frozenset(map(len, samples.all))
    others = OtherLosses(record, track.measure)
    parts: list[DocumentClaims] = []
    for document in read_documents(record):
        reader = Reader(document.name, track.measure, samples.level, sizes)
        figures = _DATA.get(document.suffix, read_document)(document.text, reader)
        parts.append(compare(list(islice(figures, _MOST_FIGURES)), samples, track, others))
        if document.unread:
            parts.append(DocumentClaims(unread=(Remark(document.name, document.unread),)))
    return _joined(parts, samples)


def read_document(written: str, reader: Reader) -> Iterator[Figure]:
    """Yield the figures of a Markdown document; nothing of it is executed."""
    for passage in read_passages(written):
        if passage.kind == "table":
            yield from read_table(passage, reader)
        elif passage.kind == "code" and _FRACTION.search(passage.text):
            yield from read_code(passage, reader)
        elif _FRACTION.search(passage.text):
            yield from read_lists(passage, reader)
            yield from read_text(passage, reader)


def _joined(parts: list[DocumentClaims], samples: Samples) -> DocumentClaims:
    """Put the comparisons of all documents together; a run that one of them lists is listed."""
    listed = frozenset(name for part in parts for name in part.listed)
    others = tuple(run.name for run in samples.counted if run.name not in listed)
    # Documents that list fewer show examples.
    are_listed = listed and 3 * len(others) <= len(samples.counted)
    return DocumentClaims(
        claims=tuple(claim for part in parts for claim in part.claims)[:MAX_CLAIMS],
        shortfalls=tuple(shortfall for part in parts for shortfall in part.shortfalls),
        seeds=tuple(difference for part in parts for difference in part.seeds),
        listed=listed,
        unlisted=others if are_listed else (),
        steps=tuple(sorted({step for part in parts for step in part.steps})),
        unread=tuple(remark for part in parts for remark in part.unread),
    )
