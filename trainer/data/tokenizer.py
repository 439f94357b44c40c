"""The byte-level tokenizer of the tiny recipe: a tiktoken Encoding built here, never downloaded.

Token ids 0 to 255 are the byte values themselves; 256 is `<|endoftext|>`, which stands at the
start of each document, as in FineWeb's GPT-2 shards.
"""

from __future__ import annotations

from functools import cache

import tiktoken

END_OF_TEXT = "<|endoftext|>"
SEPARATOR = 256
VOCAB_SIZE = 257

# One piece for each character, newlines included. There are no merges, so the cut makes no
# difference to the tokens; it leaves tiktoken no long piece to search for merges.
PIECE_PATTERN = r"(?s:.)"


@cache
def byte_encoding() -> tiktoken.Encoding:
    """Return the Encoding with one token a byte and `<|endoftext|>` as its only special token.

    `encode_ordinary` never yields the separator; `encode` does so only for callers that pass
    `allowed_special={"<|endoftext|>"}`, and raises ValueError on the marker otherwise.
    """
    return tiktoken.Encoding(
        name="bytes",
        pat_str=PIECE_PATTERN,
        mergeable_ranks={bytes([value]): value for value in range(256)},
        special_tokens={END_OF_TEXT: SEPARATOR},
        explicit_n_vocab=VOCAB_SIZE,
    )
