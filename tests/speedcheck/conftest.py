"""Builders of synthetic logs and record folders, and ways to judge them.

The formats are written down here a second time, from docs/log-format.md and the specification, so
that the tests do not read what the code under test wrote.
"""

from __future__ import annotations

import hashlib
import json
import sys
from dataclasses import dataclass
from functools import partial
from importlib.resources import files
from pathlib import Path

import pytest
import tomli_w

import speedcheck
from speedcheck.certificate import Certificate
from speedcheck.cli import main
from speedcheck.races.race_plan import RacePlan, order, race_toml
from speedcheck.records.ledger_writer import LedgerWriter
from speedcheck.records.record_toml import Plan, write_plan
from speedcheck.records.shared_ledger import FolderLedger
from speedcheck.rules.tracks import TINY

# Tests are collected without packages; this makes foreign_scripts importable by its name.
sys.path.insert(0, str(Path(__file__).parent))

from foreign_scripts import FINAL

SEPARATOR = "=" * 100 + "\n"
PROGRAM = """\
# file: trainer/train.py
import sys

print("step:300/300 val_loss:0.0001 train_time:1ms step_avg:0.00ms")
"""
SCRIPT = """\
import torch

val_tokens = 10_485_760
print(f'step:{step}/{total} val_loss:{loss} train_time:{t}ms')
"""
SMI_ROW = "|   {index}  {name}          On  |   00000000:1{index}:00.0 Off |            0 |\n"

