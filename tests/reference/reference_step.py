"""The whole training step as the specification's page says it: plain PyTorch, one matrix at a time.

Nothing of the trainer computes here: dense masks from the rule's one sentence, softmax and
cross-entropy spelled out, Muon a matrix at a time, Adam torch's own. Only the weights of a `GPT`
are read, once. Depth is any that the recipes allow; the layout of depths 6 and 12 is written out.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from trainer.config import ModelConfig
from trainer.model import GPT

LONG = {6: {0, 1, 4, 5}, 12: {0, 4, 7, 11}}
WITHOUT_ATTENTION = {6: 4, 12: 7}
VALUE_TABLE = {6: {0: 0, 5: 0}, 12: {0: 0, 1: 1, 2: 2, 9: 0, 10: 1, 11: 2}}


def rms(x: Tensor, eps: float) -> Tensor:
    return x / (x.square().mean(-1, keepdim=True) + eps).sqrt()


def visible(tokens: Tensor, separator: int, block: int, window: int) -> Tensor:
    """(T, T) of [query, key]."""
    position = torch.arange(len(tokens), device=tokens.device)
    document = (tokens == separator).cumsum(0)
    q, k = position[:, None], position[None, :]
    return (k <= q) & (document[:, None] == document[None, :]) & (q // block - k // block < window)


def turned(x: Tensor) -> Tensor:
    """Rotary embedding of (T, H, E)."""
    length, _, size = x.shape
    quarter = size // 4
    frequency = torch.zeros(size // 2, dtype=torch.float32, device=x.device)
    frequency[:quarter] = (1 / 1024) ** torch.linspace(0, 1, quarter, device=x.device)
    angle = torch.arange(length, dtype=torch.float32, device=x.device)[:, None] * frequency
    cos, sin = angle.cos()[:, None].to(x.dtype), angle.sin()[:, None].to(x.dtype)
    x1, x2 = x[..., : size // 2], x[..., size // 2 :]
    return torch.cat([x1 * cos + x2 * sin, x2 * cos - x1 * sin], -1)


@dataclass
class Reference:
    """The network and its optimizers on copies of a model's weights.

    Args:
        config: its shape.
        weights: by the names of `GPT.named_parameters`.
        separator: token that opens a document.
    """

    config: ModelConfig
    weights: dict[str, Tensor]
    separator: int

    @classmethod
    def of(cls, model: GPT, separator: int, dtype: torch.dtype) -> Reference:
        weights = {
            name: p.detach().to(dtype, copy=True).requires_grad_()
            for name, p in model.named_parameters()
        }
        return cls(model.config, weights, separator)

    def logits(self, tokens: Tensor, window: tuple[int, int]) -> Tensor:
        """(T, V) for one sequence (T,)."""
        w, c = self.weights, self.config
        masks = [visible(tokens, self.separator, c.block_size, blocks) for blocks in window]
        x0 = x = rms(w["embedding.weight"][tokens], c.norm_eps)
        outputs: list[Tensor] = []
        attending = 0
        for layer in range(c.depth):
            if layer >= c.depth // 2:
                mirror = c.depth - 1 - layer
                x = x + w["skip_weights"][layer - c.depth // 2] * outputs[mirror]
            x = w["residual_mix"][layer, 0] * x + w["residual_mix"][layer, 1] * x0
            if layer != WITHOUT_ATTENTION[c.depth]:
                mask = masks[0 if layer in LONG[c.depth] else 1]
                x = x + self._attention(rms(x, c.norm_eps), layer, attending, tokens, mask)
                attending += 1
            hidden = (rms(x, c.norm_eps) @ w[f"blocks.{layer}.mlp.up"].T).clamp(min=0) ** 2
            x = x + hidden @ w[f"blocks.{layer}.mlp.down"].T
            outputs.append(x)
        z = rms(x, c.norm_eps) @ w["head"].T
        return 30 / (1 + torch.exp(-z / 7.5))

    def _attention(
        self, x: Tensor, layer: int, attending: int, tokens: Tensor, mask: Tensor
    ) -> Tensor:
        w, heads = self.weights, self.config.heads
        q, k, v = (x @ m.T for m in w[f"blocks.{layer}.attention.qkv"])
        l0, l1 = w["value_mix"][attending]
        v = l0 * v
        table = VALUE_TABLE[self.config.depth].get(layer)
        if table is not None:
            v = v + l1 * w[f"value_embeddings.{table}.weight"][tokens]
        q, k, v = (t.view(len(tokens), heads, -1) for t in (q, k, v))
        q, k = (turned(rms(t, self.config.norm_eps)) for t in (q, k))
        scores = torch.einsum("qhe,khe->hqk", q, k) * self.config.softmax_scale
        weights = scores.masked_fill(~mask, -math.inf).softmax(-1)
        attended = torch.einsum("hqk,khe->qhe", weights, v)
        return attended.flatten(1) @ w[f"blocks.{layer}.attention.out"].T

    def loss(self, tokens: Tensor, targets: Tensor, window: tuple[int, int]) -> Tensor:
        """Mean over one sequence (T,)."""
        logits = self.logits(tokens, window)
        return (logits.logsumexp(-1) - logits.gather(-1, targets[:, None])[:, 0]).mean()


def newton_schulz(matrix: Tensor, dtype: torch.dtype) -> Tensor:
    """One matrix (rows, cols)."""
    x = matrix.to(dtype)
    if x.shape[0] > x.shape[1]:
        x = x.T
    x = x / (x.norm() + 1e-7)
    for _ in range(5):
        a = x @ x.T
        x = 3.4445 * x + (-4.7750 * a + 2.0315 * a @ a) @ x
    return x.T if matrix.shape[0] > matrix.shape[1] else x


class ReferenceOptimizers:
    """torch.optim.Adam and Muon, one matrix at a time."""

    def __init__(self, reference: Reference, rates: dict[str, float], dtype: torch.dtype) -> None:
        weights = reference.weights
        self.dtype = dtype
        self.muon_lr = rates["muon"]
        self.matrices = [w for name, w in weights.items() if name.startswith("blocks.")]
        self.buffers = [torch.zeros_like(w) for w in self.matrices]
        groups: list[tuple[Callable[[str], bool], float]] = [
            (lambda name: name == "head", rates["head"]),
            (lambda name: name.endswith("embedding.weight"), rates["embedding"]),
            (lambda name: name.startswith("value_embeddings"), rates["embedding"]),
            (lambda name: name.endswith(("_mix", "skip_weights")), rates["scalar"]),
        ]
        self.adam = torch.optim.Adam(
            [
                {"params": [w for name, w in weights.items() if belongs(name)], "lr": lr}
                for belongs, lr in groups
            ],
            betas=(0.8, 0.95),
            eps=1e-10,
        )
        self.rates = [group["lr"] for group in self.adam.param_groups]

    @torch.no_grad()
    def step(self, multiplier: float, momentum: float) -> None:
        for group, rate in zip(self.adam.param_groups, self.rates, strict=True):
            group["lr"] = rate * multiplier
        self.adam.step()
        for weight, buffer in zip(self.matrices, self.buffers, strict=True):
            assert weight.grad is not None
            buffer.mul_(momentum).add_(weight.grad, alpha=1 - momentum)
            ahead = (1 - momentum) * weight.grad + momentum * buffer
            scale = math.sqrt(max(1, weight.shape[-2] / weight.shape[-1]))
            rows = weight.view(-1, *weight.shape[-2:])
            for matrix, u in zip(rows, ahead.view_as(rows), strict=True):
                update = newton_schulz(u, self.dtype).to(weight.dtype)
                matrix.sub_(update, alpha=self.muon_lr * multiplier * scale)
        self.adam.zero_grad()
        for weight in self.matrices:
            weight.grad = None
