"""A generator of submissions: logs of one program with a true mean, and ways to misuse them.

Every log has what the strict rules ask for: a program that can be read, eight GPUs, validations
at the usual steps and the times of the steps between them. So a submission is rejected for what
was done to it, and for nothing else.
"""

from __future__ import annotations

import random
import tomllib
from dataclasses import dataclass

import tomli_w

SEPARATOR = "=" * 100 + "\n"
PROGRAM = """\
import torch

val_tokens = 10485760
num_iterations = {steps}
lr = 0.04


def schedule(step):
    return lr * (1 - step / num_iterations)


for step in range(num_iterations + 1):
    print(f"step:{{step}}/{{num_iterations}} val_loss:{{loss:.4f}} train_time:{{t}}ms")
"""
OTHER_PROGRAM = PROGRAM.replace("return lr * (1 - step / num_iterations)", "return lr")
SMI_ROW = "|   {index}  {gpu}          On  |   00000000:1{index}:00.0 Off |            0 |\n"
STEPS, EVERY, LOGGED = 1390, 125, 10
STEP_MS = 129.0
SD = 0.0009

Files = dict[str, bytes]


@dataclass(frozen=True)
class Options:
    """What of a log is not as usual."""

    steps: int = STEPS
    last: int | None = None
    program: str | None = PROGRAM
    gpu: str = "NVIDIA H100 80GB HBM3"
    n_gpus: int = 8
    step_ms: float = STEP_MS
    diverged: bool = False


USUAL = Options()


def make_log(rng: random.Random, final: float, options: Options = USUAL) -> bytes:
    """Write the log of one run whose last validation is `final`."""
    rows = (SMI_ROW.format(index=i, gpu=options.gpu) for i in range(options.n_gpus))
    environment = "Running Python 3.12.7\nRunning PyTorch 2.7.0 compiled for CUDA 12.6\n"
    environment += "".join(rows)
    lines, time = [], 0.0
    steps, last = options.steps, options.last or options.steps
    for step in range(last + 1):
        if step:
            time += options.step_ms * rng.uniform(0.9, 1.1)
        average = f"{time / max(step, 1):.2f}"
        clock = f"train_time:{time:.0f}ms step_avg:{average}ms"
        if step % EVERY == 0 or step in (steps, last):
            loss = final + 7.5 * (1 - step / steps) ** 3
            loss += rng.gauss(0, 0.004) if 0 < step < last else 0
            shown = "nan" if options.diverged and step == steps else f"{loss:.4f}"
            lines.append(f"step:{step}/{steps} val_loss:{shown} {clock}")
        elif step % LOGGED == 0:
            lines.append(f"step:{step}/{steps} {clock}")
    program = [] if options.program is None else [options.program.format(steps=steps)]
    return SEPARATOR.join([*program, environment, "\n".join(lines) + "\n"]).encode()


def make_logs(
    rng: random.Random, n: int, mean: float, options: Options = USUAL, name: str = "{:02d}.txt"
) -> Files:
    """Write `n` logs whose final losses have the mean `mean`, by their names."""
    noise = [rng.gauss(0, SD) for _ in range(n)]
    centred = [mean + x - sum(noise) / n for x in noise]
    return {
        name.format(index): make_log(rng, round(final, 4), options)
        for index, final in enumerate(centred)
    }


def plan(**values: object) -> bytes:
    """Write a record.toml."""
    return tomli_w.dumps({"name": "a record", "track": "gpt2-small", **values}).encode()


def with_plan(files: Files, **values: object) -> Files:
    """Return the files with further keys in their record.toml."""
    known = tomllib.loads(files.get("record.toml", plan()).decode())
    return files | {"record.toml": tomli_w.dumps({**known, **values}).encode()}


def step_lines(log: bytes) -> bytes:
    """Return the lines of a log behind its last separator."""
    return log.rpartition(SEPARATOR.encode())[2]
