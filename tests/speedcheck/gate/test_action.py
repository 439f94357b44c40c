"""action.yml: the very steps that GitHub would run, in a shell, on good and bad branches."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
ACTION = ROOT / "action.yml"


def steps() -> dict[str, str]:
    """The scripts of the action by the names of their steps."""
    found = {}
    for block in ACTION.read_text().split("    - name: ")[1:]:
        name, _, rest = block.partition("\n")
        script = rest.split("      run: |\n")[1]
        found[name] = "\n".join(line.removeprefix(" " * 8) for line in script.splitlines())
    return found


@pytest.fixture
def runner(clone, tmp_path):
    """Run the action's second step as GitHub does; the first made its environment."""
    temporary = tmp_path / "runner"
    binary = temporary / "speedcheck/bin"
    binary.mkdir(parents=True)
    (binary / "python").symlink_to(sys.executable)
    # The interpreter behind a link finds its packages only through its own environment.
    home = Path(sys.executable).parents[1]
    if (home / "pyvenv.cfg").exists():
        (temporary / "speedcheck/pyvenv.cfg").write_text((home / "pyvenv.cfg").read_text())
    (temporary / "speedcheck/lib").symlink_to(home / "lib")

    def run(**inputs: str) -> tuple[int, str, Path]:
        output = tmp_path / "output"
        output.write_text("")
        environment = {
            "PATH": os.environ["PATH"],
            "RUNNER_TEMP": str(temporary),
            "GITHUB_OUTPUT": str(output),
            "GITHUB_STEP_SUMMARY": str(tmp_path / "summary.md"),
            "GITHUB_ACTIONS": "true",
            "PATHS": "",
            "BASE": "main",
            "HEAD": "HEAD",
            "COMMENT": "",
            **inputs,
        }
        done = subprocess.run(
            ["bash", "-c", steps()["Judge the records"]],
            cwd=clone.root,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        comment = re.search(r"comment=(.*)", output.read_text())
        return done.returncode, done.stdout + done.stderr, Path(comment[1])

    return run


def add(clone, folder: Path, below: str) -> None:
    clone.branch("work")
    for path in folder.rglob("*"):
        if path.is_file():
            clone.write({f"{below}/{path.relative_to(folder).as_posix()}": path.read_bytes()})
    clone.commit("record")


def test_a_good_branch_passes_and_leaves_a_comment(clone, runner, build):
    add(clone, build.record(), "records/new")
    code, out, comment = runner()
    assert code == 0, out
    assert "gate: open, 1 of 1 records pass" in out
    assert "CERTIFIED" in comment.read_text()
    assert clone.root not in comment.parents


def test_a_bad_branch_fails(clone, runner, build, losses):
    add(clone, build.record([loss + 0.5 for loss in losses]), "records/bad")
    code, out, comment = runner()
    assert code == 1, out
    assert "NOT CERTIFIED" in comment.read_text()


def test_inputs_are_data_and_never_commands(clone, runner, tmp_path):
    proof = tmp_path / "ran"
    for name in ("PATHS", "BASE", "HEAD"):
        code, out, _ = runner(**{name: f'$(touch {proof}); `touch {proof}`; "; touch {proof} #'})
        assert code == 2, out
    assert not proof.exists()


def test_several_folders_can_be_named(clone, runner, build):
    clone.commit("begin", {"records/README.md": "# Records\n"})
    add(clone, build.record(), "second/new")
    code, out, _ = runner(PATHS="records second")
    assert code == 0, out
    assert "pass second/new" in out


def test_the_action_asks_for_no_secret_and_no_other_action():
    text = ACTION.read_text()
    code = "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("#"))
    assert "secrets" not in code
    assert "uses:" not in code
    # An expression inside a script would paste a stranger's text into a shell.
    assert not any("${{" in script for script in steps().values())


def test_its_install_step_takes_pinned_versions_from_the_action_s_own_files():
    script = steps()["Install speedcheck"]
    assert '--constraint "$ACTION/constraints.txt" "$ACTION"' in script
    assert "torch" not in script
