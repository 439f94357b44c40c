"""Folders in which one thing is wrong, for the tests of the codes."""

from __future__ import annotations

import hashlib
import json

from speedcheck.records.record_files import MAX_FILES

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
