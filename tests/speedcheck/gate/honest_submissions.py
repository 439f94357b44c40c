"""Submissions that the gate must let pass, by kind."""

from __future__ import annotations

import re

from tests.speedcheck.gate.branches import (
    GOOD,
    OLD,
    PNG,
    both,
    change_merged,
    honest_logs,
    move,
    submit,
)
from tests.speedcheck.gate.submissions import (
    EVERY,
    OTHER_PROGRAM,
    STEPS,
    Options,
    make_log,
    make_logs,
    step_lines,
    with_plan,
)


def with_stdout(rng):
    logs = honest_logs(rng)
    return submit(logs | {f"{name}.stdout": step_lines(log) for name, log in logs.items()})


def with_baseline(rng):
    logs = honest_logs(rng)
    other = make_logs(rng, 3, 3.2900, Options(program=OTHER_PROGRAM), name="baseline/{}.txt")
    excluded = [{"logs": ["baseline/*"], "role": "baseline", "reason": "the record before"}]
    return submit(with_plan(logs | other, sample={"logs": ["0*.txt"]}, excluded=excluded))


def with_a_crash(rng):
    excluded = [{"logs": ["crash.txt"], "role": "crashed", "reason": "a node went down"}]
    logs = honest_logs(rng, 8) | {"crash.txt": make_log(rng, GOOD, Options(last=EVERY))}
    return submit(with_plan(logs, excluded=excluded))


def with_quotations(rng):
    logs = honest_logs(rng)
    text = b"# Record\n\n    " + step_lines(logs["01.txt"]).replace(b"\n", b"\n    ")
    return submit(logs | {"README.md": text})


def with_the_course_of_the_record_before(rng):
    """A curve of a merged run, and its last lines in the README."""

    def apply(clone):
        merged = step_lines((clone.root / OLD / "02.txt").read_bytes())
        found = re.findall(rb"(?m)^step:(\d+)/\d+ val_loss:(\S+)", merged)
        files = {
            "before.csv": b"step,val_loss\n" + b"".join(b"%b,%b\n" % row for row in found),
            "README.md": b"# Record\n\n```\n" + b"\n".join(merged.splitlines()[-20:]) + b"\n```\n",
        }
        submit(honest_logs(rng) | files)(clone)

    return apply


def two_records(rng):
    return both(submit(honest_logs(rng), "records/one"), submit(honest_logs(rng), "records/two"))


def typo(_):
    fix = lambda files: files | {"README.md": files["README.md"].replace(b"teh", b"the")}  # noqa: E731
    return change_merged(fix)


def renamed_log(_):
    return change_merged(lambda files: files | {"logs/first.txt": files.pop("00.txt")})


def systems_record(rng):
    logs = make_logs(rng, 8, 3.2768, Options(step_ms=100.0))
    return submit(with_plan(logs, kind="systems"), "records/systems/x")


HONEST = {
    "logs alone": lambda rng: submit(honest_logs(rng)),
    "logs in a folder of their own": lambda rng: submit(
        {f"logs/{name}": log for name, log in honest_logs(rng).items()} | {"README.md": b"# R\n"}
    ),
    "a record.toml": lambda rng: submit(with_plan(honest_logs(rng))),
    "pictures, a license and a copy of the program": lambda rng: submit(
        honest_logs(rng)
        | {"loss.png": PNG, "LICENSE": b"MIT\n", "train.py": OTHER_PROGRAM.encode(), "x/y.png": PNG}
    ),
    "stdout beside logs": with_stdout,
    "a declared baseline of another program": with_baseline,
    "a declared crash": with_a_crash,
    "lines of its own logs in the README": with_quotations,
    "the course of a merged run": with_the_course_of_the_record_before,
    "a deliberate common early stop": lambda rng: submit(honest_logs(rng, last=STEPS - 40)),
    "two records": two_records,
    "a typo in a merged README": typo,
    "a picture beside merged logs": lambda _: change_merged(lambda f: f | {"loss.png": PNG}),
    "a merged log renamed": renamed_log,
    "a move": lambda _: move("records/2026/old"),
    "a move with a typo mended": lambda rng: both(typo(rng), move("records/elsewhere")),
    "a README of all records": lambda _: submit({"README.md": b"# Records\n"}, "records"),
    "runs added where the base allows it": lambda rng: submit(
        honest_logs(rng) | {"notes.zip": b"PK\x03\x04 notes"}, "records/open/x"
    ),
    "a systems record that is shown not to be worse": systems_record,
    "another track where the base allows it": lambda rng: submit(
        with_plan(honest_logs(rng, n_gpus=1), track="gpt2-small-steps"), "records/open/x"
    ),
}
