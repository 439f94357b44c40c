"""Submissions that the gate must reject, by kind, each with its reason."""

from __future__ import annotations

import io
import re
import subprocess
import tarfile
import zipfile

from tests.speedcheck.gate.branches import (
    BAD,
    GOOD,
    NEW,
    OLD,
    bad_log,
    below,
    both,
    change_merged,
    honest_logs,
    move,
    submit,
)
from tests.speedcheck.gate.submissions import (
    EVERY,
    STEPS,
    Options,
    make_log,
    make_logs,
    plan,
    step_lines,
    with_plan,
)


def near_copy_of_losses(rng):
    logs = honest_logs(rng)
    text = logs["00.txt"].decode()
    last = re.search(rf"step:{STEPS}/{STEPS} val_loss:([\d.]+)", text)[1]
    text = re.sub(r"train_time:(\d+)ms", lambda m: f"train_time:{int(m[1]) * 101 // 100}ms", text)
    text = re.sub(r" step_avg:[\d.]+ms", "", text)
    return submit(logs | {"99.txt": text.replace(last, f"{float(last) - 0.0011:.4f}").encode()})


def near_copy_of_times(rng):
    logs = honest_logs(rng)
    text = logs["00.txt"].decode()
    text = re.sub(r"train_time:([1-9]\d*)ms", lambda m: f"train_time:{int(m[1]) + 7}ms", text)
    text = re.sub(
        r"val_loss:([\d.]+)",
        lambda m: f"val_loss:{float(m[1]) - rng.uniform(0.0005, 0.004):.4f}",
        text,
    )
    return submit(logs | {"99.txt": re.sub(r" step_avg:[\d.]+ms", "", text).encode()})


def copy_across(_):
    def apply(clone):
        logs = {f"{p.stem}-again.log": p.read_bytes() for p in (clone.root / OLD).glob("*.txt")}
        clone.write(below(NEW, logs))

    return apply


def near_copy_across(rng):
    def apply(clone):
        theirs = (clone.root / OLD / "03.txt").read_text()
        last = re.search(rf"step:{STEPS}/{STEPS} val_loss:([\d.]+)", theirs)[1]
        edited = theirs.replace(last, f"{float(last) - 0.0013:.4f}").encode()
        clone.write(below(NEW, honest_logs(rng) | {"99.txt": edited}))

    return apply


def last_clock(rng, clock):
    """Another clock on the last line of one log; `\\2` is its train time."""
    logs = honest_logs(rng)
    last = rf"(step:{STEPS}/{STEPS} val_loss:\S+) (train_time:\S+) .*"
    text = re.sub(last, rf"\1 {clock}", logs["02.txt"].decode())
    return submit(logs | {"02.txt": text.encode()})


