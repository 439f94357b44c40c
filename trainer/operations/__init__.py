"""What a layer computes, in two ways with one meaning.

`plain` is PyTorch as one would write it down; autograd finds the gradients. `fused` runs the same
mathematics on CUDA in bfloat16 through the kernels of `trainer.kernels`, with gradients of its
own. The model calls either through the protocol below and does not know which.

Shapes: B sequences, T tokens, D features, H heads, E = D / H features of a head, F = 4 D,
V rows of the head.
"""

from trainer.operations.protocol import AnyOperations, Operations

__all__ = ["AnyOperations", "Operations"]
