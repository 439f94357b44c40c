from __future__ import annotations

import hashlib
import platform
import re
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from trainer.runtime import provenance
from trainer.runtime.provenance import PACKAGE


def git(folder: Path, *arguments: str) -> str:
    identity = ("-c", "user.name=Test", "-c", "user.email=test@example.org")
    done = subprocess.run(
        ["git", "-C", str(folder), *identity, *arguments],
        check=True,
        capture_output=True,
        text=True,
    )
    return done.stdout.strip()


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A committed repository with a package in it."""
    package = tmp_path / "trainer"
    package.mkdir()
    (package / "__init__.py").write_text("")
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-q", "-m", "start")
    return package


def test_the_program_is_every_source_file_but_the_tools_in_the_order_of_its_path() -> None:
    text = provenance.program_text()
    named = re.findall(r"^# file: trainer/(.*)$", text, re.MULTILINE)
    files = {p.relative_to(PACKAGE).as_posix() for p in PACKAGE.rglob("*.py")}
    assert files > provenance.TOOLS
    assert named == sorted(files - provenance.TOOLS)
    assert {"__main__.py", "model.py", "kernels/attention.py"} <= set(named)


@pytest.mark.slow
def test_no_part_of_training_loads_a_tool() -> None:
    """Whatever a run imports is in its log."""
    loads = "import sys, trainer.run, trainer.__main__, trainer.runtime.device\n"
    loads += "import trainer.operations.fused\n"
    loads += "print(*(name for name in sys.modules if name.startswith('trainer')))"
    done = subprocess.run(
        [sys.executable, "-c", loads],
        check=True,
        capture_output=True,
        text=True,
        cwd=PACKAGE.parent,
    )
    loaded = {name.removeprefix("trainer").removeprefix(".") for name in done.stdout.split()}
    tools = {tool.removesuffix(".py").replace("/", ".") for tool in provenance.TOOLS}
    assert "train" in loaded
    assert not loaded & tools


def test_the_program_text_holds_the_code_unchanged(tmp_path: Path) -> None:
    package = tmp_path / "p"
    (package / "sub").mkdir(parents=True)
    (package / "b.py").write_text("b = 2\n")
    (package / "sub" / "a.py").write_text("a = 'ü'\n")
    (package / "notes.txt").write_text("not code")
    assert provenance.program_text(package) == (
        "# file: p/b.py\nb = 2\n\n# file: p/sub/a.py\na = 'ü'\n"
    )


def test_the_program_text_cannot_be_mistaken_for_other_parts_of_the_log() -> None:
    text = provenance.program_text()
    assert "=" * 100 not in text.splitlines()
    assert not re.search(r"\d/\d+ val", text)


def test_the_digest_is_that_of_the_utf8_bytes() -> None:
    assert provenance.sha256("ü") == hashlib.sha256(b"\xc3\xbc").hexdigest()


def test_a_committed_tree_is_clean_and_names_its_commit(package: Path) -> None:
    assert provenance.git_state(package) == {
        "commit": git(package, "rev-parse", "HEAD"),
        "clean": True,
    }


def test_records_and_data_do_not_make_a_tree_dirty_but_code_does(package: Path) -> None:
    for folder in ("records", "data"):
        (package.parent / folder).mkdir()
        (package.parent / folder / "new").write_text("")
    state = provenance.git_state(package)
    assert state is not None
    assert state["clean"]
    (package / "__init__.py").write_text("changed = True\n")
    state = provenance.git_state(package)
    assert state is not None
    assert not state["clean"]


def test_a_package_that_no_repository_tracks_has_no_git_state(package: Path) -> None:
    installed = package.parent / "site-packages" / "trainer"
    installed.mkdir(parents=True)
    (installed / "__init__.py").write_text("")
    assert provenance.git_state(installed) is None


def test_the_host_is_told_apart_but_not_named() -> None:
    host = provenance.host()
    assert re.fullmatch("[0-9a-f]{12}", host["id"])
    assert platform.node() not in str(host)
    assert host == provenance.host()
    assert host["cores"] >= 1


def fake_nvidia_smi(folder: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    program = folder / "nvidia-smi"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")


# As nvidia-smi answers, in the order of the question.
SMI_CELLS = {
    "index": "1",
    "uuid": "GPU-5f0c",
    "name": "NVIDIA H100, 80GB HBM3",
    "driver_version": "550.127.05",
    "power.limit": "650.50",
    "clocks.sm": "345",
    "clocks.max.sm": "1980",
    "clocks.mem": "[N/A]",
}


def answering(cells: dict[str, str]) -> str:
    """A script that prints the cells that `--query-gpu=` asks for."""
    cases = "\n".join(f'{name}) printf "%s" "{text}";;' for name, text in cells.items())
    return f"""\
fields=$(printf "%s" "$1" | cut -d= -f2 | tr , " ")
first=1
for field in $fields; do
  [ $first ] || printf ", "
  first=
  case $field in
  {cases}
  esac
done
echo"""


def test_gpus_come_from_nvidia_smi_with_what_it_does_not_know_as_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_nvidia_smi(tmp_path, monkeypatch, answering(SMI_CELLS))
    assert provenance.gpus() == [
        {
            "index": 1,
            "id": "GPU-5f0c",
            "name": "NVIDIA H100, 80GB HBM3",
            "driver": "550.127.05",
            "power_limit_w": 650.5,
            "sm_clock_mhz": 345,
            "max_sm_clock_mhz": 1980,
            "memory_clock_mhz": None,
        }
    ]


def test_an_nvidia_smi_that_fails_means_no_gpus(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_nvidia_smi(tmp_path, monkeypatch, "echo cannot talk to the driver; exit 9")
    assert provenance.gpus() == []
    assert provenance.nvidia_smi() == ""


def test_an_nvidia_smi_that_hangs_means_no_gpus(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_nvidia_smi(tmp_path, monkeypatch, "exec sleep 60")
    monkeypatch.setattr(provenance, "_SECONDS", 0.1)
    assert provenance.gpus() == []
