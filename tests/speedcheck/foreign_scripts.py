"""Foreign trainers for tests: programs that print or write what public ones do."""

from __future__ import annotations

import textwrap

# As the public programs do: its own text and its lines go to logs/UUID.txt, the data is read by a
# relative path, and rank 0 alone writes. With several ranks all of them take part in a sum.
PUBLIC = textwrap.dedent(
    """
    import os, random, sys, uuid
    with open(sys.argv[0]) as f:
        code = f.read()
    rank, world = int(os.environ.get("RANK", 0)), int(os.environ.get("WORLD_SIZE", 1))
    shift = float(open("data/shift.txt").read())
    if world > 1:
        import torch
        import torch.distributed as dist
        dist.init_process_group("gloo")
        total = torch.tensor([rank + 1.0])
        dist.all_reduce(total)
        shift += total.item()
        dist.destroy_process_group()
    seed = os.environ.get("SEED") or (sys.argv[sys.argv.index("--seed") + 1]
                                      if "--seed" in sys.argv else None)
    rng = random.Random(seed)
    os.makedirs("logs", exist_ok=True)
    name = f"logs/{uuid.uuid4()}.txt"

    def print0(text):
        if rank == 0:
            print(text, flush=True)
            with open(name, "a") as f:
                print(text, file=f)

    if rank == 0:
        with open(name, "a") as f:
            f.write(code + "=" * 100 + "\\n")
    print0("Running Python 3.12.7 compiled for CUDA 12.6")
    print0("=" * 100)
    time = 0.0
    for step in range(5):
        if step in (0, 4):
            loss = 5 + shift - 0.45 * step + rng.gauss(0, 0.001)
            print0(f"step:{step}/4 val_loss:{loss:.6f} train_time:{time:.0f}ms step_avg:1.00ms")
        time += 10 + rng.random()
        if step < 4:
            print0(f"step:{step + 1}/4 train_time:{time:.0f}ms step_avg:1.00ms")
    """
)

FINAL = "step:{0}/4 val_loss:{1} train_time:{2}ms step_avg:1.00ms"


def printing(*lines: str, status: int = 0) -> str:
    """A program that prints lines and exits."""
    return (
        "import os, sys\nseed = os.environ.get('SEED', '0')\n"
        + "".join(f"print(f'{line}')\n" for line in lines)
        + f"sys.exit({status})\n"
    )
