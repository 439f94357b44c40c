"""A tethered process ends with the one that started it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from trainer.runtime.tether import EXIT_ORPHANED

ROOT = Path(__file__).resolve().parents[3]
TETHERED = "from trainer.runtime.tether import tether; tether(); print('up', flush=True);"
BUSY = "\nwhile True: pass"
# A launcher whose child keeps its standard input open, as torchrun's ranks do.
PARENT = f"""
import subprocess, sys
child = subprocess.Popen([sys.executable, "-c", {TETHERED + BUSY!r}], start_new_session=True)
print(child.pid, flush=True)
child.wait()
"""


def start(program: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", program],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_a_busy_process_ends_when_its_standard_input_is_closed() -> None:
    with start(TETHERED + BUSY) as process:
        assert process.stdout.readline() == "up\n"
        assert process.poll() is None
        process.stdin.close()
        assert process.wait(timeout=20) == EXIT_ORPHANED


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks into /proc")
def test_a_process_ends_when_its_parent_is_killed_though_its_input_stays_open() -> None:
    with start(PARENT) as parent:
        said = {parent.stdout.readline().strip(), parent.stdout.readline().strip()}
        (pid,) = (int(word) for word in said - {"up"})
        assert is_alive(pid)
        parent.send_signal(signal.SIGKILL)
        parent.wait()
        limit = time.monotonic() + 20
        while is_alive(pid):
            assert time.monotonic() < limit
            time.sleep(0.02)


def test_input_that_waits_to_be_read_does_not_end_the_process() -> None:
    program = TETHERED + "import sys, time; time.sleep(1); print(sys.stdin.readline(), end='')"
    with start(program) as process:
        process.stdin.write("a job\n")
        process.stdin.flush()
        assert process.stdout.read() == "up\na job\n"
        assert process.wait(timeout=20) == 0


def test_torchrun_ends_with_its_launcher_while_it_still_starts() -> None:
    command = [sys.executable, "-m", "trainer.torchrun", "--standalone", "--nproc-per-node=2"]
    endless = ["--no-python", sys.executable, "-c", "import time; time.sleep(60)"]
    with subprocess.Popen(
        [*command, *endless],
        stdin=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    ) as torchrun:
        torchrun.stdin.close()
        assert torchrun.wait(timeout=60) == EXIT_ORPHANED
