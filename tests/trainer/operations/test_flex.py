from __future__ import annotations

import math

import pytest
import torch
from flex_attention import FlexMask, attend, attend_uncompiled, block_lists

from trainer.operations.masks import BlockMask, block_mask, dense_mask, token_rule

BLOCK = 128


def documents_of(length: int, mean: int, seed: int, device: torch.device) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return (torch.rand(1, length, generator=generator) < 1 / mean).cumsum(-1).to(device)


def dense_attention(
    q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, visible: torch.Tensor, scale: float
) -> torch.Tensor:
    """Of (T, H, E) under `visible` (T, T), as (T, H * E)."""
    scores = torch.einsum("qhe,khe->hqk", q, k) * scale
    weights = scores.masked_fill(~visible, -math.inf).softmax(-1)
    return torch.einsum("hqk,khe->qhe", weights, v).flatten(1)


def unlisted(counts: torch.Tensor, lists: torch.Tensor) -> list[list[list[int]]]:
    pairs = zip(counts[:, 0].tolist(), lists[:, 0].tolist(), strict=True)
    return [[row[:count] for count, row in zip(*sequence, strict=True)] for sequence in pairs]


@pytest.mark.parametrize("window", range(1, 15))
def test_the_lists_name_exactly_the_related_blocks_in_order(window: int) -> None:
    documents = documents_of(16 * 20, 40, window, torch.device("cpu"))
    mask = block_mask(documents, 16, window)
    lists = block_lists(mask)
    for relation, count, listed in (
        (mask.partial, lists.kv_count, lists.kv),
        (mask.full, lists.full_kv_count, lists.full_kv),
        (mask.partial.mT, lists.q_count, lists.q),
        (mask.full.mT, lists.full_q_count, lists.full_q),
    ):
        expected = [[row.nonzero()[:, 0].tolist() for row in sequence] for sequence in relation]
        assert unlisted(count, listed) == expected
        assert listed.is_contiguous()  # the kernels take it for granted


@pytest.mark.filterwarnings("ignore:flex_attention called without torch.compile")
def test_the_rule_for_single_tokens_is_causal_and_within_the_document() -> None:
    """Uncompiled, FlexAttention applies the rule everywhere and ignores the lists."""
    torch.manual_seed(4)
    window = 6
    documents = documents_of(window * BLOCK, 150, window, torch.device("cpu"))
    q, k, v = torch.randn(3, window * BLOCK, 2, 16)
    blocks = block_mask(documents, BLOCK, window)
    found = attend_uncompiled(q, k, v, documents, block_lists(blocks), BLOCK, 0.12)
    visible = dense_mask(blocks, token_rule(documents))[0]
    assert torch.allclose(found, dense_attention(q, k, v, visible, 0.12), atol=1e-5)


@pytest.mark.gpu
def test_compiled_attention_and_its_gradients_are_the_oracles_for_every_window(
    cuda: torch.device,
) -> None:
    """Compiled once: were a window to compile anew, the limit of 1 would raise."""
    length = 24 * BLOCK
    with torch._dynamo.config.patch(recompile_limit=1, fail_on_recompile_limit_hit=True):
        for window in range(1, 15):
            torch.manual_seed(window)
            documents = documents_of(length, 300, window, cuda)
            q, k, v = torch.randn(3, length, 2, 128, device=cuda).bfloat16()
            d = torch.randn(length, 256, device=cuda).bfloat16()
            inputs = [t.clone().requires_grad_() for t in (q, k, v)]
            blocks: BlockMask = block_mask(documents, BLOCK, window)
            found = attend(*inputs, FlexMask(documents, block_lists(blocks), BLOCK), 0.12)
            gradients = torch.autograd.grad(found, inputs, d)
            exact = [t.double().requires_grad_() for t in (q, k, v)]
            visible = dense_mask(blocks, token_rule(documents))[0]
            expected = dense_attention(*exact, visible, 0.12)
            wanted = torch.autograd.grad(expected, exact, d.double())
            for one, other in zip((found, *gradients), (expected, *wanted), strict=True):
                assert (one - other).norm() <= 0.01 * other.norm()
