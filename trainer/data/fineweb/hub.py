"""FineWeb's shards on the Hugging Face hub: what is there, and one file's bytes."""

from __future__ import annotations

import logging
import os
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from trainer.data.fineweb.extras import require_package
from trainer.data.fineweb.layout import REPOSITORY
from trainer.errors import TrainerError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import BinaryIO

# Seconds until a hub that does not answer is given up.
TIMEOUT = 30
# Times to try again where nothing more has come.
RETRIES = 3
RETRY_SECONDS = 1.0

DEFAULT_ENDPOINT = "https://huggingface.co"

GO_ON = "the same command goes on where this one stopped"


@dataclass(frozen=True)
class RemoteFile:
    """A file of the hub: its name, size in bytes, and the SHA-256 that the hub states."""

    name: str
    size: int
    sha256: str


@dataclass(frozen=True)
class Repository:
    """The data set as it is now: its commit, and the files by name."""

    commit: str
    files: dict[str, RemoteFile]


def list_repository() -> Repository:
    """Ask the hub for the data set's commit and files.

    Raises:
        TrainerError: huggingface_hub is not installed, or the hub gives no usable answer.
    """
    require_package("huggingface_hub")
    from huggingface_hub import HfApi  # noqa: PLC0415 - an extra

    with _hub_errors():
        info = HfApi(_endpoint()).dataset_info(REPOSITORY, files_metadata=True, timeout=TIMEOUT)
    files = {
        sibling.rfilename: RemoteFile(sibling.rfilename, sibling.lfs.size, sibling.lfs.sha256)
        for sibling in info.siblings or ()
        if sibling.lfs
    }
    return Repository(info.sha or "main", files)


def download(remote: RemoteFile, commit: str, file: BinaryIO) -> None:
    """Append the rest of a file to `file`, which holds the beginning, with a progress bar.

    `hf_hub_download` does not do: since version 1 it throws away what an interrupted process had.

    Raises:
        TrainerError: the hub gives no usable answer, or the disk is full.
    """
    # The client's own trying again differs by version, and would speak into the progress bar.
    logging.getLogger("huggingface_hub").setLevel(logging.ERROR)
    farthest = failures = 0
    while True:
        try:
            _append(remote, commit, file)
            return
        except _BrokenOffError:
            failures = 0 if file.tell() > farthest else failures + 1
            if failures > RETRIES:
                raise
            farthest = max(farthest, file.tell())
            time.sleep(RETRY_SECONDS)


def _append(remote: RemoteFile, commit: str, file: BinaryIO) -> None:
    from huggingface_hub import hf_hub_url  # noqa: PLC0415 - an extra
    from huggingface_hub.file_download import http_get  # noqa: PLC0415
    from huggingface_hub.utils import build_hf_headers  # type: ignore[attr-defined] # noqa: PLC0415

    # Left by a store that sends all where it is asked for the rest.
    if file.tell() > remote.size:
        file.seek(0)
        file.truncate()
    url = hf_hub_url(
        REPOSITORY, remote.name, repo_type="dataset", revision=commit, endpoint=_endpoint()
    )
    with _hub_errors(remote.name):
        http_get(
            url,
            file,
            resume_size=file.tell(),
            headers=build_hf_headers(),
            expected_size=remote.size,
            displayed_filename=remote.name,
        )


class _BrokenOffError(TrainerError):
    """The connection failed; trying again may help."""


def _endpoint() -> str:
    return os.environ.get("HF_ENDPOINT", DEFAULT_ENDPOINT).rstrip("/")


@contextmanager
def _hub_errors(name: str = "") -> Iterator[None]:
    """Say in one line what went wrong with the hub, or with the file that is written."""
    from huggingface_hub.errors import HfHubHTTPError, OfflineModeIsEnabled  # noqa: PLC0415

    # By version of huggingface_hub the network's errors are those of requests, which are
    # OSErrors, or of httpx, which are not; but this one always derives from their base.
    network_errors: tuple[Any, ...] = HfHubHTTPError.__bases__
    where = f"{_endpoint()} {REPOSITORY} {name}".rstrip()
    try:
        yield
    except OfflineModeIsEnabled as error:
        what, where, remedy = "the hub is switched off", "HF_HUB_OFFLINE", "unset the variable"
        raise TrainerError(what, where=where, remedy=remedy) from error
    except HfHubHTTPError as error:
        status = error.response.status_code
        kind = _BrokenOffError if status >= 500 else TrainerError
        raise kind(f"the hub answers {status}", where=where, remedy=_remedy(status)) from error
    except (OSError, *network_errors) as error:
        if isinstance(error, OSError) and error.errno:
            what = f"cannot be written ({error.strerror})"
            raise TrainerError(what, where=name, remedy=GO_ON) from error
        failed = "the download failed" if name else "the hub cannot be reached"
        what = f"{failed} ({str(error).partition(chr(10))[0] or type(error).__name__})"
        remedy = f"check the network or name a mirror in HF_ENDPOINT; {GO_ON}"
        raise _BrokenOffError(what, where=where, remedy=remedy) from error


def _remedy(status: int) -> str:
    if status in (401, 403):
        return "check the token in HF_TOKEN, or name another mirror in HF_ENDPOINT"
    if status == 404:
        return "check the mirror in HF_ENDPOINT, if one is set"
    return f"try later; {GO_ON}"
