"""Gradients in flat buffers, summed over the ranks while the backward pass still runs.

A bucket holds the gradients of parameters that become complete together. They are views of one
buffer, so that zeroing a bucket is one fill and exchanging it one collective: an all-reduce, or a
reduce-scatter where each rank updates its share of the bucket alone.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager

from torch import Tensor, nn

from trainer.optim.flat import flat_gradients
from trainer.runtime.distributed import Pending, World

# A block's bucket is called by the number of its layer, these by their names.
HEAD, SCALARS, EMBEDDINGS = "head", "scalars", "embeddings"
Name = int | str


def values_of(layer: int) -> str:
    """Name of the bucket of the value embeddings that `layer` is the first to read."""
    return f"values of layer {layer}"


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
        shared: buckets whose sums a rank needs for its own share only (`World.share_of`).
    """

    def __init__(
        self,
        buckets: Mapping[Name, Sequence[nn.Parameter]],
        world: World,
        shared: Collection[Name] = (),
    ) -> None:
        self._world = world
        self._shared = shared
        self._flat = {name: flat_gradients(group, world.size) for name, group in buckets.items()}
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
            start = (
                self._world.start_scattered_sum if name in self._shared else self._world.start_sum
            )
            self._pending[name] = start(self._flat[name])

    def wait(self, bucket: Name) -> None:
        """Return when the bucket's gradients, or this rank's share, are the sums over all ranks."""
        if bucket in self._pending:
            self._pending.pop(bucket).wait()

    def share(self, bucket: Name) -> Tensor:
        """This rank's share of a bucket's gradients, a view."""
        return self._world.share_of(self._flat[bucket])