def zipped(content: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("bad.txt", content)
    return file.getvalue()


def tarred(content: bytes) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        entry = tarfile.TarInfo("bad.txt")
        entry.size = len(content)
        archive.addfile(entry, io.BytesIO(content))
    return file.getvalue()


def link(rng):
    def apply(clone):
        clone.write(below(NEW, honest_logs(rng)))
        (clone.root / NEW / "99.txt").symlink_to("/etc/hostname")

    return apply


def submodule(rng):
    def apply(clone):
        clone.write(below(NEW, honest_logs(rng)))
        inner = clone.root / NEW / "more"
        subprocess.run(["git", "init", "--quiet", str(inner)], check=True)
        identity = ["-c", "user.name=x", "-c", "user.email=x@example.invalid"]
        commit = ["git", "-C", str(inner), *identity, "commit", "--allow-empty", "-qm", "x"]
        subprocess.run(commit, check=True)

    return apply


def declared(rng, role, **options):
    logs = honest_logs(rng) | {f"other/{i}.txt": bad_log(rng, **options) for i in range(3)}
    excluded = [{"logs": ["other/*"], "role": role, "reason": "not ours"}]
    return submit(with_plan(logs, excluded=excluded))


def left_out_without_its_program(rng):
    bare = step_lines(bad_log(rng))
    return submit(with_plan(honest_logs(rng) | {"bare.txt": bare}, sample={"logs": ["0*.txt"]}))


def whole_run_under_a_longer_plan(rng):
    longer = bad_log(rng).replace(b"/%d" % STEPS, b"/%d" % (3 * STEPS))
    excluded = [{"logs": ["99.txt"], "role": "crashed", "reason": "crashed"}]
    return submit(with_plan(honest_logs(rng) | {"99.txt": longer}, excluded=excluded))


def in_a_table(rng):
    found = re.findall(rb"(?m)^step:(\d+)/\d+ val_loss:(\S+)", step_lines(bad_log(rng)))
    table = b"step,val_loss\n" + b"".join(b"%b,%b\n" % row for row in found)
    return submit(honest_logs(rng) | {"history.csv": table})


def one_line_a_document(rng):
    """A line of the bad run in each README; the first of them repeats one of a merged run."""

    def apply(clone):
        lines = [x for x in step_lines(bad_log(rng)).splitlines() if b"val_loss" in x]
        merged = step_lines((clone.root / OLD / "02.txt").read_bytes()).splitlines()
        told = [merged[-1], *lines[3:7]]
        readmes = {f"{i}/README.md": b"Then: " + line + b"\n" for i, line in enumerate(told)}
        submit(with_plan(honest_logs(rng) | readmes))(clone)

    return apply


def in_one_line_of_a_log(rng):
    logs = honest_logs(rng)
    logs["02.txt"] += step_lines(bad_log(rng)).replace(b"\n", rb"\n") + b"\n"
    return submit(logs)


def crashes_that_matter(rng):
    excluded = [{"logs": ["c/*"], "role": "crashed", "reason": "crashed"}]
    finals = [3.2760 + rng.uniform(-0.0003, 0.0003) for _ in range(7)] + [3.2815]
    logs = {f"{i}.txt": make_log(rng, final) for i, final in enumerate(finals)} | {
        f"c/{i}.txt": make_log(rng, GOOD, Options(last=EVERY)) for i in range(12)
    }
    return submit(with_plan(logs, excluded=excluded))


def llm_c(rng):
    def text(last):
        losses = [(step, 3.2765 + 7.5 * (1 - step / last) ** 3) for step in range(0, last + 1, 100)]
        return "".join(f"s:{s} tel:{x + rng.gauss(0, 0.0005):.4f}\n" for s, x in losses).encode()

    return submit({f"{i}.log": text(5000 + 100 * (i % 2)) for i in range(6)}, "records/open/x")


def exclude_merged(files):
    excluded = [{"logs": ["03.txt"], "role": "retiming", "reason": "slow"}]
    return with_plan(files, excluded=excluded)


def edit_merged(files):
    return files | {"03.txt": files["03.txt"].replace(b"val_loss:3.", b"val_loss:2.", 1)}


def without(name):
    return lambda files: {key: value for key, value in files.items() if key != name}


DISHONEST = {
    "hidden in the README": (
        lambda rng: submit(honest_logs(rng) | {"README.md": step_lines(bad_log(rng))}),
        "P028 hidden-run",
    ),
    "hidden in a program": (
        lambda rng: submit(
            honest_logs(rng) | {"train.py": b'"""\n' + step_lines(bad_log(rng)) + b'"""\n'}
        ),
        "P028 hidden-run",
    ),
    "hidden in a program in a folder of its own": (
        lambda rng: submit(
            honest_logs(rng) | {"tools/x.py": b'"""\n' + step_lines(bad_log(rng)) + b'"""\n'}
        ),
        "P028 hidden-run",
    ),
    "hidden in the README of all records": (
        lambda rng: both(
            submit(honest_logs(rng)), submit({"README.md": step_lines(bad_log(rng))}, "records")
        ),
        "P028 hidden-run",
    ),
    "in a table": (in_a_table, "P028 hidden-run"),
    "one line a document": (one_line_a_document, r"P028 hidden-run: holds 4 .*1/README\.md"),
    "in one line of a log": (in_one_line_of_a_log, "P028 hidden-run"),
    "left out without its program": (left_out_without_its_program, "P029 undecided-sample"),
    "a whole run under a longer plan": (whole_run_under_a_longer_plan, "P035 crashes-matter"),
    "in a hidden folder": (
        lambda rng: submit(honest_logs(rng) | {".cache/bad.txt": bad_log(rng)}),
        "L005 not-significant",
    ),
    "under another ending": (
        lambda rng: submit(honest_logs(rng) | {"notes.md": bad_log(rng)}),
        "L005 not-significant",
    ),
    "in another encoding": (
        lambda rng: submit(honest_logs(rng) | {"bad.dat": bad_log(rng).decode().encode("utf-16")}),
        "L005 not-significant|P028 hidden-run",
    ),
    "in full-width characters": (
        lambda rng: submit(
            honest_logs(rng)
            | {
                "bad.txt": step_lines(bad_log(rng))
                .decode()
                .replace(":", "\N{FULLWIDTH COLON}")
                .encode()
            }
        ),
        "L005 not-significant|P028 hidden-run",
    ),
    "cut": (
        lambda rng: submit(honest_logs(rng) | {"99.txt": bad_log(rng, last=1000)}),
        "P004 incomplete-log",
    ),
    "diverged": (
        lambda rng: submit(honest_logs(rng) | {"99.txt": bad_log(rng, diverged=True)}),
        "L003 diverged-run",
    ),
    "a near-copy with other times": (near_copy_of_losses, "P027 near-copy"),
    "a near-copy with other losses": (near_copy_of_times, "P027 near-copy"),
    "copies of a merged record": (copy_across, "P027 near-copy"),
    "a near-copy of a merged run": (near_copy_across, "P027 near-copy"),
    "re-tracked": (
        lambda rng: submit(with_plan(make_logs(rng, 6, BAD), track="tiny")),
        "the track tiny is not allowed here",
    ),
    "re-tracked to one without hardware": (
        lambda rng: submit(with_plan(honest_logs(rng), track="gpt2-small-steps")),
        "the track gpt2-small-steps is not allowed here",
    ),
    "an easier target": (
        lambda rng: submit(with_plan(make_logs(rng, 6, BAD), target=3.5)),
        "L007 lenient-rule",
    ),
    "an easier level": (
        lambda rng: submit(with_plan(make_logs(rng, 6, 3.2795), alpha=0.4)),
        "L007 lenient-rule",
    ),
    "a rule of its own": (
        lambda rng: both(
            submit(with_plan(make_logs(rng, 6, BAD), track="mine")),
            submit({"speedcheck.toml": b"[tracks.mine]\ntarget = 9.0\n"}, "."),
        ),
        "no track is called 'mine'",
    ),
    "dressed up as a systems record": (
        lambda rng: submit(
            with_plan(make_logs(rng, 8, 3.2798, Options(step_ms=100.0)), kind="systems")
        ),
        "a systems record does not pass here",
    ),
    "a systems record that is worse": (
        lambda rng: submit(
            with_plan(make_logs(rng, 8, 3.2820, Options(step_ms=100.0)), kind="systems"),
            "records/systems/x",
        ),
        "L014 loss-not-shown-non-inferior|L010 worse-than-baseline",
    ),
    "a systems record that is slower": (
        lambda rng: submit(
            with_plan(make_logs(rng, 8, 3.2768, Options(step_ms=150.0)), kind="systems"),
            "records/systems/x",
        ),
        "S004 slower-than-baseline",
    ),
    "dressed up as a baseline": (
        lambda rng: declared(rng, "baseline"),
        "P034 baseline-is-the-record",
    ),
    "dressed up as an ablation": (
        lambda rng: declared(rng, "ablation"),
        "P034 baseline-is-the-record",
    ),
    "a whole run dressed up as crashed": (
        lambda rng: declared(rng, "crashed"),
        "L005 not-significant",
    ),
    "a late crash": (lambda rng: declared(rng, "crashed", last=STEPS - 15), "P035 crashes-matter"),
    "crashes without which the test would not pass": (crashes_that_matter, "P035 crashes-matter"),
    "other steps": (
        lambda rng: submit(
            honest_logs(rng) | make_logs(rng, 2, BAD, Options(steps=STEPS + 10), name="b{}.txt")
        ),
        "P029 undecided-sample",
    ),
    "ends without a plan": (llm_c, "P030 ends-differ"),
    "a clock that runs backwards": (
        lambda rng: last_clock(rng, "train_time:99999ms step_avg:71.94ms"),
        "P032 times-contradict: train_time falls",
    ),
    "an average that does not fit": (
        lambda rng: last_clock(rng, r"\2 step_avg:99.00ms"),
        "P032 times-contradict",
    ),
    "too fast to be true": (
        lambda rng: submit(honest_logs(rng, step_ms=11.0)),
        "less than 0.1 of the track's fastest",
    ),
    "no program": (lambda rng: submit(honest_logs(rng, program=None)), "R004 source-not-read"),
    "no hardware": (lambda rng: submit(honest_logs(rng, n_gpus=0)), "R003 hardware-unknown"),
    "other hardware": (
        lambda rng: submit(honest_logs(rng, gpu="NVIDIA GeForce RTX 4090")),
        "R001 wrong-hardware",
    ),
    "in an archive": (
        lambda rng: submit(honest_logs(rng) | {"logs.zip": zipped(bad_log(rng))}),
        "P036 opaque-file",
    ),
    "in an archive with a log's name": (
        lambda rng: submit(honest_logs(rng) | {"99.txt": tarred(bad_log(rng))}),
        "P036 opaque-file|L005 not-significant",
    ),
    "in an archive in a folder of its own": (
        lambda rng: submit(honest_logs(rng) | {"more/logs.zip": zipped(bad_log(rng))}),
        "P036 opaque-file",
    ),
    "behind a link": (link, "links are not followed: 99.txt"),
    "in a submodule": (submodule, "submodules are not read: more"),
    "in another folder": (
        lambda rng: submit(
            {f"a/{n}": log for n, log in honest_logs(rng).items()}
            | {f"b/{n}": log for n, log in make_logs(rng, 6, GOOD).items()}
        ),
        "logs are in 2 folders .* and no record.toml declares them",
    ),
    "a forged certificate": (
        lambda rng: submit(make_logs(rng, 6, BAD) | {"certificate.json": b'{"certified": true}'}),
        "L005 not-significant",
    ),
    "nothing to judge": (
        lambda rng: submit({"README.md": b"# 3.27 in 10 s\n"}),
        "nothing in it could be judged",
    ),
    "a record.toml over all records": (
        lambda rng: submit({"record.toml": plan()}, "records"),
        "is directly in records",
    ),
    "added runs": (
        lambda rng: change_merged(lambda f: f | make_logs(rng, 2, 3.2740, name="more{}.txt")),
        "adds 2 counted runs to a merged record",
    ),
    "a merged log edited": (
        lambda _: change_merged(edit_merged),
        "changes or removes logs that counted: 03.txt",
    ),
    "a merged log removed": (
        lambda _: change_merged(without("03.txt")),
        "changes or removes logs that counted: 03.txt",
    ),
    "a merged run excluded": (
        lambda _: change_merged(exclude_merged),
        "runs that counted do not count any more: 03.txt",
    ),
    "a merged record judged at another step": (
        lambda _: change_merged(lambda f: with_plan(f, sample={"at_step": EVERY * 11})),
        "runs that counted count with other figures",
    ),
    "a merged record hidden in a README that was mended": (
        lambda rng: change_merged(lambda f: f | {"README.md": step_lines(bad_log(rng))}),
        "P028 hidden-run",
    ),
    "a removed record": (
        lambda _: lambda clone: clone.git("rm", "-r", "--quiet", OLD),
        "removes this record",
    ),
    "moved out of the records": (lambda _: move("archive/old"), "removes this record"),
}
