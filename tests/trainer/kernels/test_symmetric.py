from __future__ import annotations

import pytest
import torch

from trainer.kernels import symmetric
from trainer.kernels.symmetric import symmetric_product


@pytest.fixture(autouse=True)
def small_tiles(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    """Several tiles of small matrices, the last ones cut."""
    if "cuda" not in request.fixturenames:
        monkeypatch.setattr(symmetric, "TILE", 16)
        monkeypatch.setattr(symmetric, "TILE_K", 16)


@pytest.mark.parametrize(
    ("dtype", "tolerance"),
    # bfloat16 keeps 8 bits, and the interpreter cuts the others off: up to 2^-7 of the result.
    [(torch.float32, 1e-6), (torch.bfloat16, 2**-7)],
)
@pytest.mark.parametrize("rows", [16, 40])
@pytest.mark.parametrize("columns", [16, 37])
@pytest.mark.parametrize("turned", [False, True])
def test_the_product_is_that_of_the_matrix_with_its_transpose(
    device: torch.device,
    dtype: torch.dtype,
    tolerance: float,
    rows: int,
    columns: int,
    turned: bool,
) -> None:
    torch.manual_seed(rows + columns)
    shape = (columns, rows) if turned else (rows, columns)
    x = torch.randn(2, *shape, device=device).to(dtype)
    x = x.mT if turned else x
    out = symmetric_product(x)
    exact = x.double() @ x.double().mT
    assert out.dtype == dtype
    assert torch.allclose(out.double(), exact, rtol=tolerance, atol=1e-5)
    assert torch.equal(out[:, 16:, :16], out[:, :16, 16:].mT)


def test_an_addend_is_added_before_rounding(device: torch.device) -> None:
    torch.manual_seed(0)
    gram = symmetric_product(torch.randn(3, 40, 20, device=device))
    out = symmetric_product(gram, gram, alpha=2.0315, beta=-4.7750)
    exact = 2.0315 * gram.double() @ gram.double() - 4.7750 * gram.double()
    assert torch.allclose(out.double(), exact, rtol=1e-5, atol=1e-3)


def test_an_addend_of_another_shape_is_refused(device: torch.device) -> None:
    x = torch.ones(1, 16, 16, device=device)
    with pytest.raises(ValueError, match="no contiguous addend"):
        symmetric_product(x, x[:, :8], alpha=1.0, beta=1.0)


@pytest.mark.gpu
@pytest.mark.parametrize("shape", [(44, 768, 768), (24, 768, 3072)])
def test_on_the_card_it_agrees_at_full_size(cuda: torch.device, shape: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    x = torch.randn(shape, device=cuda, dtype=torch.bfloat16)
    gram = symmetric_product(x)
    exact = x[:3].double() @ x[:3].double().mT
    assert (gram[:3].double() - exact).norm() < 3e-3 * exact.norm()
    assert torch.equal(symmetric_product(x), gram)
    turned = x.mT.contiguous().mT
    assert (symmetric_product(turned)[:3].double() - exact).norm() < 3e-3 * exact.norm()
