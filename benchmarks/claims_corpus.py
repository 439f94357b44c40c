"""How often are honest READMEs accused, and false ones named? READMEs are generated from runs.

Each README states losses, times and statistics of its own runs in one of many shapes, with the
baselines, other metrics and prose that stand beside them in public ones. Then one kind of figure
is made false. Prints a table: honest READMEs that are refuted or warned of, false ones that are.

    python benchmarks/claims_corpus.py --count 2000
"""

from __future__ import annotations

import argparse
import random
import statistics
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

from scipy import stats

from speedcheck.certificate import JudgedRun
from speedcheck.checks import codes
from speedcheck.checks.document_claims import check_documents
from speedcheck.claims import document_claims
from speedcheck.logs import Environment, Run, Validation
from speedcheck.records.record_folder import Record
from speedcheck.rules.tracks import Track

NATS = Track("nats", 3.28, 0.01, None)
BITS = Track("bits", 1.2, 0.01, None, measure=("val_bpb", "bpb"))


@dataclass(frozen=True)
class Sample:
    """Runs of one program: losses at printed digits, seconds, seeds."""

    losses: tuple[float, ...]
    seconds: tuple[float, ...]
    seeds: tuple[int, ...]
    digits: int
    track: Track

    @property
    def measure(self) -> str:
        """The word before the loss."""
        return self.track.measure[0]

    def shown(self, loss: float) -> str:
        """Print a loss as the logs do."""
        return f"{loss:.{self.digits}f}"

    @property
    def mean(self) -> float:
        """Mean loss."""
        return statistics.mean(self.losses)

    @property
    def std(self) -> float:
        """Sample standard deviation."""
        return statistics.stdev(self.losses)

    @property
    def p(self) -> float:
        """One-sided p-value against the target."""
        test = stats.ttest_1samp(self.losses, self.track.target, alternative="less")
        return float(test.pvalue)


def sample(rng: random.Random, track: Track) -> Sample:
    """Draw the runs of a record."""
    n = rng.randint(3, 12)
    spread = 0.0013 if track is NATS else 0.0006
    center = track.target - (0.0015 if track is NATS else rng.uniform(0.02, 0.08))
    digits = 4 if track is NATS else rng.choice((4, 6, 8))
    losses = tuple(round(rng.gauss(center, spread), digits) for _ in range(n))
    if len(set(losses)) < n:
        return sample(rng, track)
    level = rng.uniform(80, 600)
    seconds = tuple(round(rng.gauss(level, 0.1), 3) for _ in range(n))
    return Sample(losses, seconds, tuple(rng.sample(range(5000), n)), digits, track)


def record_of(drawn: Sample, folder: Path) -> tuple[Record, list[tuple[Run, JudgedRun]]]:
    """Return the record as it would be read and judged, with the README in `folder`."""
    pairs = []
    for i, (loss, seconds, seed) in enumerate(
        zip(drawn.losses, drawn.seconds, drawn.seeds, strict=True)
    ):
        validations = tuple(
            Validation(step, 1000, value, seconds * step, None, 1, {})
            for step, value in ((0, 10.8), (500, loss + 0.4), (1000, loss))
        )
        known = drawn.seeds if drawn.track is BITS else ()
        printed = seed if known else None
        run = Run(
            f"{i}.txt", 0, "modded", validations, 1000, 1000, Environment(), None, None, None,
            False, None, None, 0, printed,
        )  # fmt: skip
        judged = JudgedRun(
            run.log, 0, printed, loss, seconds * 1000, 1000, 1000, True, True, "", None, None,
            None, None, None, "A",
        )  # fmt: skip
        pairs.append((run, judged))
    record = Record(folder, "r", None, None, (), (), ())
    return record, pairs


Shape = Callable[[random.Random, Sample], str]


def python_lists(rng: random.Random, s: Sample) -> str:
    """Lists and results in comments, as the speedrun's READMEs have them."""
    name = rng.choice(("accs", "losses", "val_losses") if s.track is NATS else ("val_bpbs",))
    times = ", ".join(f"{t:.3f}" for t in s.seconds)
    if rng.random() < 0.3:
        times = ", ".join(f"{t * 1000:.0f}" for t in s.seconds)
    target = s.track.target
    return f"""```python
import scipy.stats
{name} = [{", ".join(map(s.shown, s.losses))}]
times = [{times}]

print("p=%.4f" % scipy.stats.ttest_1samp({name}, {target}, alternative="less").pvalue)
# p={s.p:.4f}
print("loss:", torch.std_mean(torch.tensor({name})))
# loss: (tensor({s.std:.4f}), tensor({s.mean:.4f}))
```
"""


