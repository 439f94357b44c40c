"""Runs by a worker against runs of their own: equal losses, and the time of a run.

    python -m benchmarks.gpu.worker --data-dir D [--steps 12] [--gpus 1 2] [--json FILE]

For each number of GPUs: a fresh process with empty compile caches (first number only), another with
those that it left, and a worker with three seeds.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

LOSS_LINE = re.compile(r"^(step:\S+ (?:train|val)_loss:\S+) train_time:(\d+)ms", re.MULTILINE)
WORKER_SEEDS = (0, 1, 2)


@dataclass(frozen=True)
class Timing:
    """One run: the seconds that it took in all, and those that its clock counted."""

    gpus: int
    kind: str
    seed: int
    whole_s: float
    timed_s: float

    def row(self) -> str:
        """Return a line of the table."""
        untimed = self.whole_s - self.timed_s
        return (
            f"{self.gpus:>4}  {self.kind:<12} {self.seed:>4}  {self.whole_s:>8.1f}  "
            f"{self.timed_s:>8.2f}  {untimed:>8.1f}"
        )


@dataclass(frozen=True)
class Bench:
    """What all runs share."""

    options: argparse.Namespace
    folder: Path
    gpus: int

    def command(self, what: str) -> list[str]:
        """Return the words that start a command of the trainer."""
        ranks = ["--standalone", f"--nproc-per-node={self.gpus}", "-m"]
        torchrun = ["-m", "torch.distributed.run", *ranks] if self.gpus > 1 else ["-m"]
        recipe = ["--recipe", self.options.recipe, "--steps", str(self.options.steps)]
        data = ["--data-dir", str(self.options.data_dir)]
        return [sys.executable, *torchrun, "trainer", what, *recipe, *data]

    def log(self, kind: str, seed: int) -> Path:
        """Return the log of a run."""
        return self.folder / f"{self.gpus}-{kind}-{seed}.txt"

    def timing(self, kind: str, seed: int, whole_s: float) -> Timing:
        """Read what the run's own clock says."""
        timed_ms = int(LOSS_LINE.findall(self.log(kind, seed).read_text())[-1][1])
        return Timing(self.gpus, kind, seed, whole_s, timed_ms / 1000)

    def fresh(self, kind: str, seed: int) -> Timing:
        """Train a seed in a process of its own."""
        log = self.log(kind, seed)
        start = time.perf_counter()
        where = ["--seed", str(seed), "--log-dir", str(log.parent), "--log-name", log.name]
        subprocess.run([*self.command("train"), *where], check=True, env=self.environment())
        return self.timing(kind, seed, time.perf_counter() - start)

    def worker(self) -> list[Timing]:
        """Train all seeds in a worker; the first run's time has the worker's start in it."""
        jobs = [{"seed": seed, "log": str(self.log("worker", seed))} for seed in WORKER_SEEDS]
        start = time.perf_counter()
        done = subprocess.run(
            self.command("worker"),
            input="\n".join(map(json.dumps, jobs)),
            stdout=subprocess.PIPE,
            text=True,
            check=True,
            env=self.environment(),
        )
        whole = time.perf_counter() - start
        # Whatever libraries print besides.
        lines = [line for line in done.stdout.splitlines() if line.startswith('{"seed"')]
        seconds = [json.loads(line)["seconds"] for line in lines]
        seconds[0] = whole - sum(seconds[1:])
        return [
            self.timing("worker", seed, each)
            for seed, each in zip(WORKER_SEEDS, seconds, strict=True)
        ]

    def environment(self) -> dict[str, str]:
        """Return variables that give the runs compile caches of their own."""
        caches = {
            "TRITON_CACHE_DIR": str(self.folder / "triton"),
            "TORCHINDUCTOR_CACHE_DIR": str(self.folder / "inductor"),
        }
        return {**os.environ, **caches}

    def losses(self, kind: str, seed: int) -> list[str]:
        """Return the step lines of a run without their times."""
        return [line for line, _ in LOSS_LINE.findall(self.log(kind, seed).read_text())]


def measure(bench: Bench, *, cold: bool) -> tuple[list[Timing], dict[str, bool]]:
    """Run everything on one number of GPUs; return the times and which losses are equal."""
    timings = [bench.fresh("cold", 0)] if cold else []
    timings.append(bench.fresh("warm", 1))
    timings += bench.worker()
    equal = {
        f"{bench.gpus} GPUs, seed {timing.seed}: worker = {timing.kind}": bench.losses(
            "worker", timing.seed
        )
        == bench.losses(timing.kind, timing.seed)
        for timing in timings
        if timing.kind != "worker"
    }
    return timings, equal


def gpus_here() -> int:
    """Return the number of GPUs, or 1 where the recipe needs none."""
    if shutil.which("nvidia-smi") is None:
        return 1
    listed = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True, check=False)
    return max(1, len(listed.stdout.splitlines()))


def main() -> None:
    """Measure, print a table, and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--recipe", default="sub3")
    parser.add_argument("--steps", type=int, default=12)
    parser.add_argument("--gpus", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--data-dir", type=Path, required=True)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    timings: list[Timing] = []
    equal: dict[str, bool] = {}
    print("gpus  run          seed  whole [s]  timed [s]  rest [s]", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        for gpus in (number for number in options.gpus if number <= gpus_here()):
            more, same = measure(Bench(options, Path(folder), gpus), cold=not timings)
            timings, equal = [*timings, *more], equal | same
            print("\n".join(timing.row() for timing in more), flush=True)
    for what, is_equal in equal.items():
        print(f"{what}: {'equal to the last digit' if is_equal else 'DIFFERENT'}")
    if options.json:
        result = {"timings": [asdict(timing) for timing in timings], "equal": equal}
        options.json.write_text(json.dumps(result, indent=1))
    sys.exit(0 if all(equal.values()) else 1)


if __name__ == "__main__":
    main()
