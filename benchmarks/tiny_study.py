"""Train many seeds of the tiny recipe with each window pattern, and compare the losses.

Writes one CSV row a run (seed, windows, val_loss, cpu_s) and prints the table of docs/tiny.md:

    python benchmarks/tiny_study.py --out docs/tiny-study.csv

Seeds that the CSV holds already are not trained again.
"""

from __future__ import annotations

import argparse
import csv
import os
import re
import subprocess
import sys
import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from scipy import stats

from trainer.config import RECIPES
from trainer.data.corpus import CorpusConfig, ensure_corpus
from trainer.data.corpus.entropy import Reach, floor, trace
from trainer.data.shards import read_shard
from trainer.data.stream import ValidationSet, document_ids
from trainer.operations.masks import attention_bias
from trainer.schedule import window_at

ROOT = Path(__file__).resolve().parents[1]
BASELINE = "long-short"
# 8 seeds must certify below the target, at the track's level, with this many draws of 8.
ALPHA, SEEDS_OF_A_DEMO, DRAWS = 0.01, 8, 20_000


class Row(NamedTuple):
    """One run: final loss in nats per token, user and system time of its process in seconds."""

    seed: int
    windows: str
    val_loss: float
    cpu_s: float


def train(seed: int, windows: str, data: Path) -> Row:
    """Run one seed as users do, and read its log."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "trainer", "--recipe", "tiny", "--seed", str(seed)]
        command += ["--windows", windows, "--log-dir", folder, "--data-dir", str(data)]
        process = subprocess.Popen(command, cwd=ROOT)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            sys.exit(f"seed {seed} with {windows} ended with status {process.returncode}")
        text = (Path(folder) / f"seed-{seed:03d}.txt").read_text(encoding="utf-8")
    losses = re.findall(r"^step:(\d+)/\1 val_loss:(\S+) ", text, re.MULTILINE)
    return Row(seed, windows, float(losses[-1][1]), round(usage.ru_utime + usage.ru_stime, 2))


def read(path: Path) -> list[Row]:
    """Rows of an earlier study; none where there is no file."""
    if not path.exists():
        return []
    with path.open(encoding="utf-8", newline="") as file:
        return [
            Row(int(r["seed"]), r["windows"], float(r["val_loss"]), float(r["cpu_s"]))
            for r in csv.DictReader(file)
        ]


def write(path: Path, rows: list[Row]) -> None:
    """All rows, patterns and seeds in order."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(Row._fields)
        writer.writerows(sorted(rows, key=lambda row: (row.windows, row.seed)))


def study(plan: list[tuple[int, str]], rows: list[Row], out: Path, data: Path, jobs: int) -> None:
    """Train what is planned and not in `rows`, `jobs` runs at a time; save after each."""
    lock = threading.Lock()

    def one(seed: int, windows: str) -> None:
        row = train(seed, windows, data)
        with lock:
            rows.append(row)
            write(out, rows)
            print(*row, flush=True)

    done = {(row.seed, row.windows) for row in rows}
    with ThreadPoolExecutor(jobs) as pool:
        for running in [pool.submit(one, *run) for run in plan if run not in done]:
            running.result()


def losses_of(rows: list[Row], windows: str) -> np.ndarray:
    """Final losses of one pattern, (n,)."""
    return np.array([row.val_loss for row in rows if row.windows == windows])


def certification_chance(losses: np.ndarray, target: float) -> tuple[float, float]:
    """Chance that 8 seeds certify below `target`: by resampling, and were the losses normal."""
    rng = np.random.default_rng(0)
    samples = rng.choice(losses, (DRAWS, SEEDS_OF_A_DEMO))
    p = stats.ttest_1samp(samples, target, axis=1, alternative="less").pvalue
    n = SEEDS_OF_A_DEMO
    effect = (target - losses.mean()) / losses.std(ddof=1)
    needed = stats.t.ppf(1 - ALPHA, n - 1)
    return float((p < ALPHA).mean()), float(stats.nct.sf(needed, n - 1, effect * np.sqrt(n)))


