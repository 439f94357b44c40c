"""FineWeb's shards from the Hugging Face hub, each checked by the hub's own SHA-256."""

from __future__ import annotations

import fcntl
import os
import shutil
from contextlib import contextmanager
from typing import TYPE_CHECKING

from trainer.data.fineweb.hub import GO_ON, RemoteFile, Repository, download, list_repository
from trainer.data.fineweb.layout import REPOSITORY, VAL_NAME, train_name
from trainer.data.fineweb.origin import record
from trainer.data.shards import Shard, file_sha256, map_shard
from trainer.errors import TrainerError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import BinaryIO


def fetch_shards(directory: Path, shards: int) -> Iterator[tuple[Path, bool]]:
    """Get the validation shard and training shards 1 to `shards`; yield each when it is there.

    What is there already is checked first, all of it, and not downloaded again. An interrupted
    download leaves a hidden file, with which the next one goes on.

    Yields:
        A shard's path, and whether it was downloaded.

    Raises:
        TrainerError: the hub gives no usable answer; a file is not what the hub says; the folder
            cannot be written, or has too little room.
    """
    names = [VAL_NAME, *(train_name(number) for number in range(1, shards + 1))]
    repository = list_repository()
    wanted = [_listed(repository, name) for name in names]
    present = [remote for remote in wanted if (directory / remote.name).exists()]
    for remote in present:
        _require_same(directory / remote.name, remote)
    missing = [remote for remote in wanted if remote not in present]
    _require_room(directory, missing)
    for remote in wanted:
        path = directory / remote.name
        if remote in missing:
            _fetch(path, remote, repository.commit)
        shard = Shard(path.name, len(map_shard(path)), remote.sha256)
        record(directory, shard, f"{REPOSITORY} at {repository.commit}")
        yield path, remote in missing


def _listed(repository: Repository, name: str) -> RemoteFile:
    if name not in repository.files:
        raise TrainerError(
            f"the hub has no {name}",
            where=f"{REPOSITORY} at {repository.commit}",
            remedy="ask for fewer shards",
        )
    return repository.files[name]


def _require_same(path: Path, remote: RemoteFile) -> None:
    """Check a file against the hub's size and digest, the cheaper one first."""
    size = path.stat().st_size
    if size != remote.size:
        what = f"the file has {size:,} bytes, the hub's has {remote.size:,}"
    elif (found := file_sha256(path)) != remote.sha256:
        what = f"the file's SHA-256 is {found[:12]}..., the hub's {remote.sha256[:12]}..."
    else:
        return
    raise TrainerError(what, where=str(path), remedy="delete the file or choose another folder")


def _require_room(directory: Path, missing: list[RemoteFile]) -> None:
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise TrainerError(
            f"the folder cannot be made ({error.strerror})",
            where=str(directory),
            remedy="choose another",
        ) from error
    begun = (_partial(directory / remote.name, remote) for remote in missing)
    here = sum(path.stat().st_size for path in begun if path.exists())
    needed = sum(remote.size for remote in missing) - here
    free = shutil.disk_usage(directory).free
    if needed > free:
        raise TrainerError(
            f"{needed / 1e9:.1f} GB are to be fetched and {free / 1e9:.1f} GB are free",
            where=str(directory),
            remedy="free some space or choose another folder",
        )


def _fetch(path: Path, remote: RemoteFile, commit: str) -> None:
    partial = _partial(path, remote)
    with _opened(partial) as file:
        download(remote, commit, file)
        file.flush()
        found = file_sha256(partial)
        if found != remote.sha256:
            partial.unlink()
            raise TrainerError(
                f"the SHA-256 of what came is {found[:12]}..., the hub's {remote.sha256[:12]}...; "
                "it was deleted",
                where=str(path),
                remedy="fetch again",
            )
        partial.replace(path)


def _partial(path: Path, remote: RemoteFile) -> Path:
    """Where a download grows; one of other content has another name."""
    return path.with_name(f".{path.name}.{remote.sha256[:12]}.partial")


@contextmanager
def _opened(partial: Path) -> Iterator[BinaryIO]:
    """Open the file to go on with, which no other process may write at the same time."""
    try:
        with partial.open("ab") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            file.seek(0, os.SEEK_END)
            yield file
    except BlockingIOError as error:
        raise TrainerError(
            "another process is fetching this file", where=str(partial), remedy="wait for it"
        ) from error
    except OSError as error:
        raise TrainerError(
            f"cannot be written ({error.strerror or error})", where=str(partial), remedy=GO_ON
        ) from error
