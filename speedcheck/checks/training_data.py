"""Was it trained and validated on the data of its track? What the logs print of them."""

from __future__ import annotations

from collections.abc import Iterator

from speedcheck.checks import codes
from speedcheck.checks.budget import Counted
from speedcheck.rules.tracks import Track
from speedcheck.verdicts import Finding


def check_data(sample: Counted, track: Track) -> tuple[Finding, ...]:
    """Compare the fingerprints of the data that the counted runs print with those of `track`.

    A log that prints none is not judged here.

    Args:
        sample: the record's runs.
        track: its track.
    """
    return tuple(_findings(sample, track))


def _findings(sample: Counted, track: Track) -> Iterator[Finding]:
    for run, judged in sample.counted():
        where = judged.log or ""
        tokens, shards = run.printed_val_tokens, run.printed_train_shards
        if track.val_tokens is not None and tokens not in {None, track.val_tokens}:
            asked = f"the track asks for {track.val_tokens}"
            message = f"the log says that it validated on {tokens} tokens, and {asked}"
            yield Finding(codes.WRONG_VALIDATION, "fail", message, where)
        if track.train_shards is not None and shards not in {None, track.train_shards}:
            asked = f"the track asks for {track.train_shards}"
            message = f"the log says that it trained on {shards} shards, and {asked}"
            yield Finding(codes.WRONG_DATA, "fail", message, where)