def bayes(rng: random.Random, s: Sample) -> str:  # noqa: ARG001 - a shape
    """A shell line and what scipy prints."""
    mean, _, std = stats.bayes_mvs(s.losses)
    return f"""```bash
$ grep "1000/1000 val" * | python -c "..."
[{", ".join(map(s.shown, s.losses))}]
{mean!r}
{std!r}
p={s.p:.4f}
```
"""


def by_run(rng: random.Random, s: Sample) -> str:
    """A table of runs or seeds, with a mean below, perhaps beside other metrics."""
    is_seed = s.track is BITS and rng.random() < 0.8
    heading = {
        "val_loss": ("val_loss", "Val Loss", "loss", "Final val loss"),
        "val_bpb": ("val_bpb", "**val_bpb**", "BPB", "Sliding BPB", "Post-TTT BPB"),
    }[s.measure]
    head = ["Seed" if is_seed else "Run", rng.choice(heading), "Train time (s)"]
    keys = s.seeds if is_seed else range(1, len(s.losses) + 1)
    rows = [
        [str(key), s.shown(loss), f"{t:.1f}"]
        for key, loss, t in zip(keys, s.losses, s.seconds, strict=True)
    ]
    rows.append(["**Mean**", f"**{s.mean:.{s.digits}f}**", f"{statistics.mean(s.seconds):.1f}"])
    if s.track is BITS:
        extras: list[tuple[str, Callable[[float], str]]] = [
            ("val_loss (nats)", lambda x: f"{x * 1.6692:.4f}"),
            ("Pre-quant BPB", lambda x: f"{x + 0.0123:.4f}"),
            ("TTT time", lambda x: f"{410 + 100 * (x % 0.01):.0f}s"),
            ("Artifact bytes", lambda x: f"{15_900_000 + int(x * 1e4):,}"),
            ("Steps", lambda x: str(7000 + int(x * 1e4) % 97)),
        ]
        for name, value in rng.sample(extras, rng.randint(0, 3)):
            at = rng.randint(1, len(head))
            head.insert(at, name)
            for row, loss in zip(rows, s.losses, strict=False):
                row.insert(at, value(loss))
            rows[-1].insert(at, "")
    lines = ["| " + " | ".join(row) + " |" for row in (head, ["---"] * len(head), *rows)]
    return "\n".join(lines) + "\n"


def prose(rng: random.Random, s: Sample) -> str:
    """Running text with a mean, a deviation and a p."""
    n, mean, std = len(s.losses), s.mean, s.std
    return rng.choice(
        (
            f"**{s.measure}: {mean:.4f}** ({n}-seed mean, std {std:.4f})\n",
            f"Mean {s.measure} {mean:.4f}, std {std:.4f} ({n} runs)\n",
            f"{n} runs, mean {mean:.4f}, std {std:.4f}, p={s.p:.4f}\n",
            f"The average validation loss of {n} runs is {mean:.4f}.\n",
            f"- mean: {mean:.5f}\n- std: {std:.5f}\n- n: {n}\n",
        )
    )


def metrics(rng: random.Random, s: Sample) -> str:  # noqa: ARG001 - a shape
    """A table of labels and values."""
    return f"""| metric | value |
| --- | ---: |
| mean {s.measure} | {s.mean:.5f} |
| {s.measure} sample std | {s.std:.5f} |
| mean train time | {statistics.mean(s.seconds):.2f} s |
"""


SHAPES: tuple[Shape, ...] = (python_lists, bayes, by_run, prose, metrics)


