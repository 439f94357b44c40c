"""GPT-2's encoding from a file of its ranks, without a network.

Two forms hold the same 50,256 ranks: `r50k_base.tiktoken` has a line "token in base64, rank" for
each, and GPT-2's `vocab.bpe` a line for each merge, in the order of their ranks, behind the 256
single bytes. Either is checked by the digest of the first form.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from typing import TYPE_CHECKING

from trainer.data.fineweb.extras import require_package
from trainer.data.fineweb.layout import SEPARATOR
from trainer.errors import TrainerError

if TYPE_CHECKING:
    from pathlib import Path

    import tiktoken

# SHA-256 of r50k_base.tiktoken.
GPT2_SHA256 = "306cd27f03c1a714eca7108e03d66b7dc042abe8c258b44c199a7ed9838dd930"
# How GPT-2 cuts a text before it merges bytes.
PIECE_PATTERN = r"'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
MERGES_SUFFIX = ".bpe"

Ranks = dict[bytes, int]


def encoding_from(path: Path) -> tiktoken.Encoding:
    """Return GPT-2's encoding from `r50k_base.tiktoken`, or from `vocab.bpe`.

    Raises:
        TrainerError: tiktoken is not installed, or the file cannot be read or holds other ranks.
    """
    require_package("tiktoken")
    import tiktoken  # noqa: PLC0415 - an extra

    ranks = read_ranks(path)
    if sha256_of(ranks) != GPT2_SHA256:
        raise TrainerError(
            "these are not GPT-2's ranks",
            where=str(path),
            remedy="give r50k_base.tiktoken, or GPT-2's vocab.bpe",
        )
    return tiktoken.Encoding(
        name="gpt2",
        pat_str=PIECE_PATTERN,
        mergeable_ranks=ranks,
        special_tokens={"<|endoftext|>": SEPARATOR},
        explicit_n_vocab=SEPARATOR + 1,
    )


def read_ranks(path: Path) -> Ranks:
    """Read either form, told apart by the name's ending.

    Raises:
        TrainerError: the file cannot be read, or is of neither form.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
        return _merged(lines[1:]) if path.suffix == MERGES_SUFFIX else _listed(lines)
    except OSError as error:
        raise TrainerError(
            f"the ranks cannot be read ({error.strerror})",
            where=str(path),
            remedy="check the name",
        ) from error
    except (ValueError, KeyError, binascii.Error) as error:
        raise TrainerError(
            "this is not a file of ranks",
            where=str(path),
            remedy="give r50k_base.tiktoken, or GPT-2's vocab.bpe",
        ) from error


def sha256_of(ranks: Ranks) -> str:
    """Digest of the ranks as r50k_base.tiktoken writes them."""
    lines = sorted((rank, base64.b64encode(token).decode()) for token, rank in ranks.items())
    return hashlib.sha256("".join(f"{t} {r}\n" for r, t in lines).encode()).hexdigest()


def _listed(lines: list[str]) -> Ranks:
    pairs = (line.split() for line in lines)
    return {base64.b64decode(token, validate=True): int(rank) for token, rank in pairs}


def _merged(lines: list[str]) -> Ranks:
    letters = _letters()
    tokens = [bytes([byte]) for byte in letters.values()]
    for line in lines:
        first, second = line.split()
        tokens.append(bytes(letters[letter] for letter in first + second))
    return {token: rank for rank, token in enumerate(tokens)}


def _letters() -> dict[str, int]:
    """GPT-2's letter of each byte: the printable ones first, the others from U+0100 on."""
    printable = [byte for byte in range(256) if chr(byte).isprintable() and chr(byte) != " "]
    others = [byte for byte in range(256) if byte not in printable]
    letters = {chr(byte): byte for byte in printable}
    return letters | {chr(256 + number): byte for number, byte in enumerate(others)}
