"""The tiny recipe's corpus, made by the project itself: a language whose facts come back.

The first document of the training text begins

    bl1Npn1N0Hvnbltcmnblthrfdxagmnboblthrfhiagvoblt1N0H1Nfdiekmcfhi1N

Small letters are filler with local statistics: each may be followed by four others only, one of
them in 60 % of the cases. A digit asks for one of two facts and the capital behind it answers:
each fact has twelve capitals of its own (fact 0 has A to L, fact 1 has M to X), of which `1N`
tells the one that holds here. From then on this document answers `1` with `N`, whether soon (the
second `1N` stands 4 bytes on) or late (the third stands 41 bytes further, beyond the short
attention window and within the long one), until the fact is left alone for so long that it is
told anew.

So a model with long windows can know the answers that one with short windows has to guess.
`language` holds the rules, `writer` draws documents from them, `files` keeps the shards, and
`entropy` computes how well any reader can do.
"""

from trainer.data.corpus.config import CorpusConfig
from trainer.data.corpus.files import CorpusPaths, ensure_corpus

__all__ = ["CorpusConfig", "CorpusPaths", "ensure_corpus"]
