"""Each code is given by the smallest record that calls for it, and each has a number of its own."""

from __future__ import annotations

import hashlib
import json

import pytest

from speedcheck.api import verify
from speedcheck.checks import codes
from speedcheck.records.record_files import MAX_FILES

ALL_CODES = {value for name, value in vars(codes).items() if name.isupper()}
NAN = float("nan")


def with_file(folder, name, content):
    (folder / name).write_text(content)
    return folder


def with_baseline(folder, baseline):
    return with_file(folder, "record.toml", f'baseline = "../{baseline.name}"')


def ledger_edited(folder):
    path = folder / "ledger.jsonl"
    return with_file(folder, path.name, path.read_text().replace("18:30:00Z", "18:30:01Z", 1))


def ledger_at(folder, utc):
    """Write the times of a ledger anew, as one made afterwards has them."""
    path = folder / "ledger.jsonl"
    previous, lines = "0" * 64, []
    for line in path.read_text().splitlines():
        entry = json.loads(line) | {"utc": utc, "prev": previous}
        lines.append(json.dumps(entry))
        previous = hashlib.sha256(lines[-1].encode()).hexdigest()
    return with_file(folder, path.name, "\n".join(lines) + "\n")


def without_log(folder, name):
    (folder / "logs" / name).unlink()
    return folder


def beside(b, losses=(3.277, 3.276, 3.278), *, kind="model", **options):
    """Write a record, and beside it the baseline that it names."""
    b.published(losses, name="baseline", **options)
    return with_file(b.published(), "record.toml", f'kind = "{kind}"\nbaseline = "../baseline"')


def on_frontier(b, losses, baseline="../best"):
    """Write a record of a track with the test "welch", and beside it the frontier."""
    rules = '[tracks.best]\ntarget = 1.3\ntest = "welch"\n'
    config = with_file(b.folder({}, "rules"), "own.toml", rules) / "own.toml"
    b.record([1.25, 1.251, 1.252], name="best", plan={"track": "best"})
    return b.record(losses, plan={"track": "best", "baseline": baseline}), {"config": config}


def planned_late(b):
    """Write a record whose last seed was planned when all others had finished."""
    folder = b.record()
    path = folder / "ledger.jsonl"
    entries = [json.loads(line) for line in path.read_text().splitlines()]
    last = next(e for e in entries if (e["event"], e["seed"]) == ("planned", 7))
    entries.remove(last)
    entries.insert(-2, last)
    previous, lines = "0" * 64, []
    for entry in entries:
        lines.append(json.dumps(entry | {"prev": previous}))
        previous = hashlib.sha256(lines[-1].encode()).hexdigest()
    return with_file(folder, path.name, "\n".join(lines) + "\n")


def with_many_files(folder):
    for index in range(MAX_FILES + 1):
        (folder / f"{index}.txt").touch()
    return folder


def with_linked_plan(folder):
    (folder / "record.toml").symlink_to("elsewhere")
    return folder


def earlier_step(b, pub):
    """Write a record of the step-count track whose README gives the losses of an earlier step."""
    losses = [3.2786, 3.278, 3.2774]
    logs = {
        f"{i}.txt": pub(val_loss=3.275 + i / 1e4).replace("4.4043", f"{x:.4f}")
        for i, x in enumerate(losses)
    }
    rows = "".join(f"| {i} | {x} |\n" for i, x in enumerate(losses))
    readme = f"# Results\n\n| seed | step 125 |\n|---|---|\n{rows}"
    plan = 'track = "gpt2-small-steps"'
    return b.folder({**logs, "README.md": readme, "record.toml": plan})


def slower(b, pub):
    """Write a record whose baseline takes half of its time."""
    logs = {f"{i}.txt": pub(val_loss=3.276 + i / 1000, time_ms=90_000 + i) for i in range(3)}
    b.folder(logs, name="baseline")
    return with_file(b.published(), "record.toml", 'baseline = "../baseline"')


# Above the target, and alike.
SMALL_WORSE = [3.2805, 3.281, 3.2815, 3.282, 3.2812, 3.2807]


def systems(b, losses, baseline):
    """Write a systems record, and beside it the baseline that it names."""
    b.published(baseline, name="baseline")
    folder = b.published(losses)
    return with_file(folder, "record.toml", 'kind = "systems"\nbaseline = "../baseline"')


