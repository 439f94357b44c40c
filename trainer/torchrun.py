"""`python -m trainer.torchrun`: torchrun that ends with its launcher, also while it starts."""

from __future__ import annotations

from trainer.runtime.tether import tether

if __name__ == "__main__":
    tether()
    # Takes seconds, in which a launcher may die.
    from torch.distributed.run import main

    main()