def report(rows: list[Row]) -> None:
    """Print a Markdown table, and what a target would certify."""
    baseline = losses_of(rows, BASELINE)
    print("| windows | seeds | mean | sd | min | max | Welch t | p | CPU s, mean | max |")
    print("|---|---|---|---|---|---|---|---|---|---|")
    for windows in dict.fromkeys([BASELINE, *(row.windows for row in rows)]):
        losses = losses_of(rows, windows)
        seconds = [row.cpu_s for row in rows if row.windows == windows]
        welch = stats.ttest_ind(losses, baseline, equal_var=False)
        t, p = (
            ("", "") if windows == BASELINE else (f"{welch.statistic:.1f}", f"{welch.pvalue:.1e}")
        )
        print(
            f"| {windows} | {len(losses)} | {losses.mean():.4f} | {losses.std(ddof=1):.4f} "
            f"| {losses.min():.4f} | {losses.max():.4f} | {t} | {p} "
            f"| {np.mean(seconds):.1f} | {max(seconds):.1f} |"
        )
    skewness, shapiro = stats.skew(baseline), stats.shapiro(baseline).pvalue
    print(f"\n{BASELINE}: skewness {skewness:+.2f}, Shapiro p = {shapiro:.2g}")
    for factor in (2.4, 2.8, 3.2, 3.6):
        target = baseline.mean() + factor * baseline.std(ddof=1)
        resampled, normal = certification_chance(baseline, target)
        print(
            f"target mean + {factor} sd = {target:.4f}: 8 seeds certify in {resampled:.2%} "
            f"of resamples, {normal:.2%} if normal"
        )


def report_floors(data: Path) -> None:
    """Print what each window can see of the validation text, and the least loss it allows."""
    recipe, corpus = RECIPES["tiny"], CorpusConfig()
    length, block_size = recipe.data.sequence_length, recipe.model.block_size
    steps = recipe.schedule.steps
    tokens = read_shard(ensure_corpus(data).val, vocab_size=recipe.model.vocab_size)
    sequences = ValidationSet(
        tokens, val_tokens=recipe.data.val_tokens, sequence_length=length
    ).sequences()
    documents = torch.from_numpy(document_ids(sequences.inputs, recipe.data.separator))
    window = window_at(steps, steps, max_window=recipe.schedule.max_window, block_size=block_size)
    bias = attention_bias(documents, block_size, window, torch.float32)
    traced = trace(corpus, tokens)
    print("| reader | window in blocks | visible pairs | nats per token | standard error |")
    print("|---|---|---|---|---|")
    everything = floor(corpus, traced)
    print(f"| unlimited memory | | | {everything.nats:.3f} | {everything.standard_error:.3f} |")
    for name in ("long", "short"):
        blocks = getattr(window, name)
        least = floor(corpus, traced, Reach(length, block_size, blocks))
        pairs = int((getattr(bias, name) == 0).sum())
        print(
            f"| {name} window | {blocks} | {pairs:,} | {least.nats:.3f} "
            f"| {least.standard_error:.3f} |"
        )


def main() -> None:
    """Plan, train, report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="the CSV, read and rewritten")
    parser.add_argument("--data-dir", type=Path, default=ROOT / "data")
    parser.add_argument("--jobs", type=int, default=2, help="runs at a time")
    parser.add_argument("--long-short", type=int, default=64, metavar="SEEDS")
    parser.add_argument("--all-short", type=int, default=16, metavar="SEEDS")
    parser.add_argument("--all-long", type=int, default=16, metavar="SEEDS")
    options = parser.parse_args()
    counts = {
        name: getattr(options, name.replace("-", "_"))
        for name in (BASELINE, "all-short", "all-long")
    }
    # Interleaved, so that a busy hour of the machine falls on all patterns alike.
    plan = [
        (seed, windows)
        for seed in range(max(counts.values()))
        for windows, count in counts.items()
        if seed < count
    ]
    rows = read(options.out)
    study(plan, rows, options.out, options.data_dir.resolve(), options.jobs)
    report(rows)
    print()
    report_floors(options.data_dir)


if __name__ == "__main__":
    main()