def track(b, line, pattern):
    """Write a configuration with a track of one line and a log pattern, and name both."""
    text = f"[tracks.t]\ntarget = 9.0\n{line}\nlog_pattern = '{pattern}'\n"
    return {
        "track": "t",
        "config": b.folder({"speedcheck.toml": text}, "config") / "speedcheck.toml",
    }


def declaring(folder, text):
    return with_file(folder, "record.toml", text)


def excluded(logs, role):
    return f'[[excluded]]\nlogs = ["{logs}"]\nrole = "{role}"\nreason = "it is one"\n'


def step_lines(*lines):
    return "".join(f"step:{s}/{t} val_loss:{x} train_time:{ms}ms\n" for s, t, x, ms in lines)


def near_copy(pub):
    """Write a log and an edited copy of it: equal but for the last loss."""
    inner = [(s, 100, round(5 - s / 57, 4), s * 10) for s in range(10, 100, 10)]
    first = [*inner, (100, 100, 3.271, 1000)]
    other = [*((s, t, x, ms + 7 * s % 11) for s, t, x, ms in inner), (100, 100, 3.262, 1003)]
    head = pub().partition("\nstep:0/")[0] + "\n"
    return {"a.txt": head + step_lines(*first), "b.txt": head + step_lines(*other)}


