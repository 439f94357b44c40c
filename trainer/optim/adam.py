"""Adam with bias correction and neither weight decay nor clipping; dense over all rows.

Written out because constructing `torch.optim.Adam` loads torch's compiler, which costs a run of
seconds more than a tenth of its time. The tests hold it to torch's.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from trainer.optim.flat import flat_values
from trainer.runtime.distributed import Pending, World

BETA1, BETA2 = 0.8, 0.95
EPS = 1e-10


class Adam:
    """The optimizer of parameters that share a learning rate, which is given at every step.

    With m = b1*m + (1-b1)*g and v = b2*v + (1-b2)*g*g at step t, a weight moves by
    -lr * m/(1-b1^t) / (sqrt(v/(1-b2^t)) + eps). Moments have the dtype of their parameter.

    Args:
        parameters: of any shapes, all of one dtype if fused.
        fused: compute each weight in one pass, in float32 at least, and round the results only.
            Otherwise every term is a pass of its own and rounded to the parameters' dtype.
    """

    def __init__(self, parameters: Sequence[Tensor], *, fused: bool = False) -> None:
        self.parameters: list[Tensor] = list(parameters)
        self._fused = fused
        self._first = [torch.zeros_like(parameter) for parameter in self.parameters]
        self._second = [torch.zeros_like(parameter) for parameter in self.parameters]
        # Fused, the kernel reads it where the parameters are; else the program does.
        device = self.parameters[0].device if fused else torch.device("cpu")
        self._steps = torch.zeros((), dtype=torch.float32, device=device)

    @torch.no_grad()
    def step(self, *, lr: float) -> None:
        """One update from the gradients in `.grad`, which every parameter must have."""
        self._steps += 1
        gradients = [p.grad for p in self.parameters if p.grad is not None]
        if self._fused:
            self._update_in_one_pass(gradients, lr)
        else:
            self._update_term_by_term(gradients, lr)

    def _update_term_by_term(self, gradients: list[Tensor], lr: float) -> None:
        steps = int(self._steps)
        torch._foreach_lerp_(self._first, gradients, 1 - BETA1)
        torch._foreach_mul_(self._second, BETA2)
        torch._foreach_addcmul_(self._second, gradients, gradients, 1 - BETA2)
        spread = torch._foreach_sqrt(self._second)
        torch._foreach_div_(spread, math.sqrt(1 - BETA2**steps))
        torch._foreach_add_(spread, EPS)
        rate = -lr / (1 - BETA1**steps)
        torch._foreach_addcdiv_(self.parameters, self._first, spread, rate)

    def _update_in_one_pass(self, gradients: list[Tensor], lr: float) -> None:
        torch._fused_adam_(
            self.parameters,
            gradients,
            self._first,
            self._second,
            [],  # of AMSGrad, which this is not
            [self._steps] * len(gradients),
            lr=lr,
            beta1=BETA1,
            beta2=BETA2,
            weight_decay=0.0,
            eps=EPS,
            amsgrad=False,
            maximize=False,
        )


class SharedAdam:
    """Adam whose work and moments the ranks divide: each updates its share of the weights.

    Args:
        parameters: of one dtype and device; their values move into one buffer.
        gradients: of this rank's share of that buffer, to be filled before each step.
        world: the ranks; all must call `start_step` together.
        lr: at multiplier 1.
    """

    def __init__(
        self, parameters: Sequence[nn.Parameter], gradients: Tensor, world: World, lr: float
    ) -> None:
        self._world = world
        self._lr = lr
        self._weights = flat_values(parameters, world.size)
        share = world.share_of(self._weights)
        share.grad = gradients
        self._adam = Adam([share], fused=world.device.type == "cuda")

    def start_step(self, multiplier: float) -> Pending:
        """Update this rank's share, and start collecting those of the others."""
        self._adam.step(lr=self._lr * multiplier)
        return self._world.start_sharing(self._weights)
