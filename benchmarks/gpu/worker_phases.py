"""Where the seconds of a worker's runs go that their clock does not count.

    python -m benchmarks.gpu.worker_phases --data-dir D [--steps 4] [--seeds 3] [--json FILE]
    torchrun --standalone --nproc-per-node=2 -m benchmarks.gpu.worker_phases --data-dir D

Trains one seed after another in this process, as a worker does, and waits for the GPU before and
after each phase. The trainer is the one that is first on the path, so that two trees can be
compared: `losses` is a digest of a run's step lines without their times.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch

import trainer.run
import trainer.train
from trainer.config import RECIPES
from trainer.data.sources import find_data

# What a phase is called, and the function that is all of it.
PHASES = {
    "memory": (trainer.run, "_free_memory"),
    "header": (trainer.run, "environment"),
    "rehearsal": (trainer.train, "_rehearse"),
    "weights": (trainer.train, "_initial"),
    "validation": (trainer.train, "evaluate"),
}
STEP_LINE = re.compile(r"^step:(\S+) (train|val)_loss:(\S+) train_time:(\d+)ms", re.MULTILINE)


@dataclass
class Stopwatch:
    """Adds up seconds by phase; a phase within another is a part of that one."""

    seconds: dict[str, float] = field(default_factory=lambda: dict.fromkeys(PHASES, 0.0))
    running: bool = False

    def around(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return the function with its seconds added to a phase."""

        def timed(*arguments: Any, **options: Any) -> Any:
            if self.running:
                return function(*arguments, **options)
            self.running, began = True, now()
            try:
                return function(*arguments, **options)
            finally:
                self.seconds[name] += now() - began
                self.running = False

        return timed


@dataclass(frozen=True)
class Measured:
    """One run: its seconds in all, those that its clock counted, and those of each phase."""

    order: int
    whole_s: float
    timed_s: float
    first_step_ms: int
    phases_s: dict[str, float]
    losses: str

    def row(self) -> str:
        """Return a line of the table."""
        untimed = self.whole_s - self.timed_s
        cells = [self.whole_s, self.timed_s, untimed, *self.phases_s.values()]
        rest = untimed - sum(self.phases_s.values())
        numbers = " ".join(f"{cell:>10.2f}" for cell in (*cells, rest))
        return f"{self.order:>5} {numbers} {self.first_step_ms:>10} {self.losses}"


def now() -> float:
    """Seconds, once the GPU has done all its work."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter()


def measure(session: trainer.run.Session, watch: Stopwatch, order: int, log: Path) -> Measured:
    """Train one seed; the log's last step line has the timed milliseconds."""
    watch.seconds.update(dict.fromkeys(PHASES, 0.0))
    began = now()
    session.train(order, log)
    whole = now() - began
    lines = STEP_LINE.findall(log.read_text()) if log.exists() else [("", "train", "", "0")]
    times = [int(milliseconds) for _, kind, _, milliseconds in lines if kind == "train"]
    losses = hashlib.sha256(repr([line[:3] for line in lines]).encode()).hexdigest()[:12]
    return Measured(order, whole, times[-1] / 1000, times[0], dict(watch.seconds), losses)


def main() -> None:
    """Measure; rank 0 prints a table and writes the figures."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--recipe", default="sub3")
    parser.add_argument("--steps", type=int, default=4)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--data-dir", type=Path, required=True)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    recipe = RECIPES[options.recipe].with_steps(options.steps)
    watch = Stopwatch()
    for name, (module, function) in PHASES.items():
        setattr(module, function, watch.around(name, getattr(module, function)))
    shards = find_data(recipe, options.data_dir)
    with tempfile.TemporaryDirectory() as logs, trainer.run.open_session(recipe, shards) as session:
        runs = [
            measure(session, watch, order, Path(logs) / f"{order}.txt")
            for order in range(options.seeds)
        ]
        if not session.run.world.is_main:
            return
    names = ("whole", "timed", "untimed", *PHASES, "rest", "step 1 ms")
    print("  run", *(f"{name:>10}" for name in names), "losses")
    print("\n".join(run.row() for run in runs))
    if options.json:
        options.json.write_text(json.dumps([asdict(run) for run in runs], indent=1))


if __name__ == "__main__":
    main()