# Eight different losses, all well below the target of the track.
LOSSES = tuple(
    round(TINY.target - below, 6) for below in (0.11, 0.08, 0.12, 0.07, 0.09, 0.1, 0.06, 0.085)
)
SMALL_LOSSES = (3.2777, 3.2795, 3.2784, 3.2782, 3.2778, 3.2779)


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def make_log(
    *,
    seed=0,
    val_loss=LOSSES[0],
    steps=300,
    last_step=None,
    time_ms=9712,
    diverges_at=None,
    recipe="tiny",
    program=PROGRAM,
    stated_sha256=None,
    torch="2.13.0+cpu",
    gpus=(),
    clean=True,
    val_tokens=16384,
    config=None,
    header=None,
):
    """Write the log of one run of the bundled trainer.

    Args:
        last_step: where the log was cut; the last of `steps` unless given.
        diverges_at: the step at which the loss is nan and the run ends.
        stated_sha256: what the header says of the program; the truth unless given.
        header: further lines of the header.
    """
    values = {
        "speedcheck_log": 1,
        "seed": seed,
        "recipe": recipe,
        "config": config or {"depth": 6, "steps": steps},
        "source_sha256": stated_sha256 or sha256(program.encode()),
        "git": {"clean": clean, "commit": "4b825dc642cb6eb9a060e54bf8d69288fbee4904"},
        "data": {"train": [], "val": [], "val_tokens": val_tokens},
        "timing": "every training step is timed; validation is not",
        "host": {"cores": 2, "cpu": "a processor", "id": "5f0c1e2d3a4b", "os": "Linux"},
        "gpus": [{"driver": "550.127.05", "name": name} for name in gpus],
        "world": {"device": "cuda" if gpus else "cpu", "ranks": len(gpus) or 1, "threads": 1},
        "started": "2026-11-21T18:30:00Z",
        **(header or {}),
    }
    environment = [
        "Running Python 3.11.7 (main, Jan  9 2024, 10:00:00) [GCC 12.2.0]",
        f"Running PyTorch {torch} compiled for CPU",
        *(f"{key}: {json.dumps(value, sort_keys=True)}" for key, value in values.items()),
    ]
    output = []
    end = diverges_at or last_step or steps
    for step, loss in ((0, 5.768321), (steps // 2, val_loss + 0.5), (steps, val_loss)):
        if step <= end and step != diverges_at:
            ms = time_ms * step // steps
            fields = f"train_time:{ms}ms step_avg:{ms / max(step, 1):.2f}ms"
            output.append(f"step:{step}/{steps} val_loss:{loss:.6f} {fields}")
    if diverges_at:
        ms = time_ms * diverges_at // steps
        output.append(f"step:{diverges_at}/{steps} train_loss:nan train_time:{ms}ms")
        output.append(f'stopped: "loss is not a finite number at step {diverges_at}"')
    elif end == steps:
        output.append("peak memory allocated: 212 MiB reserved: 240 MiB")
    parts = (program, "\n".join(environment) + "\n", "\n".join(output) + "\n")
    return SEPARATOR.join(parts)


def make_published_log(
    *,
    val_loss=3.2779,
    steps=1393,
    last_step=None,
    time_ms=179_800,
    n_gpus=8,
    gpu="NVIDIA H100 80GB HBM3",
    torch="2.7.0.dev20250110+cu126",
    script=SCRIPT,
):
    """Write a run log as the public records hold them: script, nvidia-smi, step lines."""
    rows = (SMI_ROW.format(index=index, name=gpu) for index in range(n_gpus))
    environment = (
        "Running Python 3.12.7 (main, Oct 16 2024, 04:37:19) [Clang 18.1.8 ]\n"
        f"Running PyTorch {torch} compiled for CUDA 12.6\n" + "".join(rows)
    )
    output = ""
    for step, loss in ((0, 10.8258), (125, 4.4043), (last_step or steps, val_loss)):
        ms = time_ms * step // steps
        average = f"{ms / max(step, 1):.2f}"
        output += (
            f"step:{step}/{steps} val_loss:{loss:.4f} train_time:{ms}ms step_avg:{average}ms\n"
        )
    return SEPARATOR.join((script, environment, output))


def make_ledger(entries):
    """Chain entries into a ledger: each line holds the SHA-256 of the line before it."""
    previous, lines = "0" * 64, []
    for entry in entries:
        known = {"utc": "2026-11-21T18:30:00Z", "log": None, "log_sha256": None, "reason": ""}
        line = json.dumps({**known, **entry, "prev": previous}, sort_keys=True).encode()
        previous = sha256(line)
        lines.append(line + b"\n")
    return b"".join(lines)


@dataclass(frozen=True)
class Builder:
    """Writes record folders below `path`."""

    path: Path

    def folder(self, files, name="submission"):
        """Write a folder of files, given as text or bytes by their names."""
        root = self.path / name
        root.mkdir(parents=True, exist_ok=True)
        for file, content in files.items():
            (root / file).parent.mkdir(parents=True, exist_ok=True)
            data = content if isinstance(content, bytes) else content.encode()
            (root / file).write_bytes(data)
        return root

    def published(self, losses=SMALL_LOSSES, name="submission", **options):
        """Write a folder of published logs without anything else."""
        logs = {
            f"{index:02d}.txt": make_published_log(val_loss=x, time_ms=179_800 + index, **options)
            for index, x in enumerate(losses)
        }
        return self.folder(logs, name)

    def record(
        self,
        losses=LOSSES,
        *,
        name="record",
        plan=None,
        logs=None,
        endings=None,
        details=None,
        **options,
    ):
        """Write a folder as `speedcheck run` does, but for its reports.

        Args:
            losses: final losses of the seeds 0, 1, ...
            plan: keys of record.toml that are not as usual; None as the value leaves one out.
            logs: seeds whose log's text is another; None as the text leaves the log out.
            endings: seeds that end otherwise than with the events started and finished.
            details: what the ledger notes of every start and end.
            options: arguments of `make_log` for every log.
        """
        seeds = range(len(losses))
        texts = {
            seed: make_log(seed=seed, val_loss=loss, time_ms=9712 + seed, **options)
            for seed, loss in zip(seeds, losses, strict=True)
        } | (logs or {})
        entries = [{"event": "planned", "seed": seed} for seed in seeds]
        for seed in seeds:
            events = (endings or {}).get(seed, ("started", "finished"))
            for index, event in enumerate(events):
                # Only the last attempt has left a log.
                later = events[index + 1 :].count("started")
                text = None if later else texts[seed]
                ended = event != "started" and text is not None
                digest = sha256(text.encode()) if ended else None
                log = f"seed-{seed:03d}{f'.before-{later}' if later else ''}.txt"
                entry = {"event": event, "seed": seed, "log": log, "log_sha256": digest}
                entries.append(entry | ({"details": details} if details else {}))
        usual = {
            "name": name,
            "date": "2026-11-30",
            "track": TINY.name,
            "recipe": "tiny",
            "runs": len(losses),
            "seeds": list(seeds),
        }
        values = {k: v for k, v in (usual | (plan or {})).items() if v is not None}
        files = {"record.toml": tomli_w.dumps(values), "ledger.jsonl": make_ledger(entries)}
        files |= {f"logs/seed-{s:03d}.txt": text for s, text in texts.items() if text is not None}
        return self.folder(files, name)

    def sequential(self, losses=LOSSES, *, maximum=64, plan=None, name="record", **options):
        """Write a folder as `speedcheck run --until-certified` does, after so many runs."""
        seeds = {"runs": maximum, "seeds": list(range(maximum)), "stopping_rule": "sequential"}
        folder = self.record(losses, name=name, plan=seeds | (plan or {}), **options)
        details = {"stopping_rule": "sequential", "max_seeds": maximum}
        entries = [
            {"event": "planned", "seed": seed, "details": details} for seed in range(maximum)
        ]
        path = folder / "ledger.jsonl"
        written = map(json.loads, path.read_text().splitlines())
        entries += [entry for entry in written if entry["event"] != "planned"]
        path.write_bytes(make_ledger(entries))
        return folder


@dataclass(frozen=True)
class Result:
    """How a call of the command line ended."""

    code: int
    out: str
    err: str


@pytest.fixture(scope="session")
def schema_validator():
    """Give the validator of a certificate's JSON; None without jsonschema.

    Then test_schema.py fails, and the other tests still say what they find.
    """
    try:
        from jsonschema import Draft202012Validator
    except ModuleNotFoundError:
        return None
    text = files("speedcheck").joinpath("schema/certificate.schema.json").read_text()
    return Draft202012Validator(json.loads(text))


@pytest.fixture(autouse=True)
def every_certificate_follows_the_schema(monkeypatch, schema_validator):
    """Hold each certificate that a test makes to the JSON Schema."""
    if schema_validator is None:
        return
    original = Certificate.__init__

    def validated(certificate, *arguments, **keywords):
        original(certificate, *arguments, **keywords)
        schema_validator.validate(json.loads(certificate.to_json()))

    monkeypatch.setattr(Certificate, "__init__", validated)


@pytest.fixture
def build(tmp_path):
    """Write record folders into a temporary folder."""
    return Builder(tmp_path)


@pytest.fixture(scope="session")
def builder_at():
    """Write record folders below a path of the test's own, as properties need it."""
    return Builder


@pytest.fixture(scope="session")
def script_text():
    """Give the program that published logs embed."""
    return SCRIPT


@pytest.fixture(scope="session")
def whole_programs():
    """Give training programs of full length by their names: text, as logs embed it."""
    folder = Path(__file__).parent / "program" / "programs"
    return {path.stem: path.read_text() for path in sorted(folder.glob("*.txt"))}


@pytest.fixture(scope="session")
def log_text():
    """Write the text of a log of the bundled trainer."""
    return make_log


@pytest.fixture(scope="session")
def published_log_text():
    """Write the text of a published log."""
    return make_published_log


@pytest.fixture(scope="session")
def ledger_bytes():
    """Write a ledger with a valid chain."""
    return make_ledger


@pytest.fixture(scope="session")
def losses():
    """Losses of a record that certifies on the track tiny."""
    return LOSSES


@pytest.fixture(scope="session")
def small_losses():
    """Losses of a record that certifies on the track gpt2-small."""
    return SMALL_LOSSES


@pytest.fixture(scope="session")
def findings_of():
    """Judge a folder and give its findings by their codes."""

    def judge(folder, **overrides):
        found = {}
        for finding in speedcheck.verify(folder, **overrides).verdicts.findings():
            found.setdefault(finding.code, []).append(finding)
        return found

    return judge


@pytest.fixture
def cli(capsys, monkeypatch):
    """Call the command line as in a terminal of 80 columns without colour."""
    monkeypatch.setenv("COLUMNS", "80")
    for name in ("FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
        monkeypatch.delenv(name, raising=False)

    def call(*arguments):
        code = main([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return Result(code, captured.out, captured.err)

    return call


def write_race(path, a, b, *, pairs=8, aa=False, name="race", trainers=("recipe-a", "recipe-b")):
    """Write the folder of a race with these times in seconds, as `speedcheck race` does."""
    folder = path / "race"
    for side, trainer in zip("ab", trainers, strict=True):
        (folder / side / "logs").mkdir(parents=True)
        plan = Plan(name=side, track="gpt2-small", recipe=trainer)
        write_plan(folder / side / "record.toml", plan)
    plan = RacePlan(name, "2026-11-28", "gpt2-small", pairs, 0.01, aa)
    (folder / "race.toml").write_text(race_toml(plan))
    times = {"a": a, "b": b}
    (folder / "ledger.jsonl").touch()
    with LedgerWriter(folder / "ledger.jsonl", logs=folder) as writer:
        for side, pair in order(pairs):
            FolderLedger(writer, side).append("planned", pair)
        for side, pair in order(min(len(a), len(b))):
            log = folder / side / "logs" / f"seed-{pair:03d}.txt"
            own = FolderLedger(writer, side)
            own.append("started", pair, log=log, details={"host": {"id": "h"}})
            log.write_text(FINAL.format(4, f"3.27{pair:02d}", f"{times[side][pair] * 1000:.0f}"))
            own.append("finished", pair, log=log)
    return folder


@pytest.fixture
def make_race(tmp_path):
    """Write the folder of a race into a temporary folder."""
    return partial(write_race, tmp_path)


@pytest.fixture(scope="session")
def race_at():
    """Write the folder of a race below a path of the test's own."""
    return write_race
