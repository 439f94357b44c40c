"""A launcher that kills itself at a moment of its work: a step that changes the disk."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys

from speedcheck.cli import main
from speedcheck.records.ledger_writer import LedgerWriter

# What a launcher does to the disk or to its children; Python says so before it does it.
MOMENTS = frozenset({"os.mkdir", "os.rename", "shutil.copyfile"})


def start_and_kill(moment: int, command: tuple[str, ...]) -> bool:
    """Type a command in a process that kills itself at a moment; return whether it was killed.

    A moment is a step that changes the disk, among them each half of a line of the ledger, or the
    start of a run.
    """
    pid = os.fork()
    if pid == 0:
        try:
            count_moments(moment)
            sys.stdout = sys.stderr = io.StringIO()
            main(list(command))
        finally:
            os._exit(0)
    return os.WIFSIGNALED(os.waitpid(pid, 0)[1])


def count_moments(last: int) -> None:
    passed = 0

    def step() -> None:
        nonlocal passed
        passed += 1
        if passed > last:
            os.kill(os.getpid(), signal.SIGKILL)

    def heard(event: str, arguments: tuple[object, ...]) -> None:
        writes = event == "open" and set(str(arguments[1])) & set("wax+")
        if writes or event in MOMENTS:
            step()

    whole, open_process = LedgerWriter._write, subprocess.Popen.__init__

    def in_halves(writer: LedgerWriter, data: bytes) -> None:
        step()
        if passed == last:
            whole(writer, data[: len(data) // 2])
            step()
        whole(writer, data)
        step()

    def begun(process: subprocess.Popen[bytes], *arguments: object, **options: object) -> None:
        open_process(process, *arguments, **options)
        step()

    LedgerWriter._write = in_halves
    subprocess.Popen.__init__ = begun
    sys.addaudithook(heard)
