"""The documents of a record, read and compared with its runs."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import islice

from speedcheck.certificate import Claim, JudgedRun
from speedcheck.claims.code import read_code, read_lists
from speedcheck.claims.lists import Lists
from speedcheck.claims.markdown import read_passages
from speedcheck.claims.model import DocumentClaims, Figure, Reader, Remark
from speedcheck.claims.samples import Samples
from speedcheck.claims.statistics import Statistics
from speedcheck.claims.tables import read_csv, read_json, read_table
from speedcheck.claims.text import read_text
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
    samples = Samples(runs)
    sizes, others = frozenset(map(len, samples.all)), OtherLosses(record, track.measure)
    claims: list[Claim] = []
    lists: list[Lists] = []
    unread: list[Remark] = []
    for document in read_documents(record):
        reader = Reader(document.name, track.measure, samples.level, sizes)
        read = _DATA.get(document.suffix, read_document)(document.text, reader)
        figures = list(islice(read, _MOST_FIGURES))
        lists.append(Lists(figures, samples, others, samples.steps_in(document.text)))
        claims += lists[-1].claims()
        claims += Statistics(figures, lists[-1], track).claims()
        if document.unread:
            unread.append(Remark(document.name, document.unread))
    return DocumentClaims(
        claims=tuple(claims[:MAX_CLAIMS]),
        shortfalls=tuple(shortfall for one in lists for shortfall in one.shortfalls()),
        seeds=tuple(difference for one in lists for difference in one.seed_differences()),
        unlisted=_unlisted(lists, samples),
        steps=tuple(sorted({step for one in lists for step in one.earlier_steps()})),
        unread=tuple(unread),
    )


def _unlisted(lists: list[Lists], samples: Samples) -> tuple[str, ...]:
    """Return the counted runs that no document lists; where they list fewer, they show examples."""
    listed = {name for one in lists for name in one.listed()}
    others = tuple(run.name for run in samples.counted if run.name not in listed)
    return others if listed and 3 * len(others) <= len(samples.counted) else ()


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
