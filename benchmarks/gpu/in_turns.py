"""Time whole steps of two trees of the trainer in turns, on the same cards.

    python -m benchmarks.gpu.in_turns --data-dir D --ranks 2 BEFORE AFTER

BEFORE and AFTER are folders that hold a `trainer` each. Both train at the same time on synthetic
shards, and every second round goes in reversed order: cards differ, and one that warms up favors
what comes first. Printed are milliseconds of a step at the largest window, with all sequences and
with one a rank, and the ratios of AFTER to BEFORE: of the medians, and of single rounds.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from statistics import median

TREES = 2
ROUNDS = 6
STEP = 1385
# Timed steps of a round, behind as many that are not.
STEPS = {"all": 3, "one a rank": 10}
POLL_S = 0.01
ROOT = Path(__file__).resolve().parents[2]
Times = dict[str, list[float]]


def turns_of(number: int) -> list[int]:
    """The places of tree `number`, of two, in the order of all rounds."""
    return [2 * turn + (number + turn) % 2 for turn in range(ROUNDS)]


def wait_for(counter: Path, turn: int, alive: Callable[[], None]) -> None:
    """Return when it is that turn."""
    while not counter.exists() or int(counter.read_text() or -1) < turn:
        alive()
        time.sleep(POLL_S)


def train_in_turns(number: int, folder: Path, data_dir: Path) -> None:
    """One rank of one tree: take its turns, and let rank 0 write the times."""
    # These come from the tree under test.
    from trainer.config import RECIPES  # noqa: PLC0415
    from trainer.data.sources import find_data  # noqa: PLC0415
    from trainer.data.stream import TokenStream  # noqa: PLC0415
    from trainer.run import make_deterministic, open_run  # noqa: PLC0415
    from trainer.runtime.clock import Clock  # noqa: PLC0415
    from trainer.runtime.distributed import open_world  # noqa: PLC0415
    from trainer.train import start, train_step  # noqa: PLC0415

    recipe, short = RECIPES["sub3"], RECIPES["sub3"].with_steps(1)
    make_deterministic(recipe)
    with open_world(recipe) as world:
        whole = replace(open_run(short, 0, find_data(short, data_dir), world), recipe=recipe)
        stream = TokenStream(
            whole.stream.shards,
            sequences_per_step=world.size,
            sequence_length=whole.stream.sequence_length,
        )
        fewer = recipe.with_sequences_per_step(world.size)
        runs = {"all": whole, "one a rank": replace(whole, recipe=fewer, stream=stream)}
        trainee, clock = start(whole), Clock(world.device)
        times: Times = {name: [] for name in runs}
        if world.is_main:
            (folder / f"{number}.ready").touch()
        for turn in turns_of(number):
            wait_for(folder / "turn", turn, world.alive)
            for name, run in runs.items():
                for _ in range(STEPS[name]):
                    train_step(trainee, run, STEP, data_step=0)
                before = clock.milliseconds
                clock.start()
                for _ in range(STEPS[name]):
                    train_step(trainee, run, STEP, data_step=0)
                clock.stop()
                times[name].append((clock.milliseconds - before) / STEPS[name])
            if world.is_main:
                (folder / "turn").write_text(str(turn + 1))
        if world.is_main:
            (folder / f"{number}.json").write_text(json.dumps(times))


def launch(tree: Path, number: int, folder: Path, args: argparse.Namespace) -> subprocess.Popen:  # type: ignore[type-arg]
    """Start the ranks of one tree."""
    paths = os.pathsep.join([str(tree.resolve()), str(ROOT), os.environ.get("PYTHONPATH", "")])
    command = ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={args.ranks}"]
    own = ["-m", "benchmarks.gpu.in_turns", "--number", str(number), "--folder", str(folder)]
    return subprocess.Popen(
        [sys.executable, *command, *own, "--data-dir", str(args.data_dir)],
        env={**os.environ, "PYTHONPATH": paths, "OMP_NUM_THREADS": "1"},
        cwd=folder,
    )


def report(before: Times, after: Times) -> None:
    """Print the table."""
    for name in STEPS:
        ratios = sorted(new / old - 1 for old, new in zip(before[name], after[name], strict=True))
        old, new = median(before[name]), median(after[name])
        print(
            f"{name:12} before {old:7.2f} ms  after {new:7.2f} ms  {new / old - 1:+.2%}  "
            f"[{ratios[0]:+.2%}, {ratios[-1]:+.2%}]"
        )


def main() -> int:
    """Measure and print; 1 where a tree fails."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("trees", type=Path, nargs="*", metavar="TREE")
    parser.add_argument("--data-dir", type=Path, required=True)
    parser.add_argument("--ranks", type=int, default=1)
    parser.add_argument("--number", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    args.data_dir = args.data_dir.resolve()
    if args.number is not None:
        train_in_turns(args.number, args.folder, args.data_dir)
        return 0
    if len(args.trees) != TREES:
        parser.error("name two trees")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        children = [launch(tree, i, folder, args) for i, tree in enumerate(args.trees)]
        while any(child.poll() is None for child in children):
            # While one still compiles, the other would be slow.
            if not (folder / "turn").exists() and len(list(folder.glob("*.ready"))) == TREES:
                (folder / "turn").write_text("0")
            # A tree that fails would keep the other waiting.
            if any(child.poll() for child in children):
                for child in children:
                    child.terminate()
            time.sleep(POLL_S)
        if any(child.returncode for child in children):
            return 1
        report(*(json.loads((folder / f"{i}.json").read_text()) for i in range(2)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
