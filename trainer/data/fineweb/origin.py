"""`manifest.json` beside the shards: where each comes from, and its digest.

Synthetic shards have the names, the format and the size of FineWeb's; this file is what tells
them apart, and a run copies what it says into its log.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from trainer.data.shards import Manifest, Shard, manifest, replacing
from trainer.errors import TrainerError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from trainer.data.fineweb.find import ShardPaths

MANIFEST_NAME = "manifest.json"
SCHEMA = "speedcheck.shards/1"


@dataclass(frozen=True)
class Known:
    """A shard as it was when it was made or fetched, and where it comes from, in words."""

    shard: Shard
    origin: str


def record(directory: Path, shard: Shard, origin: str) -> None:
    """Write down where a shard of the folder comes from.

    Raises:
        TrainerError: the file cannot be written, or is there and cannot be understood.
    """
    known = read_known(directory) | {shard.file: Known(shard, origin)}
    rows = [asdict(entry.shard) | {"origin": entry.origin} for _, entry in sorted(known.items())]
    path = directory / MANIFEST_NAME
    try:
        with replacing(path) as file:
            file.write(json.dumps({"schema": SCHEMA, "shards": rows}, indent=2).encode() + b"\n")
    except OSError as error:
        raise TrainerError(
            f"cannot be written ({error.strerror})", where=str(path), remedy="free space there"
        ) from error


def read_known(directory: Path) -> dict[str, Known]:
    """Return what is written down of the folder's shards, by file name.

    Raises:
        TrainerError: the file cannot be read or understood.
    """
    path = directory / MANIFEST_NAME
    try:
        return {row["file"]: _known(row) for row in json.loads(path.read_bytes())["shards"]}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise TrainerError(
            f"this list of shards cannot be read ({type(error).__name__}: {error})",
            where=str(path),
            remedy="delete it and check the folder with: speedcheck data check",
        ) from error


def _known(row: dict[str, Any]) -> Known:
    shard = Shard(str(row["file"]), int(row["tokens"]), str(row["sha256"]))
    return Known(shard, str(row["origin"]))


def require_unchanged(path: Path, shard: Shard, known: Known | None) -> None:
    """Check a shard as it is against what is written down of it, if anything is.

    Raises:
        TrainerError: it is another file.
    """
    if known and known.shard.sha256 != shard.sha256:
        raise TrainerError(
            f"the SHA-256 is {shard.sha256[:12]}..., {MANIFEST_NAME} has "
            f"{known.shard.sha256[:12]}... ({known.origin})",
            where=str(path),
            remedy="delete the file and make or fetch it again",
        )


def run_manifest(paths: ShardPaths, val_tokens: int) -> Manifest:
    """Describe the shards of a run, and say where they come from.

    Raises:
        TrainerError: a file cannot be read, or is not what `manifest.json` says of it.
    """
    directory = paths.val.parent
    described = manifest(paths.train, [paths.val], val_tokens)
    shards = (*described.train, *described.val)
    return replace(described, origin=_origin_of(directory, shards))


def _origin_of(directory: Path, shards: Sequence[Shard]) -> str | None:
    """Return where the shards come from; None where that is written down of none of them."""
    known = read_known(directory)
    origins: list[str] = []
    for shard in shards:
        entry = known.get(shard.file)
        require_unchanged(directory / shard.file, shard, entry)
        origins.append(entry.origin if entry else "unknown")
    return "; ".join(dict.fromkeys(origins)) if set(origins) != {"unknown"} else None
