"""Feed hostile bytes to everything that reads a submission, guided by coverage.

    pip install atheris
    python benchmarks/fuzz.py [CORPUS] -max_total_time=600

Every input goes to one reader, chosen by its first byte. A reader may refuse (a SpeedcheckError,
a problem in its result); any other exception is a bug, and so is a certificate figure that JSON
cannot hold. The arguments are libFuzzer's.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["speedcheck"]):
    from speedcheck.api import verify
    from speedcheck.errors import SpeedcheckError
    from speedcheck.logs import parse_log, parse_step_line
    from speedcheck.program import code_digest, compare, read_program
    from speedcheck.records.ledger import parse_ledger
    from speedcheck.records.record_toml import read_plan
    from speedcheck.report.certificate_markdown import certificates_markdown
    from speedcheck.report.markdown_text import code

FOLDER = Path(tempfile.mkdtemp(prefix="speedcheck-fuzz-"))


def fuzz_log(data: bytes) -> None:
    """Logs: runs or a problem, never neither."""
    log = parse_log(data, "log")
    if not log.runs and not log.problems:
        raise AssertionError("neither a run nor a problem")


def fuzz_step_line(data: bytes) -> None:
    """One line of a growing log."""
    parse_step_line(data.decode("utf-8", "replace"))


def fuzz_documents(data: bytes) -> None:
    """A README, a JSON document and a CSV table beside three logs, of 3.2781 and the like."""
    folder = FOLDER / "documents"
    if not folder.exists():
        folder.mkdir()
        for index, loss in enumerate((3.2781, 3.2778, 3.2785)):
            line = f"step:10/10 val_loss:{loss} train_time:100{index}ms step_avg:1.00ms\n"
            (folder / f"{index}.txt").write_text(line)
    for name, part in zip(("README.md", "a.json", "a.csv"), data.split(b"\xff", 2), strict=False):
        (folder / name).write_bytes(part)
    json.loads(verify(folder).to_json())


def fuzz_program(data: bytes) -> None:
    """Embedded programs, and two halves of one against each other."""
    text = data.decode("utf-8", "replace")
    half = len(text) // 2
    program = read_program(text)
    if (code_digest(program) is None) != bool(program.problem):
        raise AssertionError("a digest of what cannot be read, or none of what can")
    compare(read_program(text[:half]), read_program(text[half:]))


def fuzz_ledger(data: bytes) -> None:
    """Ledgers."""
    parse_ledger(data)


def fuzz_plan(data: bytes) -> None:
    """Files record.toml."""
    path = FOLDER / "record.toml"
    path.write_bytes(data)
    read_plan(path)


def fuzz_markdown(data: bytes) -> None:
    """Text of strangers in Markdown: one line, whatever it is."""
    if "\n" in code(data.decode("utf-8", "replace")):
        raise AssertionError("a line break in a code span")


def fuzz_folder(data: bytes) -> None:
    """A whole folder: two logs, a README, a record.toml and a ledger out of one input."""
    folder = FOLDER / "record"
    folder.mkdir(exist_ok=True)
    names = ("a.txt", "b.txt", "README.md", "record.toml", "ledger.jsonl")
    parts = (data.split(b"\xff", 4) + [b""] * 4)[:5]
    for name, part in zip(names, parts, strict=True):
        (folder / name).write_bytes(part)
    for name, part in zip(names[3:], parts[3:], strict=True):
        if not part:
            (folder / name).unlink()
    certificate = verify(folder)
    json.loads(certificate.to_json())
    certificates_markdown([certificate])


READERS = (
    fuzz_log,
    fuzz_log,
    fuzz_step_line,
    fuzz_documents,
    fuzz_documents,
    fuzz_program,
    fuzz_ledger,
    fuzz_plan,
    fuzz_markdown,
    fuzz_folder,
)


def fuzz(data: bytes) -> None:
    """Give the input to the reader that its first byte names."""
    if not data:
        return
    try:
        READERS[data[0] % len(READERS)](data[1:])
    except SpeedcheckError:
        return


if __name__ == "__main__":
    atheris.Setup(sys.argv, fuzz)
    atheris.Fuzz()
