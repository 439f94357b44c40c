#!/usr/bin/env python3
"""sbatch, squeue, scancel and sacct in one file, by the name that it is called by.

A task is a process of this machine. The folder $FAKE_SLURM holds what the tests script:

- `refuse`: what sbatch complains of;
- `states.json`: states that squeue shows instead of the true ones, by the number of the task;
- `squeue-fails`: what squeue complains of;
- `sacct`: what sacct prints; without it accounting is off;
- `calls`: every call, one a line.
"""

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

HOME = Path(os.environ["FAKE_SLURM"])
ARRAY = "77"


def main() -> int:
    name, options = Path(sys.argv[0]).name, sys.argv[1:]
    with (HOME / "calls").open("a") as calls:
        calls.write(f"{name} {' '.join(options)}\n")
    return {"sbatch": sbatch, "squeue": squeue, "scancel": scancel, "sacct": sacct}[name](options)


def sbatch(options: list[str]) -> int:
    if (HOME / "refuse").exists():
        return complain((HOME / "refuse").read_text())
    script = sys.stdin.read()
    if "--test-only" in options:
        return 0
    given = dict(option.partition("=")[::2] for option in options)
    last = int(re.match(r"0-(\d+)", given["--array"])[1])
    (HOME / "name").write_text(given["--job-name"])
    for task in range(last + 1):
        start(task, script, given["--output"].replace("%a", str(task)).replace("%%", "%"))
    print(ARRAY)
    return 0


def start(task: int, script: str, output: str) -> None:
    pid_file = str(HOME / f"pid-{task}")
    # An orphan from the start: a task ends when the process that started it does.
    with Path(output).open("ab") as file:
        subprocess.run(
            ["/bin/sh", "-c", 'setsid /bin/sh -c "$1" & echo $! >"$2"', "sbatch", script, pid_file],
            env=os.environ | {"SLURM_ARRAY_TASK_ID": str(task)},
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=file,
            check=True,
        )


def squeue(options: list[str]) -> int:
    if (HOME / "squeue-fails").exists():
        return complain((HOME / "squeue-fails").read_text())
    states = HOME / "states.json"
    shown = json.loads(states.read_text()) if states.exists() else {}
    for path in sorted(HOME.glob("pid-*")):
        task = path.name.partition("-")[2]
        state = shown.get(task, "RUNNING" if is_alive(int(path.read_text())) else "")
        if state:
            word, _, reason = state.partition(" ")
            name = (HOME / "name").read_text()
            print(f"{name}|{ARRAY}|{task}|{word}|{reason or 'None'}|node1")
    return 0


def scancel(options: list[str]) -> int:
    for path in HOME.glob("pid-*"):
        task = path.name.partition("-")[2]
        if f"{ARRAY}_{task}" in options or any("--name=" in option for option in options):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(int(path.read_text()), signal.SIGTERM)
    return 0


def sacct(options: list[str]) -> int:
    answer = HOME / "sacct"
    if not answer.exists():
        return complain("Slurm accounting storage is disabled")
    print(answer.read_text())
    return 0


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().split(") ")[1][0] != "Z"
    except OSError:
        return False


def complain(text: str) -> int:
    print(f"{Path(sys.argv[0]).name}: error: {text}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
