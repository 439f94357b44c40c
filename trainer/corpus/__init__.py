"""The tiny recipe's corpus, made by the project itself."""

from trainer.corpus.config import CorpusConfig
from trainer.corpus.shards import CorpusPaths, ensure_corpus

__all__ = ["CorpusConfig", "CorpusPaths", "ensure_corpus"]