# By code: the verdict that it belongs to, and a function of (build, make_log, make_published_log)
# that makes the folder, or the folder and the options to judge it with.
CASES = {
    codes.NO_LOSS: ("loss", lambda b, log, pub: b.record(last_step=150)),
    codes.TOO_FEW_RUNS: ("loss", lambda b, log, pub: b.published([3.27])),
    codes.DIVERGED_RUN: ("loss", lambda b, log, pub: b.published([3.27, NAN])),
    codes.EQUAL_LOSSES: ("loss", lambda b, log, pub: b.published([3.27, 3.27])),
    codes.NOT_SIGNIFICANT: ("loss", lambda b, log, pub: b.published([3.29, 3.27])),
    codes.OUTLIER: (
        "loss",
        lambda b, log, pub: b.published([3.27, 3.271, 3.272, 3.273, 3.274, 3.275, 3.276, 3.9]),
    ),
    codes.LENIENT_RULE: ("loss", lambda b, log, pub: b.record(plan={"alpha": 0.5})),
    codes.LOSS_EXCUSED: (
        "loss",
        lambda b, log, pub: b.record([9.0, 9.1], plan={"kind": "systems"}),
    ),
    codes.LOSS_COMPARED: ("loss", lambda b, log, pub: beside(b)),
    codes.WORSE_LOSS: (
        "loss",
        lambda b, log, pub: systems(b, SMALL_WORSE, [3.261, 3.2615, 3.262, 3.2625]),
    ),
    codes.NON_INFERIOR: ("loss", lambda b, log, pub: systems(b, SMALL_WORSE, SMALL_WORSE)),
    codes.NOT_NON_INFERIOR: ("loss", lambda b, log, pub: systems(b, [3.28, 3.29], SMALL_WORSE)),
    codes.KNOWN_SIGMA: (
        "loss",
        lambda b, log, pub: with_file(b.published(), "record.toml", 'track = "gpt2-small-steps"'),
    ),
    codes.EARLIER_STEP: ("loss", lambda b, log, pub: earlier_step(b, pub)),
    codes.SEQUENTIAL: ("loss", lambda b, log, pub: b.sequential()),
    codes.NOT_REACHED: ("loss", lambda b, log, pub: b.sequential([1.29, 1.31, 1.28])),
    codes.NOT_SEQUENTIAL: (
        "loss",
        lambda b, log, pub: with_file(b.published(), "record.toml", 'stopping_rule="sequential"'),
    ),
    codes.FRONTIER_BEATEN: ("loss", lambda b, log, pub: on_frontier(b, [1.2, 1.201, 1.202])),
    codes.FRONTIER_UNKNOWN: ("loss", lambda b, log, pub: on_frontier(b, [1.2, 1.21], None)),
    codes.FRONTIER_NOT_BEATEN: ("loss", lambda b, log, pub: on_frontier(b, [1.249, 1.251])),
    codes.STEP_SCAN: (
        "loss",
        lambda b, log, pub: b.folder(
            {"record.toml": 'track = "gpt2-small-steps"'}
            | {
                f"{i}.txt": pub(val_loss=3.27 + i / 1e4).replace("4.4043", f"{3.275 + i / 1e4:.4f}")
                for i in range(3)
            }
        ),
    ),
    codes.STOPPING_CHANGED: (
        "provenance",
        lambda b, log, pub: b.record(plan={"stopping_rule": "sequential"}),
    ),
    codes.EXTENDED: ("provenance", lambda b, log, pub: planned_late(b)),
    codes.LEDGER_COURSE: (
        "provenance",
        lambda b, log, pub: b.record(endings={3: ("started", "finished") * 2}),
    ),
    codes.SPEED_COMPARED: ("speed", lambda b, log, pub: beside(b)),
    codes.SLOWER: ("speed", lambda b, log, pub: slower(b, pub)),
    codes.NOT_FASTER: ("speed", lambda b, log, pub: beside(b)),
    codes.NOT_COMPARABLE: ("speed", lambda b, log, pub: beside(b, n_gpus=1)),
    codes.WEAK_BASELINE: ("speed", lambda b, log, pub: beside(b, [3.29, 3.291, 3.292])),
    codes.WORKER_TIMES: (
        "speed",
        lambda b, log, pub: b.record(
            header={"worker": {"id": "5f0c", "order": 2}},
        ),
    ),
    codes.SIDE_BY_SIDE: ("speed", lambda b, log, pub: b.record(header={"side_by_side": 4})),
    codes.OUTSIDE_CLOCK: ("speed", lambda b, log, pub: b.record(details={"outside_clock_s": 60.5})),
    codes.CLOCK_BEYOND_WALL: (
        "speed",
        lambda b, log, pub: b.record(details={"outside_clock_s": -0.1}),
    ),
    codes.NO_TIMES: ("speed", lambda b, log, pub: b.folder({"a.log": "s:9 tel:3.2\n"})),
    codes.NO_BASELINE: ("speed", lambda b, log, pub: b.published()),
    codes.WRONG_HARDWARE: ("rules", lambda b, log, pub: b.published(n_gpus=1)),
    codes.WRONG_VALIDATION: (
        "rules",
        lambda b, log, pub: b.record(plan={"track": "gpt2-small"}),
    ),
    codes.HARDWARE_UNKNOWN: ("rules", lambda b, log, pub: b.folder({"a.log": "s:9 tel:3.2\n"})),
    codes.SOURCE_NOT_READ: ("rules", lambda b, log, pub: b.published(script="import torch:\n")),
    codes.COMPILER_SETTING: (
        "rules",
        lambda b, log, pub: b.published(script="import torch\ntorch._inductor.config.a = 1\n"),
    ),
    codes.COMPILE_OPTION: (
        "rules",
        lambda b, log, pub: b.published(script="import torch\ntorch.compile(f, mode='m')\n"),
    ),
    codes.SETTING_UNCLEAR: (
        "rules",
        lambda b, log, pub: b.published(script="import torch\nexec(text)\n"),
    ),
    codes.VALIDATION_UNKNOWN: (
        "rules",
        lambda b, log, pub: b.published(script="import torch\n"),
    ),
    codes.DATA_LOADER_DIFFERS: (
        "rules",
        lambda b, log, pub: with_baseline(
            b.published(script="class DataLoader: size = 1\n"),
            b.published(script="class DataLoader: size = 2\n", name="baseline"),
        ),
    ),
    codes.WRONG_DATA: (
        "rules",
        lambda b, log, pub: (
            b.folder({"a.txt": "train_shards:9\nval:3.1\n"}),
            track(
                b, "train_shards = 8", r"train_shards:(?P<train_shards>\d+)|val:(?P<val_loss>\S+)"
            ),
        ),
    ),
    codes.OVER_BUDGET: (
        "rules",
        lambda b, log, pub: (
            b.folder({"a.txt": "val:3.1 ms:9000\n"}),
            track(
                b, "limits = { train_s = 8 }", r"val:(?P<val_loss>\S+) ms:(?P<train_time_ms>\d+)"
            ),
        ),
    ),
    codes.BUDGET_UNKNOWN: (
        "rules",
        lambda b, log, pub: (
            b.folder({"a.txt": "val:3.1\n"}),
            track(b, "limits = { train_s = 8 }", r"val:(?P<val_loss>\S+)"),
        ),
    ),
    codes.ENVIRONMENT_UNKNOWN: ("rules", lambda b, log, pub: b.published()),
    codes.ENVIRONMENT_SETTING: (
        "rules",
        lambda b, log, pub: b.record(
            header={"environment": {"TORCHINDUCTOR_MAX_AUTOTUNE": "1"}},
            plan={"track": "gpt2-small"},
        ),
    ),
    codes.TEXT_DIFFERS: (
        "provenance",
        lambda b, log, pub: with_file(
            b.published(), "README.md", "Mean val_loss 3.2711 (6 runs)\n"
        ),
    ),
    codes.SEEDS_DIFFER: (
        "provenance",
        lambda b, log, pub: with_file(
            b.record([1.1, 1.2, 1.15]),
            "README.md",
            "| seed | val_loss |\n|-|-|\n| 7 | 1.1000 |\n| 8 | 1.2000 |\n| 9 | 1.1500 |\n",
        ),
    ),
    codes.LEDGER_BROKEN: ("provenance", lambda b, log, pub: ledger_edited(b.record())),
    codes.RUN_MISSING: (
        "provenance",
        lambda b, log, pub: without_log(b.record(), "seed-001.txt"),
    ),
    codes.CLAIMED_WITHOUT_LOGS: (
        "provenance",
        lambda b, log, pub: b.folder({"record.toml": "[published]\nlosses = [3.2]"}),
    ),
    codes.INCOMPLETE_LOG: ("provenance", lambda b, log, pub: b.record(last_step=150)),
    codes.DUPLICATE_LOG: (
        "provenance",
        lambda b, log, pub: b.folder({"a.txt": pub(), "b.txt": pub()}),
    ),
    codes.REPEATED_SEED: (
        "provenance",
        lambda b, log, pub: b.folder({"a.txt": log(), "b.txt": log(val_loss=1.0)}),
    ),
    codes.MIXED_SOURCE: (
        "provenance",
        lambda b, log, pub: with_file(
            b.published(script="import os\nx = 1\n"), "9.txt", pub(script="import os\nx = 2\n")
        ),
    ),
    codes.MIXED_HARDWARE: (
        "provenance",
        lambda b, log, pub: with_file(b.published(), "9.txt", pub(val_loss=3.2, n_gpus=1)),
    ),
    codes.MIXED_TORCH: (
        "provenance",
        lambda b, log, pub: with_file(b.published(), "9.txt", pub(val_loss=3.2, torch="2.9.0")),
    ),
    codes.LOG_CHANGED: (
        "provenance",
        lambda b, log, pub: with_file(b.record(), "logs/seed-000.txt", log(val_loss=1.0)),
    ),
    codes.NOT_A_RUN: ("provenance", lambda b, log, pub: with_file(b.published(), "a.txt", "words")),
    codes.LOG_NOT_IN_LEDGER: (
        "provenance",
        lambda b, log, pub: with_file(b.record(), "logs/b.txt", log(seed=9, val_loss=1.0)),
    ),
    codes.SOURCE_CHANGED: (
        "provenance",
        lambda b, log, pub: b.record(stated_sha256="ab" * 32),
    ),
    codes.CLAIM_NOT_CONFIRMED: (
        "provenance",
        lambda b, log, pub: b.folder({"record.toml": '[published]\nlosses = [3, 4]\np = "0.01"'}),
    ),
    codes.SEED_CHANGED: ("provenance", lambda b, log, pub: b.record(logs={0: log(seed=9)})),
    codes.EARLY_STOP: ("provenance", lambda b, log, pub: b.published(last_step=1000)),
    codes.DIRTY_TREE: ("provenance", lambda b, log, pub: b.record(clean=False)),
    codes.RECIPE_CHANGED: ("provenance", lambda b, log, pub: b.record(recipe="another")),
    codes.CLAIMS_NOT_READ: (
        "provenance",
        lambda b, log, pub: with_file(b.published(), "README.md", "p=0.5\n" * 2**18),
    ),
    codes.SEVERAL_GROUPS: (
        "provenance",
        lambda b, log, pub: declaring(
            with_file(b.published(), "9.txt", pub(val_loss=3.2, steps=1750)),
            '[sample]\nlogs = ["00.txt"]\n',
        ),
    ),
    codes.UNDECIDED: (
        "provenance",
        lambda b, log, pub: with_file(b.published(), "9.txt", pub(val_loss=3.2, steps=1750)),
    ),
    codes.NEAR_COPY: ("provenance", lambda b, log, pub: b.folder(near_copy(pub))),
    codes.HIDDEN_RUN: (
        "provenance",
        lambda b, log, pub: with_file(
            b.published(), "README.md", step_lines((9, 18, 4.5, 1), (18, 18, 3.5, 2))
        ),
    ),
    codes.ENDS_DIFFER: (
        "provenance",
        lambda b, log, pub: b.folder({"a.log": "s:9 tel:3.2\n", "b.log": "s:8 tel:3.3\n"}),
    ),
    codes.RESUMED_RUN: (
        "provenance",
        lambda b, log, pub: b.folder(
            {
                "a.txt": step_lines((0, 9, 10.1, 0), (3, 9, 5.1, 3), (6, 9, 4.1, 6))
                + step_lines((3, 9, 5.2, 0), (9, 9, 3.2, 6))
            }
        ),
    ),
    codes.TIMES_CONTRADICT: (
        "provenance",
        lambda b, log, pub: b.folder({"a.txt": step_lines((50, 99, 4.1, 90), (99, 99, 3.2, 80))}),
    ),
    codes.DECLARED_EXCLUSION: (
        "provenance",
        lambda b, log, pub: declaring(
            with_file(b.published(), "9.txt", pub(val_loss=3.2, steps=1750)),
            excluded("9.txt", "baseline"),
        ),
    ),
    codes.NOT_A_BASELINE: (
        "provenance",
        lambda b, log, pub: declaring(b.published(), excluded("00.txt", "baseline")),
    ),
    codes.CRASHES_MATTER: (
        "provenance",
        lambda b, log, pub: declaring(
            with_file(b.published(), "9.txt", pub(val_loss=3.2, last_step=1390)),
            excluded("9.txt", "crashed"),
        ),
    ),
    codes.OPAQUE_FILE: (
        "provenance",
        lambda b, log, pub: b.folder({"a.txt": pub(), "more.zip": b"PK\x03\x04 and so on"}),
    ),
    codes.LEDGER_TIMES: (
        "provenance",
        lambda b, log, pub: ledger_at(b.record(), "2026-11-21T19:30:00Z"),
    ),
    codes.SEEDS_UNKNOWN: (
        "provenance",
        lambda b, log, pub: b.folder(
            {"a.txt": log(program="import os\n"), "b.txt": pub(steps=300, script="import os\n")}
        ),
    ),
    codes.SELECTED_BY_CALLER: (
        "provenance",
        lambda b, log, pub: (b.published(), {"exclude": ["00*"]}),
    ),
    codes.NO_LEDGER: (
        "provenance",
        lambda b, log, pub: b.folder({"a.txt": log(), "b.txt": log(seed=1, val_loss=1.0)}),
    ),
    codes.UNLISTED_LOG: (
        "provenance",
        lambda b, log, pub: with_file(
            b.published([3.271, 3.272, 3.273]), "README.md", "losses = [3.271, 3.272]"
        ),
    ),
    codes.TOO_MANY_FILES: ("provenance", lambda b, log, pub: with_many_files(b.published())),
    codes.FILE_REFUSED: ("provenance", lambda b, log, pub: with_linked_plan(b.published())),
    codes.UNPLANNED_RUN: (
        "provenance",
        lambda b, log, pub: with_file(b.published(), "record.toml", "runs = 5"),
    ),
}


@pytest.mark.parametrize("code", sorted(ALL_CODES))
def test_every_code_is_found_in_its_verdict_and_in_no_record_without_cause(
    build, log_text, published_log_text, code
):
    verdict, make = CASES[code]
    made = make(build, log_text, published_log_text)
    folder, options = made if isinstance(made, tuple) else (made, {})
    verdicts = verify(folder, **options).verdicts
    assert code in {finding.code for finding in getattr(verdicts, verdict).findings}
    clean = {finding.code for finding in verify(build.record(name="clean")).verdicts.findings()}
    assert code not in clean or code == codes.NO_BASELINE


def test_a_code_is_a_letter_and_three_digits_that_no_other_code_has():
    numbers = [code.split()[0] for code in ALL_CODES]
    assert len(set(numbers)) == len(numbers)
    assert all(len(n) == 4 and n[0] in "LSRP" and n[1:].isdigit() for n in numbers)
