"""The network: a GPT with a U-Net of skips, value embeddings and softcapped logits.

The weights and the order of the steps are here; `operations` computes the steps.

Shapes: B sequences, T tokens, D features, V = head_rows.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn

from trainer import layout
from trainer.config import ModelConfig
from trainer.operations.plain import PlainOperations, logits
from trainer.operations.protocol import AnyOperations, AttentionWeights, Heads, Rotary
from trainer.operations.rotary import rotary_tables

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float64": torch.float64}

Watch = Callable[[Tensor, int | str], None]


class Attention(nn.Module):
    """Weights of multi-head attention; Q, K and V are one weight of three matrices (3, D, D)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.qkv = nn.Parameter(torch.empty(3, width, width))
        self.out = nn.Parameter(torch.zeros(width, width))


class MLP(nn.Module):
    """Weights D -> 4D (`up`) and 4D -> D (`down`)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.up = nn.Parameter(torch.empty(4 * width, width))
        self.down = nn.Parameter(torch.zeros(width, 4 * width))


class Block(nn.Module):
    """The weights of one layer; `attention` is None in the layer that has none."""

    def __init__(self, config: ModelConfig, layer: int) -> None:
        super().__init__()
        attends = layer != layout.attention_free_layer(config.depth)
        self.attention = Attention(config.width) if attends else None
        self.mlp = MLP(config.width)


class GPT(nn.Module):
    """The whole network.

    Scalars live in three tensors: `residual_mix` (depth, 2) holds each block's (a, b), `value_mix`
    (attention layers, 2) each attention's (l0, l1), `skip_weights` (depth / 2) the U-Net's w.

    Args:
        config: the shape of the network.
        max_length: tokens of the longest sequence, for the rotary tables.
        operations: how it computes; plain PyTorch unless told.
    """

    cos: Tensor
    sin: Tensor

    def __init__(
        self, config: ModelConfig, max_length: int, operations: AnyOperations | None = None
    ) -> None:
        super().__init__()
        depth, tables = config.depth, layout.value_tables(config.depth)
        self.config = config
        self.operations: AnyOperations = operations or PlainOperations(
            DTYPES[config.dtype], config.norm_eps
        )
        self.embedding = _embedding(config)
        self.value_embeddings = nn.ModuleList(_embedding(config) for _ in range(tables))
        self.blocks = nn.ModuleList(Block(config, layer) for layer in range(depth))
        self.head = nn.Parameter(torch.zeros(config.head_rows, config.width))
        self.residual_mix = nn.Parameter(torch.tensor([1.0, 0.0]).repeat(depth, 1))
        self.value_mix = nn.Parameter(torch.full((len(self.attentions), 2), 0.5))
        self.skip_weights = nn.Parameter(torch.ones(depth // 2))
        cos, sin = rotary_tables(max_length, config.head_dim)
        self.register_buffer("cos", cos, persistent=False)
        self.register_buffer("sin", sin, persistent=False)
        for weight in (*(a.qkv for a in self.attentions), *(mlp.up for mlp in self.mlps)):
            _initialise(weight)

    @property
    def attentions(self) -> list[Attention]:
        """The attentions of those layers that have one, in order."""
        return [block.attention for block in self.layers if block.attention is not None]

    @property
    def mlps(self) -> list[MLP]:
        """The MLPs of all layers."""
        return [block.mlp for block in self.layers]

    @property
    def layers(self) -> list[Block]:
        """The blocks, in order."""
        return [block for block in self.blocks if isinstance(block, Block)]

    @property
    def tables(self) -> list[nn.Parameter]:
        """The embedding and then the value embeddings, (vocabulary, D) each."""
        return [*self.embedding.parameters(), *self.value_embeddings.parameters()]

    def hidden_matrices(self) -> Iterator[nn.Parameter]:
        """The weights that Muon updates: all matrices between the embeddings and the head."""
        for module in (*self.attentions, *self.mlps):
            yield from module.parameters()

    def context(self, tokens: Tensor, documents: Tensor, windows: tuple[int, int]) -> object:
        """What the layers share in a pass over `tokens` (B, T), whose documents are numbered."""
        return self.operations.context(tokens, documents, self.config.block_size, windows)

    def refresh(self) -> None:
        """Take notice that the weights have changed; to be called after every update."""
        self.operations.refresh()

    def forward(
        self, tokens: Tensor, targets: Tensor, context: object, watch: Watch | None = None
    ) -> Tensor:
        """Mean cross-entropy of `targets` (B, T), in nats per token.

        Args:
            tokens: (B, T).
            targets: (B, T).
            context: from `context`, for these tokens.
            watch: called with the input of each layer but the first and the layer's number, and
                with that of the last norm and "head".
        """
        return self.operations.loss(self.features(tokens, context, watch), self.head, targets)

    def logits(self, tokens: Tensor, context: object) -> Tensor:
        """Softcapped logits (B, T, V), in float32 at least."""
        return logits(self.features(tokens, context), self.head)

    def features(self, tokens: Tensor, context: object, watch: Watch | None = None) -> Tensor:
        """What the head sees: the normalised stream after the last block, (B, T, D)."""
        operations, half = self.operations, self.config.depth // 2
        stream = x0 = operations.embed(self.embedding.weight, tokens, context)
        values: dict[int, object] = {}
        heads = Heads(self.config.heads, self.config.softmax_scale, Rotary(self.cos, self.sin))
        skips: list[Tensor] = []
        # Scalars are taken out at once: one node in the graph rather than one for each.
        residual_mix = self.residual_mix.unbind()
        skip_weights = self.skip_weights.unbind()
        value_mix = iter(self.value_mix.unbind())
        for layer, block in enumerate(self.layers):
            if watch is not None and layer > 0:
                watch(stream, layer)
            # Layer `half` mirrors the one before it, whose output is its own input.
            mixed = operations.mix_norm(
                stream,
                x0,
                residual_mix[layer],
                skips.pop() if layer > half else None,
                skip_weights[layer - half] if layer >= half else None,
                attends=block.attention is not None,
            )
            stream, x0 = mixed.stream, mixed.x0
            if 0 < layer < half:
                skips.append(mixed.x)
            normed: Tensor | None = mixed.normed
            if block.attention is not None:
                table = layout.value_table_of(layer, self.config.depth)
                if table is not None and table not in values:
                    # Here, not before the layers: its gradient is then complete with this layer's.
                    values[table] = operations.look_up(self.tables[1 + table], tokens)
                value = None if table is None else values[table]
                stream = operations.add_attention(
                    mixed,
                    AttentionWeights(block.attention.qkv, block.attention.out, next(value_mix)),
                    value,
                    heads,
                    context,
                    long=self._is_long(layer),
                )
                # The stream is another one now.
                normed = None
            stream = operations.add_mlp(stream, normed, block.mlp.up, block.mlp.down)
        if watch is not None:
            watch(stream, "head")
        return operations.norm(stream)[1]

    def _is_long(self, layer: int) -> bool:
        windows = self.config.windows
        return windows == "all-long" or (
            windows == "long-short" and layer in layout.long_layers(self.config.depth)
        )


def _embedding(config: ModelConfig) -> nn.Embedding:
    """A table of standard normal rows."""
    return nn.Embedding(config.vocab_size, config.width, dtype=DTYPES[config.dtype])


@torch.no_grad()
def _initialise(weight: Tensor) -> None:
    """Uniform, with a standard deviation of half the usual 1/sqrt(fan_in)."""
    bound = math.sqrt(3) * 0.5 / math.sqrt(weight.shape[-1])
    weight.uniform_(-bound, bound)
