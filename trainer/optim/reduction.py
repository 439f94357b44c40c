"""Gradients in flat buffers, summed over the ranks while the backward pass still runs.

A bucket holds the gradients of parameters that become complete together. They are views of one
buffer, so that zeroing a bucket is one fill and exchanging it one all-reduce.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from trainer.runtime.distributed import Pending, World

# A block's bucket is called by the number of its layer, these by their names.
HEAD, SCALARS, EMBEDDINGS = "head", "scalars", "embeddings"
Name = int | str


class GradientReducer:
    """Owns the `.grad` of all parameters, and their exchange.

    An exchange starts when the backward pass has left the layer, which a hook on the layer's input
    tells: autograd follows the latest operations first, so all of the layer's weights have their
    gradients by then. Hooks on the weights themselves would not do, since an operation that adds
    to `.grad` by itself never fires them.

    Args:
        buckets: the parameters of each bucket, of one dtype and device, in the order in which a
            backward pass completes them. All ranks start their exchanges in this order, as the
            collectives require.
        world: the ranks whose gradients are summed.
    """

    def __init__(self, buckets: Mapping[Name, Sequence[nn.Parameter]], world: World) -> None:
        self._world = world
        self._flat = {name: _flat_gradients(group) for name, group in buckets.items()}
        # What `.grad` has to stay: a gradient elsewhere would not be exchanged.
        self._views = [(p, p.grad) for group in buckets.values() for p in group]
        self._order = list(self._flat)
        self._pending: dict[Name, Pending] = {}
        self._waiting: list[Name] = []

    def zero(self) -> None:
        """Set every gradient to zero: one fill a bucket."""
        for flat in self._flat.values():
            flat.zero_()

    def watch(self, activation: Tensor, bucket: Name) -> None:
        """Take the gradient of `activation`, a layer's input, for the sign of its completion.

        Call it in the forward pass; it has no effect where no gradient is computed.
        """
        if self._world.size > 1 and activation.requires_grad:
            activation.register_hook(lambda _: self.complete(bucket))  # type: ignore[no-untyped-call]  # torch's own

    @contextmanager
    def last_backward(self) -> Iterator[None]:
        """Let the buckets of this backward pass, a step's last one, go as they are complete.

        On leaving, all of them are on their way.

        Raises:
            RuntimeError: somebody has put another tensor in the place of a `.grad`.
        """
        self._waiting = list(self._order)
        yield
        if any(parameter.grad is not view for parameter, view in self._views):
            raise RuntimeError("a gradient has left the buffer that the ranks exchange")
        if self._waiting:
            self.complete(self._waiting[-1])

    def complete(self, bucket: Name) -> None:
        """Start the exchange of a bucket and of all before it; nothing in earlier passes."""
        while bucket in self._waiting:
            name = self._waiting.pop(0)
            self._pending[name] = self._world.start_sum(self._flat[name])

    def wait(self, bucket: Name) -> None:
        """Return when the bucket's gradients are the sums over all ranks."""
        if bucket in self._pending:
            self._pending.pop(bucket).wait()


def _flat_gradients(parameters: Sequence[nn.Parameter]) -> Tensor:
    """Make every `.grad` a view of one buffer of zeros, which is returned."""
    flat = parameters[0].new_zeros(sum(parameter.numel() for parameter in parameters))
    views = torch.split(flat, [parameter.numel() for parameter in parameters])
    for parameter, view in zip(parameters, views, strict=True):
        parameter.grad = view.view_as(parameter)
    return flat
