"""The tiny recipe's corpus, made by the project itself: a language whose facts come back.

The first document of the training text begins

    bl3Mpn3M0C5Vpvo4Qfdxsp2Kvo1Fboqwuct2Kbl1Ffdiediqoqblth3M

Small letters are filler with local statistics: each may be followed by four others only, one of
them in 60 % of the cases. A digit asks for one of six facts and the capital behind it answers:
each fact has four capitals of its own (fact 3 has M, N, O and P), of which `3M` tells the one
that holds here. From then on this document answers `3` with `M`, whether soon (the second `3M`
stands 4 bytes on) or late (the third stands 48 bytes further, beyond the short attention window
and within the long one), until the fact is left alone for so long that it is told anew.

So a model with long windows can know the answers that one with short windows has to guess.
`language` holds the rules, `writer` draws documents from them, `files` keeps the shards, and
`entropy` computes how well any reader can do.
"""

from trainer.corpus.config import CorpusConfig
from trainer.corpus.files import CorpusPaths, ensure_corpus

__all__ = ["CorpusConfig", "CorpusPaths", "ensure_corpus"]
