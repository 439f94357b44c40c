"""Adam with bias correction and neither weight decay nor clipping; dense over all rows.

Written out because constructing `torch.optim.Adam` loads torch's compiler, which costs a run of
seconds more than a tenth of its time. The tests hold it to torch's.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

BETA1, BETA2 = 0.8, 0.95
EPS = 1e-10


class Adam:
    """The optimizer of parameters that share a learning rate, which is given at every step.

    With m = b1*m + (1-b1)*g and v = b2*v + (1-b2)*g*g at step t, a weight moves by
    -lr * m/(1-b1^t) / (sqrt(v/(1-b2^t)) + eps). Moments have the dtype of their parameter.

    Args:
        parameters: of any shapes and dtypes.
    """

    def __init__(self, parameters: Sequence[Tensor]) -> None:
        self.parameters: list[Tensor] = list(parameters)
        self._first = [torch.zeros_like(parameter) for parameter in self.parameters]
        self._second = [torch.zeros_like(parameter) for parameter in self.parameters]
        self._steps = 0

    @torch.no_grad()
    def step(self, *, lr: float) -> None:
        """One update from the gradients in `.grad`, which every parameter must have."""
        self._steps += 1
        gradients = [p.grad for p in self.parameters if p.grad is not None]
        torch._foreach_lerp_(self._first, gradients, 1 - BETA1)
        torch._foreach_mul_(self._second, BETA2)
        torch._foreach_addcmul_(self._second, gradients, gradients, 1 - BETA2)
        spread = torch._foreach_sqrt(self._second)
        torch._foreach_div_(spread, math.sqrt(1 - BETA2**self._steps))
        torch._foreach_add_(spread, EPS)
        rate = -lr / (1 - BETA1**self._steps)
        torch._foreach_addcdiv_(self.parameters, self._first, spread, rate)
