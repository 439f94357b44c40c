"""A hub on this machine, and an encoding that needs no download."""

from __future__ import annotations

import hashlib
import itertools
import json
import string
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from trainer.data.shards import write_shard

if TYPE_CHECKING:
    import tiktoken

REPOSITORY = "kjj0/fineweb10B-gpt2"
COMMIT = "0123456789abcdef0123456789abcdef01234567"


@dataclass
class Hub:
    """What the stand-in serves, how it misbehaves, and which downloads were asked for."""

    folder: Path
    url: str = ""
    files: dict[str, bytes] = field(default_factory=dict)
    # Content that is served in the place of what is listed.
    served: dict[str, bytes] = field(default_factory=dict)
    status: int = 200
    # Bytes after which each of the next answers breaks off.
    cuts: list[int] = field(default_factory=list)
    # Bytes after which answers stall until the test is over.
    stall_at: int | None = None
    go_on: threading.Event = field(default_factory=threading.Event)
    ignores_ranges: bool = False
    # (file, Range header) of each download.
    downloads: list[tuple[str, str | None]] = field(default_factory=list)

    def put(self, name: str, count: int) -> None:
        """Offer a shard of `count` random tokens."""
        path = self.folder / name
        tokens = np.random.default_rng(count).integers(0, 50257, count, dtype=np.uint16)
        write_shard(path, tokens)
        self.files[name] = path.read_bytes()

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        path = request.path.partition("?")[0]
        resolve = f"/datasets/{REPOSITORY}/resolve/{COMMIT}/"
        if self.status != 200:
            _send(request, self.status, b"no")
        elif path.startswith(f"/api/datasets/{REPOSITORY}"):
            _send(request, 200, json.dumps(self._listing()).encode())
        elif path.startswith(resolve) and path.removeprefix(resolve) in self.files:
            self._redirect(request, path.removeprefix(resolve))
        elif path.startswith("/store/"):
            self._serve(request, path.removeprefix("/store/"))
        else:
            _send(request, 404, b"no such thing")

    def _listing(self) -> dict[str, object]:
        rows = [
            {
                "rfilename": name,
                "size": len(data),
                "blobId": "b",
                "lfs": {"size": len(data), "sha256": sha256(data), "pointerSize": 134},
            }
            for name, data in self.files.items()
        ]
        rows.append({"rfilename": "README.md", "size": 3, "blobId": "c"})
        return {"id": REPOSITORY, "sha": COMMIT, "siblings": rows}

    def _redirect(self, request: BaseHTTPRequestHandler, name: str) -> None:
        data = self.files[name]
        request.send_response(302)
        request.send_header("Location", f"{self.url}/store/{name}")
        request.send_header("X-Repo-Commit", COMMIT)
        request.send_header("X-Linked-Size", str(len(data)))
        request.send_header("X-Linked-Etag", f'"{sha256(data)}"')
        request.send_header("Content-Length", "0")
        request.end_headers()

    def _serve(self, request: BaseHTTPRequestHandler, name: str) -> None:
        wanted = request.headers.get("Range")
        self.downloads.append((name, wanted))
        data = self.served.get(name, self.files[name])
        start = 0
        if wanted and not self.ignores_ranges:
            start = int(wanted.removeprefix("bytes=").removesuffix("-"))
            request.send_response(206)
            request.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
        else:
            request.send_response(200)
        body = data[start:]
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        if self.cuts:
            request.wfile.write(body[: self.cuts.pop(0)])
            request.close_connection = True
        elif self.stall_at is not None:
            request.wfile.write(body[: self.stall_at])
            request.wfile.flush()
            self.go_on.wait(60)
        else:
            request.wfile.write(body)


def _send(request: BaseHTTPRequestHandler, status: int, body: bytes) -> None:
    request.send_response(status)
    request.send_header("Content-Type", "application/json")
    request.send_header("Content-Length", str(len(body)))
    request.end_headers()
    request.wfile.write(body)


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@pytest.fixture
def hub(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """A hub with a validation shard and training shards 1 to 3, which HF_ENDPOINT names."""
    pytest.importorskip("huggingface_hub")
    hub = Hub(tmp_path_factory.mktemp("hub"))

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            hub.answer(self)

        do_HEAD = do_GET  # noqa: N815

        def log_message(self, *_: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        def handle_error(self, *_: object) -> None:
            """Say nothing where a client goes away."""

    server = Server(("127.0.0.1", 0), Handler)
    hub.url = f"http://127.0.0.1:{server.server_port}"
    for index, name in enumerate(("val_000000", *(f"train_00000{k}" for k in (1, 2, 3)))):
        hub.put(f"fineweb_{name}.bin", 3000 + index)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    monkeypatch.setenv("HF_ENDPOINT", hub.url)
    yield hub
    hub.go_on.set()
    server.shutdown()
    thread.join()
    server.server_close()


# How GPT-2 cuts text before it merges bytes: contractions, words, numbers, signs, white space.
GPT2_PATTERN = r"'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"


def small_encoding() -> tiktoken.Encoding:
    """GPT-2's cuts with some hundred merges, also of white space, so that a wrong cut shows."""
    tiktoken = pytest.importorskip("tiktoken")
    ranks = {bytes([value]): value for value in range(256)}
    for pair in itertools.product(" \n\t" + string.ascii_lowercase, repeat=2):
        ranks.setdefault("".join(pair).encode(), len(ranks))
    return tiktoken.Encoding(
        "small",
        pat_str=GPT2_PATTERN,
        mergeable_ranks=ranks,
        special_tokens={"<|endoftext|>": len(ranks)},
    )


@pytest.fixture(scope="session")
def encoding() -> tiktoken.Encoding:
    return small_encoding()
