"""A trainer that trains nothing: each seed's fate is in the folder of $STAND_IN.

`FOLDER/SEED` holds the fates of the seed's attempts, one a line: `finish`, `fail`, `hang`, `wait`
(until `FOLDER/go` exists), `killed`, `silent` (no log), `swell` (to twice its memory, then finish).
The last one is for every later attempt.
"""

import hashlib
import json
import os
import signal
import sys
import threading
import time
from pathlib import Path

PROGRAM = "# file: trainer/train.py\nprint('nothing')\n"
SEPARATOR = "=" * 100
STEPS = 4
SETUP = {
    "recipe": "tiny",
    "device": "cpu",
    "ranks": 1,
    "threads": 1,
    "steps": STEPS,
    "memory_mib": 200,
    "gpus": 0,
    "timeout_s": 600,
}
HOME = Path(os.environ["STAND_IN"])


def main() -> int:
    options = dict(zip(sys.argv[1:-1], sys.argv[2:], strict=True))
    if "--prepare" in sys.argv:
        print(json.dumps(SETUP))
        return 0
    if "--tethered" in sys.argv:
        threading.Thread(target=end_with, args=(os.getppid(),), daemon=True).start()
    if "worker" in sys.argv:
        return work()
    return train(int(options["--seed"]), Path(options["--log-dir"]) / options["--log-name"])


def end_with(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(0.2)
    os._exit(129)


def work() -> int:
    """The worker of `trainer worker --answers 0`: jobs and answers on one socket."""
    received = b""
    while chunk := os.read(0, 1 << 16):
        *lines, received = (received + chunk).split(b"\n")
        for job in map(json.loads, lines):
            status = train(job["seed"], Path(job["log"]))
            if status:
                return status
            os.write(0, json.dumps({"seed": job["seed"], "status": 0}).encode() + b"\n")
    return 0


def train(seed: int, log: Path) -> int:
    if fate_of(seed, log) == "silent":
        time.sleep(600)
    with log.open("x") as file:
        print(f"trainer writes {log.name}", file=sys.stderr, flush=True)
        file.write(head(seed))
        file.flush()
        status = meet(fate_of(seed, log), file)
        if not status:
            for step in range(1, STEPS + 1):
                file.write(line(step, f"train_loss:{6 - step:.6f}"))
            file.write(line(STEPS, f"val_loss:{1.18 + 0.01 * seed:.6f}"))
            file.write("peak memory allocated: 100 MiB reserved: 100 MiB\n")
        return status


def fate_of(seed: int, log: Path) -> str:
    fates = HOME / str(seed)
    lines = fates.read_text().split() if fates.exists() else ["finish"]
    attempt = int(log.stem.partition(".attempt-")[2] or 1)
    return lines[min(attempt, len(lines)) - 1]


def meet(fate: str, file) -> int:
    if fate == "fail":
        print("trainer: shard 3 is broken", file=sys.stderr)
        return 2
    if fate == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    if fate == "swell":
        swollen = bytearray(b"x") * (2 * SETUP["memory_mib"] << 20)
        time.sleep(5)
        del swollen
    while fate == "hang" or (fate == "wait" and not (HOME / "go").exists()):
        file.write(line(1, "train_loss:5.000000"))
        file.flush()
        time.sleep(0.2)
    return 0


def head(seed: int) -> str:
    facts = {
        "speedcheck_log": 1,
        "seed": seed,
        "recipe": "tiny",
        "config": {"name": "tiny", "steps": STEPS},
        "source_sha256": hashlib.sha256(PROGRAM.encode()).hexdigest(),
        "git": {"clean": True, "commit": "0" * 40},
        "gpus": [],
        "world": {"device": "cpu", "ranks": 1, "threads": 1},
    }
    lines = [
        PROGRAM + SEPARATOR,
        "Running Python 3.11.7 (main)",
        "Running PyTorch 2.13.0+cpu compiled for CPU",
        *(f"{key}: {json.dumps(value, sort_keys=True)}" for key, value in facts.items()),
        SEPARATOR,
    ]
    return "\n".join(lines) + "\n" + line(0, "val_loss:5.545177")


def line(step: int, loss: str) -> str:
    return f"step:{step}/{STEPS} {loss} train_time:{10 * step}ms step_avg:10.00ms\n"


if __name__ == "__main__":
    sys.exit(main())
