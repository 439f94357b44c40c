"""Dummy data for the warm-up: of the right shape, and of nothing else."""

from __future__ import annotations

import numpy as np

from trainer.config import DataConfig
from trainer.data.stream import TokenStream, ValidationSet

# FineWeb's documents have a median of about 400 tokens.
DOCUMENT_TOKENS = 400


def dummy_data(data: DataConfig) -> tuple[TokenStream, ValidationSet]:
    """One step's tokens, drawn alike from all but the separator, to train and to validate on."""
    span = data.sequences_per_step * data.sequence_length
    tokens = np.random.default_rng(0).integers(data.separator, size=span + 2, dtype=np.uint16)
    tokens[::DOCUMENT_TOKENS] = data.separator
    stream = TokenStream(
        [tokens],
        sequences_per_step=data.sequences_per_step,
        sequence_length=data.sequence_length,
    )
    return stream, ValidationSet(tokens, val_tokens=span, sequence_length=data.sequence_length)