def noise(rng: random.Random, s: Sample) -> str:
    """What stands beside figures in honest READMEs, and is of something else."""
    off = rng.uniform(0.002, 0.01)
    other = [s.shown(x + off) for x in s.losses]
    times = ", ".join(f"{t + 3:.3f}" for t in s.seconds[:5])
    old = s.mean + off
    return rng.choice(
        (
            "",
            "",
            f"The previous record has a mean of {old:.4f} on the same machine.\n",
            f"Improves on the merged SOTA ({old:.4f}) by {off:.4f}.\n",
            f"## Baseline\n\n```\nlosses = [{', '.join(other)}]\ntimes = [{times}]\n```\n",
            f"Baseline, re-run here:\n\n```\naccs = [{', '.join(other)}]\n# p=0.1234\n```\n",
            (
                f"## Ablations\n\n| Config | {s.measure} |\n|---|---|\n| full | {s.mean:.4f} |\n"
                f"| no gate | {old:.4f} |\n| no smear | {old + 0.001:.4f} |\n"
            ),
            f"| Change | Delta | {s.measure} |\n|---|---|---|\n| XSA | -0.0012 | {old:.4f} |\n",
            (
                "| # | Record time | Description | Val loss |\n|-|-|-|-|\n"
                f"| 1 | 45 min | llm.c | {old:.4f} |\n| 2 | 31 min | RoPE | {old - 0.001:.4f} |\n"
                f"| 3 | 25 min | Muon | {old + 0.002:.4f} |\n"
            ),
            f"One needs p < 0.01 and a mean below {s.track.target}.\n",
            f"With the usual std of about {s.std * 1.7:.4f} one needs {len(s.losses) * 2} runs.\n",
            f"Int8 roundtrip costs 0.0071, so that the quantized loss is {old:.4f}.\n",
        )
    )


def shifted(rng: random.Random, s: Sample) -> Sample:
    """Other losses, better than the runs had."""
    by = rng.uniform(2, 6) * s.std
    return replace(s, losses=tuple(round(x - by, s.digits) for x in s.losses))


def mistyped(rng: random.Random, s: Sample) -> Sample:
    """One loss with another last digit."""
    losses, i = list(s.losses), rng.randrange(len(s.losses))
    losses[i] = round(losses[i] - rng.choice((3, 5, 7)) * 10**-s.digits, s.digits)
    return replace(s, losses=tuple(losses))


def longer(rng: random.Random, s: Sample) -> Sample:
    """More runs than there are logs."""
    more = tuple(round(rng.gauss(s.mean, s.std), s.digits) for _ in range(rng.randint(1, 5)))
    times = s.seconds[: len(more)] + s.seconds[: max(0, len(more) - len(s.seconds))]
    seeds = tuple(range(9000, 9000 + len(more)))
    return replace(s, losses=s.losses + more, seconds=s.seconds + times, seeds=s.seeds + seeds)


LIES = {"other losses": shifted, "one digit": mistyped, "more runs": longer}

NAMED = {codes.CLAIM_NOT_CONFIRMED, codes.CLAIMED_WITHOUT_LOGS, codes.TEXT_DIFFERS}
ACCUSED = {codes.CLAIM_NOT_CONFIRMED, codes.CLAIMED_WITHOUT_LOGS}


def found_in(drawn: Sample, text: str, folder: Path) -> set[str]:
    """Return the codes of what is found in a README beside the logs of a sample."""
    (folder / "README.md").write_text(text, encoding="utf-8")
    record, pairs = record_of(drawn, folder)
    documents = document_claims(record, pairs, drawn.track)
    return {finding.code for finding in check_documents(documents)}


def readme(rng: random.Random, stated: Sample, shape: Shape) -> str:
    """Write a README of one shape, with what stands beside it."""
    parts = [noise(rng, stated), "## Results\n", shape(rng, stated), noise(rng, stated)]
    return "# r\n\n" + "\n".join(part for part in parts if part)


def measure(count: int, seed: int) -> dict[str, Counter[str]]:
    """Judge `count` READMEs of each shape, true and false; count what was found."""
    rng = random.Random(seed)
    table: dict[str, Counter[str]] = {}
    with TemporaryDirectory() as temporary:
        folder = Path(temporary)
        for shape in SHAPES:
            row = table.setdefault(shape.__name__, Counter())
            for _ in range(count):
                drawn = sample(rng, rng.choice((NATS, BITS)))
                codes_found = found_in(drawn, readme(rng, drawn, shape), folder)
                row["honest"] += 1
                row["refuted"] += bool(codes_found & ACCUSED)
                row["warned"] += codes.TEXT_DIFFERS in codes_found
                for name, lie in LIES.items():
                    text = readme(rng, lie(rng, drawn), shape)
                    row[name] += bool(found_in(drawn, text, folder) & NAMED)
    return table


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=400, help="READMEs of each shape")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    table = measure(arguments.count, arguments.seed)
    columns = ("honest", "refuted", "warned", *LIES)
    print(f"{'shape':14}" + "".join(f"{column:>14}" for column in columns))
    for shape, row in table.items():
        print(f"{shape:14}" + "".join(f"{row[column]:>14}" for column in columns))


if __name__ == "__main__":
    main()
