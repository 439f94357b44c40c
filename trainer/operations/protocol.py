"""What the model asks of a set of operations."""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol, TypeAlias, TypeVar

from torch import Tensor

# What all layers of one pass share: who sees whom, with long and with short windows, in the form
# that a set of operations wants. The model passes it from `context` to the other operations and
# never looks inside.
Context = TypeVar("Context")
# Value embeddings in such a form, from `look_up` to `add_attention`.
Values = TypeVar("Values")


class Rotary(NamedTuple):
    """Cosines and signed sines of `attention.rotary_tables`, (length, E) each."""

    cos: Tensor
    sin: Tensor


class Heads(NamedTuple):
    """How a layer attends.

    Attributes:
        number: H.
        scale: what the scores are multiplied by.
        rotary: the tables.
    """

    number: int
    scale: float
    rotary: Rotary


class AttentionWeights(NamedTuple):
    """What a layer's attention has learned.

    Attributes:
        qkv: (3, D, D).
        out: (D, D), merges heads.
        mix: (l0, l1), shape (2,): v = l0 * v + l1 * value embedding.
    """

    qkv: Tensor
    out: Tensor
    mix: Tensor


class Mixed(NamedTuple):
    """What `mix_norm` makes of a residual stream: all (B, T, D).

    Attributes:
        x: the stream as the layer before left it, which a later layer may take as its skip.
        stream: the stream inside the layer, for `add_attention` or `add_mlp`.
        normed: `stream`, normalised.
        x0: the embedding, for the next layer.
        rstd: normed / stream of each token (B, T), where `stream` is room only and
            `add_attention` restores it; None where it is written.
    """

    x: Tensor
    stream: Tensor
    normed: Tensor
    x0: Tensor
    rstd: Tensor | None = None


class Operations(Protocol[Context, Values]):
    """The steps of a forward pass, each differentiable.

    A stream that is passed to `add_attention`, `add_mlp` or `norm` may be overwritten: go on with
    what they return.
    """

    def embed(self, table: Tensor, tokens: Tensor, context: Context) -> Tensor:
        """Normalised rows of `table` (vocabulary, D) for `tokens` (B, T): (B, T, D)."""

    def look_up(self, table: Tensor, tokens: Tensor) -> Values:
        """Value embeddings of `tokens`, for this pass, in the form that `add_attention` takes."""

    def mix_norm(
        self,
        x: Tensor,
        x0: Tensor,
        mix: Tensor,
        skip: Tensor | None,
        weight: Tensor | None,
        *,
        attends: bool,
    ) -> Mixed:
        """Open a layer: a * (x + weight * skip) + b * x0, and its norm.

        Args:
            x: (B, T, D).
            x0: (B, T, D).
            mix: the layer's (a, b), shape (2,).
            skip: (B, T, D); None with a weight stands for x itself.
            weight: of the skip, shape (); None where the layer takes none.
            attends: whether the result goes to `add_attention`.
        """

    def norm(self, stream: Tensor) -> tuple[Tensor, Tensor]:
        """The stream, to go on with, and its norm, (B, T, D) each."""

    def add_attention(
        self,
        mixed: Mixed,
        weights: AttentionWeights,
        value: Values | None,
        heads: Heads,
        context: Context,
        *,
        long: bool,
    ) -> Tensor:
        """The stream (B, T, D) plus softmax attention of H heads, merged by a product.

        Queries and keys are normalised and turned.

        Args:
            mixed: the stream and its norm.
            weights: of the layer.
            value: value embeddings from `look_up`, or None.
            heads: how many, and how they attend.
            context: of the pass.
            long: whether the layer has the long window.
        """

    def add_mlp(self, stream: Tensor, normed: Tensor | None, up: Tensor, down: Tensor) -> Tensor:
        """`stream` plus the MLP of its norm.

        Args:
            stream: (B, T, D).
            normed: its norm (B, T, D), or None where nobody has made it yet.
            up: (F, D), before ReLU squared.
            down: (D, F), behind it.
        """

    def loss(self, normed: Tensor, head: Tensor, targets: Tensor) -> Tensor:
        """Mean softcapped cross-entropy in nats per token, shape ().

        Args:
            normed: (B, T, D).
            head: weights (V, D).
            targets: (B, T).
        """

    def context(
        self, tokens: Tensor, documents: Tensor, block_size: int, windows: tuple[int, int]
    ) -> Context:
        """What the layers share, for tokens (B, T) in documents (B, T), windows in blocks."""

    def refresh(self) -> None:
        """Take notice that the optimizer has changed the weights."""


# The one place where these types are open: a model takes any operations.
AnyOperations: TypeAlias = Operations[Any, Any]
