"""Logs written from known runs, in every format and with what else stands in logs, give those runs.

The oracle is the runs that a log was written from: nothing of the reader's is used to write it.
"""

from __future__ import annotations

from dataclasses import dataclass

from examples import examples
from hypothesis import given, settings
from hypothesis import strategies as st

from speedcheck.logs import parse_log

LINE = "=" * 100
NOISE = [
    "",
    "   ",
    "[rank0]:W1122 10:00:00.123000 71 torch/_dynamo/convert_frame.py:1016] hit config.recompile",
    "/usr/lib/python3/site-packages/torch/foo.py:12: UserWarning: val_loss may be wrong",
    "  warnings.warn(",
    "Traceback (most recent call last):",
    '  File "train_gpt.py", line 3, in <module>',
    'RuntimeError: it\'s no "good"',
    "Compiling model and warming up kernels (~7 minutes on first execution)",
    "Sampling steps [0, 1, 481] for warmup",
    "# [1 lines of the training script omitted, sha256 3e04ed1bd36a6714]",
    "-----",
    "=" * 80,
    "=" * 101,
    "steps: 30",
    "\x1b[33mepoch 3\x1b[0m",
    " 45%|####5     | 9/20 [00:01<00:02, 1.2it/s]\r 50%|#####     | 10/20",
    "caf\u00e9 \u2713 \u0661",
    "val_loss_every: 125",
    "x" * 5000,
]
INSIDE = [
    LINE,
    "step:30/30 val_loss:1.0000 train_time:1ms step_avg:1.00ms",
    "s:30 tel:1.0000",
    "Running Python 3.99.0",
    "peak memory allocated: 1 MiB reserved: 1 MiB",
    'x = f"step:{step}/{steps} val_loss:{val_loss:.4f}"',
    "import os",
    "# don't",
]
SMI = "|   {0}  NVIDIA H100 80GB HBM3          On  |   00000000:{0}1:00.0 Off |            0 |"


@dataclass(frozen=True)
class Known:
    """A run as it was written: rows of step, loss and milliseconds."""

    rows: tuple[tuple[int, float, float], ...]
    total: int
    last_step: int
    n_gpus: int | None


@st.composite
def known_runs(draw, total, number):
    """A run of some validations, none as another run's; that at the last step may be missing."""
    grid = draw(st.integers(1, max(1, total // 2)))
    steps = sorted({*range(draw(st.sampled_from([0, grid])), total, grid), total})
    steps = steps[: draw(st.integers(1, len(steps)))] if draw(st.booleans()) else steps
    losses = draw(
        st.lists(
            st.integers(20_000, 110_000), min_size=len(steps), max_size=len(steps), unique=True
        )
    )
    time = draw(st.integers(1, 500))
    rows = tuple(
        (step, (10 * loss + number) / 100_000, float(step * time + index))
        for index, (step, loss) in enumerate(zip(steps, losses, strict=True))
    )
    last = draw(st.integers(steps[-1], total)) if steps[-1] < total else total
    return Known(rows, total, last, draw(st.sampled_from([None, 1, 4, 8])))


def output(run, draw):
    """The lines of one run: validations, training lines between them, and noise."""
    in_seconds, extra = (
        draw(st.booleans()),
        draw(st.sampled_from(["", " ema_beta:0.3 handoff:keep"])),
    )
    noise = st.lists(st.sampled_from(NOISE), max_size=2)
    lines = [*draw(noise)]
    step = 0
    for at, loss, ms in run.rows:
        if draw(st.booleans()):
            training = range(step + 1, at + 1) if at - step < 4 else (step + 1, at)
            lines += [f"step:{s}/{run.total} train_loss:4.0000 train_time:{ms}ms" for s in training]
        time = f"{ms / 1000:.3f}s" if in_seconds else f"{ms:.0f}ms"
        lines += draw(noise)
        line = f"step:{at}/{run.total} val_loss:{loss:.5f} train_time:{time} step_avg:1.00ms{extra}"
        lines += [line] * draw(st.sampled_from([1, 1, 1, 8]))
        step = at
    if run.last_step > step:
        lines.append(f"step:{run.last_step}/{run.total} train_time:{run.rows[-1][2] + 1:.0f}ms")
    elif draw(st.booleans()):
        lines.append("peak memory allocated: 31016 MiB reserved: 47038 MiB")
    return [*lines, *draw(noise)]


def preamble(run, draw, *, with_program):
    """Program and environment, or what a captured output says of its device."""
    if not with_program:
        return [f"Running on NVIDIA H100 with world_size {run.n_gpus}"] if run.n_gpus else []
    inside = draw(st.lists(st.sampled_from(INSIDE), max_size=5))
    quotes = draw(st.sampled_from(['"""', "'''"]))
    program = ["import os", f"EXAMPLE = {quotes}", *inside, f"end{quotes}", "main()"]
    first = [LINE] if draw(st.booleans()) else []
    smi = [SMI.format(index) for index in range(run.n_gpus or 0)]
    blank = [""] if draw(st.booleans()) else []
    environment = ["Running Python 3.12.7 (main)", "Running PyTorch 2.9.0.dev20250718+cu126", *smi]
    return [*first, *program, LINE, *blank, *environment, *blank, LINE]


@st.composite
def logs(draw):
    """The bytes of a log and the runs in it."""
    total = draw(st.integers(2, 40))
    runs = [draw(known_runs(total, number)) for number in range(draw(st.integers(1, 4)))]
    with_program = draw(st.booleans())
    if not with_program:
        # Only a step that does not rise tells one run's lines from the next one's.
        runs = [run for run in runs if run.rows[-1][0] == total or run is runs[-1]]
    lines = []
    for run in runs:
        lines += preamble(run, draw, with_program=with_program)
        lines += output(run, draw)
    end = draw(st.sampled_from(["\n", "\r\n", "\r"]))
    encoding = draw(st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]))
    return (end.join(lines) + end).encode(encoding), runs


@settings(max_examples=examples(300))
@given(logs())
def test_a_log_gives_the_runs_that_it_was_written_from(written):
    data, runs = written
    found = parse_log(data, "a.txt").runs
    assert [tuple((v.step, v.loss, v.train_time_ms) for v in run.validations) for run in found] == [
        run.rows for run in runs
    ]
    assert [(run.total_steps, run.last_step) for run in found] == [
        (run.total, run.last_step) for run in runs
    ]
    assert [run.complete for run in found] == [run.rows[-1][0] == run.total for run in runs]
    if all(run.n_gpus for run in runs):
        assert [run.environment.n_gpus for run in found] == [run.n_gpus for run in runs]
