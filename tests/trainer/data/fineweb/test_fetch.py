from __future__ import annotations

import fcntl
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from trainer.data.fineweb.fetch import fetch_shards
from trainer.errors import TrainerError

if TYPE_CHECKING:
    from tests.trainer.data.fineweb.conftest import Hub

ROOT = Path(__file__).resolve().parents[4]
VAL = "fineweb_val_000000.bin"
ONE = "fineweb_train_000001.bin"


def fetch(folder: Path, shards: int) -> list[tuple[str, bool]]:
    return [(path.name, is_new) for path, is_new in fetch_shards(folder, shards)]


def partials(folder: Path) -> list[Path]:
    return list(folder.glob(".*.partial"))


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a broken download be tried again without waiting, and keep every 100 bytes that came."""
    pytest.importorskip("huggingface_hub")
    monkeypatch.setattr(time, "sleep", lambda _: None)
    monkeypatch.setattr("huggingface_hub.constants.DOWNLOAD_CHUNK_SIZE", 100)


def test_the_validation_shard_and_the_first_training_shards_come(hub: Hub, tmp_path: Path) -> None:
    assert fetch(tmp_path / "new", 2) == [(VAL, True), (ONE, True), (ONE.replace("1", "2"), True)]
    names = {path.name for path in (tmp_path / "new").iterdir()}
    assert names == {VAL, ONE, ONE.replace("1", "2"), "manifest.json"}
    for name in names - {"manifest.json"}:
        assert (tmp_path / "new" / name).read_bytes() == hub.files[name]


def test_the_folder_says_from_which_commit_its_shards_are(hub: Hub, tmp_path: Path) -> None:
    fetch(tmp_path, 1)
    rows = json.loads((tmp_path / "manifest.json").read_text())["shards"]
    assert [(row["file"], row["tokens"]) for row in rows] == [(ONE, 3001), (VAL, 3000)]
    origin = "kjj0/fineweb10B-gpt2 at 0123456789abcdef0123456789abcdef01234567"
    assert {row["origin"] for row in rows} == {origin}


def test_what_is_there_is_checked_and_not_downloaded_again(hub: Hub, tmp_path: Path) -> None:
    fetch(tmp_path, 1)
    hub.downloads.clear()
    assert fetch(tmp_path, 2) == [(VAL, False), (ONE, False), (ONE.replace("1", "2"), True)]
    assert hub.downloads == [(ONE.replace("1", "2"), None)]


@pytest.mark.parametrize(
    ("spoil", "complaint"),
    [
        (lambda data: data[:-2], "the file has 7,024 bytes, the hub's has 7,026"),
        (lambda data: data[:-1] + b"\0", "the file's SHA-256 is"),
    ],
)
def test_a_file_that_is_not_the_hubs_is_refused_and_left_alone(
    hub: Hub, tmp_path: Path, spoil, complaint: str
) -> None:
    spoilt = spoil(hub.files[ONE])
    (tmp_path / ONE).write_bytes(spoilt)
    with pytest.raises(TrainerError, match=complaint) as caught:
        fetch(tmp_path, 1)
    assert caught.value.where == str(tmp_path / ONE)
    assert "delete the file" in caught.value.remedy
    assert (tmp_path / ONE).read_bytes() == spoilt
    assert hub.downloads == []


def test_a_download_that_breaks_off_goes_on_in_the_same_call(hub: Hub, tmp_path: Path) -> None:
    hub.cuts = [1000, 500]
    fetch(tmp_path, 1)
    assert hub.downloads[:3] == [(VAL, None), (VAL, "bytes=1000-"), (VAL, "bytes=1500-")]
    assert (tmp_path / VAL).read_bytes() == hub.files[VAL]


def test_a_download_that_failed_goes_on_in_the_next_call(hub: Hub, tmp_path: Path) -> None:
    hub.cuts = [1000, *[0] * 99]
    with pytest.raises(TrainerError, match="the same command goes on where this one stopped"):
        fetch(tmp_path, 1)
    assert [path.stat().st_size for path in partials(tmp_path)] == [1000]
    hub.cuts, hub.downloads = [], []
    fetch(tmp_path, 1)
    assert hub.downloads == [(VAL, "bytes=1000-"), (ONE, None)]
    assert (tmp_path / VAL).read_bytes() == hub.files[VAL]
    assert partials(tmp_path) == []


def test_a_store_that_knows_no_ranges_sends_all_again(hub: Hub, tmp_path: Path) -> None:
    hub.cuts, hub.ignores_ranges = [1000], True
    fetch(tmp_path, 1)
    assert (tmp_path / VAL).read_bytes() == hub.files[VAL]


def test_a_beginning_longer_than_the_file_is_thrown_away(hub: Hub, tmp_path: Path) -> None:
    hub.cuts = [1000, *[0] * 99]
    with pytest.raises(TrainerError):
        fetch(tmp_path, 1)
    partials(tmp_path)[0].write_bytes(b"x" * 9999)
    hub.cuts, hub.downloads = [], []
    fetch(tmp_path, 1)
    assert hub.downloads[0] == (VAL, None)
    assert (tmp_path / VAL).read_bytes() == hub.files[VAL]


def test_what_comes_with_another_digest_is_deleted_and_said(hub: Hub, tmp_path: Path) -> None:
    hub.served[ONE] = hub.files[ONE][:-1] + b"\0"
    with pytest.raises(TrainerError, match=r"SHA-256 of what came .* it was deleted; fetch again"):
        fetch(tmp_path, 1)
    # What was right before it stays.
    assert sorted(path.name for path in tmp_path.iterdir()) == [VAL, "manifest.json"]


@pytest.mark.parametrize(
    ("status", "remedy"),
    [(401, "HF_TOKEN"), (403, "HF_TOKEN"), (404, "HF_ENDPOINT"), (503, "try later")],
)
def test_a_refusal_of_the_hub_is_said_with_what_to_do(
    hub: Hub, tmp_path: Path, status: int, remedy: str
) -> None:
    hub.status = status
    with pytest.raises(TrainerError, match=f"the hub answers {status}") as caught:
        fetch(tmp_path, 1)
    assert remedy in caught.value.remedy
    assert hub.url in caught.value.where


def test_a_shard_that_the_hub_does_not_have_is_named(hub: Hub, tmp_path: Path) -> None:
    with pytest.raises(TrainerError, match=r"the hub has no fineweb_train_000004\.bin"):
        fetch(tmp_path, 103)
    assert list(tmp_path.iterdir()) == []


def test_a_hub_out_of_reach_is_said(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A port that nobody listens to.
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:1")
    with pytest.raises(TrainerError, match=r"127\.0\.0\.1:1 .* cannot be reached"):
        fetch(tmp_path, 1)


def test_too_little_room_is_said_before_anything_is_downloaded(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(tmp_path)._replace(free=14_000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    with pytest.raises(TrainerError, match=r"0\.0 GB are free"):
        fetch(tmp_path, 1)
    assert hub.downloads == []


def test_two_fetches_of_one_file_do_not_mix(hub: Hub, tmp_path: Path) -> None:
    hub.cuts = [1000, *[0] * 99]
    with pytest.raises(TrainerError):
        fetch(tmp_path, 1)
    with partials(tmp_path)[0].open("ab") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(TrainerError, match="another process is fetching this file"):
            fetch(tmp_path, 1)


def test_a_folder_that_cannot_be_made_is_said(hub: Hub, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(TrainerError, match="the folder cannot be made"):
        fetch(tmp_path / "file" / "data", 1)


def test_without_huggingface_hub_the_extra_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("trainer.data.fineweb.extras.find_spec", lambda _: None)
    with pytest.raises(TrainerError, match=r"needs huggingface_hub.*'speedcheck\[data\]'"):
        fetch(tmp_path, 1)


def start(hub: Hub, folder: Path, **options: object) -> subprocess.Popen[str]:
    command = [sys.executable, "-P", "-m", "trainer.data.fineweb", "fetch"]
    return subprocess.Popen(
        [*command, "--shards", "1", "--data-dir", str(folder)],
        env={**os.environ, "PYTHONPATH": str(ROOT), **options.pop("variables", {})},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **options,
    )


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_fetch_ends_with_one_line_and_is_resumed(
    hub: Hub, tmp_path: Path, number: signal.Signals
) -> None:
    # The client hands over 10 MiB at a time.
    hub.put(VAL, 6_000_000)
    hub.stall_at = 11 << 20
    process = start(hub, tmp_path)
    deadline = time.monotonic() + 60
    while not any(path.stat().st_size for path in partials(tmp_path)):
        assert time.monotonic() < deadline
        assert process.poll() is None
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (128 + number, "")
    assert err == "speedcheck: error: interrupted\n"
    hub.stall_at, hub.downloads = None, []
    fetch(tmp_path, 1)
    assert hub.downloads == [(VAL, f"bytes={10 << 20}-"), (ONE, None)]
    assert (tmp_path / VAL).read_bytes() == hub.files[VAL]


def test_a_disk_that_fills_up_is_one_line(hub: Hub, tmp_path: Path) -> None:
    process = start(
        hub,
        tmp_path,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096)),
    )
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (2, "")
    assert err.count("\n") == 1
    assert "cannot be written (File too large)" in err


def test_offline_mode_is_named(hub: Hub, tmp_path: Path) -> None:
    process = start(hub, tmp_path, variables={"HF_HUB_OFFLINE": "1"})
    _, err = process.communicate(timeout=60)
    assert process.returncode == 2
    assert err == (
        "speedcheck: error: HF_HUB_OFFLINE: the hub is switched off; unset the variable\n"
    )
