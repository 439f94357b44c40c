"""action.yml: the very steps that GitHub would run, in a shell, on good and bad branches."""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[3]
ACTION = ROOT / "action.yml"
WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))

RULES = '[gate]\ntrack = "tiny"\nallow_unknown = ["rules"]\n'


@dataclass(frozen=True)
class Step:
    """A step as action.yml has it."""

    shell: str
    folder: str
    script: str


def steps() -> dict[str, Step]:
    """The steps of the action by their names."""
    found = {}
    for block in ACTION.read_text().split("    - name: ")[1:]:
        name, _, rest = block.partition("\n")
        head, script = rest.split("      run: |\n")
        found[name] = Step(
            shell=re.search(r"shell: (.*)", head)[1],
            folder=re.search(r"working-directory: (.*)", head)[1],
            script="\n".join(line.removeprefix(" " * 8) for line in script.splitlines()),
        )
    return found


def run_step(name: str, runner: Path, environment: dict[str, str]) -> subprocess.CompletedProcess:
    """Run a step as GitHub's runner does: its script in a file, its shell, its folder."""
    step = steps()[name]
    assert step.folder == "${{ runner.temp }}"
    script = runner / "step.sh"
    script.write_text(step.script)
    command = [part.replace("{0}", str(script)) for part in step.shell.split()]
    return subprocess.run(
        command, cwd=runner, env=environment, capture_output=True, text=True, check=False
    )


def hostile_files(proof: Path) -> dict[str, str]:
    """Files by which a pull request could get its code run, each leaving a proof."""
    python = f"import pathlib\npathlib.Path({str(proof)!r}).touch()\n"
    shell = f"#!/bin/sh\ntouch {proof}\n"
    modules = (
        *("venv", "pip", "ensurepip", "sitecustomize", "usercustomize", "site", "numpy", "json"),
        *("speedcheck/__init__", "speedcheck/__main__", "speedcheck/cli", "hatchling/build"),
        *("backend", "encodings/__init__"),
    )
    return {
        **{f"{module}.py": python for module in modules},
        "planted.pth": f"import pathlib; pathlib.Path({str(proof)!r}).touch()\n",
        "pyproject.toml": '[build-system]\nrequires = []\nbuild-backend = "backend"\n'
        'backend-path = ["."]\n',
        "setup.py": python,
        "setup.cfg": "[install]\nprefix = /nowhere\n",
        "pip.conf": "[global]\nindex-url = file:///nowhere\nno-index = true\n",
        ".python-version": "nothing\n",
        ".gitattributes": "* filter=planted diff=planted export-ignore\n",
        ".bash_profile": shell,
        **dict.fromkeys(("git", "python3", "bash", "env", ".git-hooks/post-checkout"), shell),
    }


def hostile_variables(checkout: Path) -> dict[str, str]:
    """Variables as a careless step before the action could leave them."""
    return {
        "PATH": f".:{os.environ['PATH']}",
        "PYTHONPATH": str(checkout),
        "PYTHONSTARTUP": str(checkout / "site.py"),
        "PYTHONUSERBASE": str(checkout),
        "BASH_ENV": str(checkout / ".bash_profile"),
        "ENV": str(checkout / ".bash_profile"),
        "PIP_CONFIG_FILE": str(checkout / "pip.conf"),
        "PIP_NO_INDEX": "1",
        "GIT_DIR": str(checkout / "nowhere"),
        "GIT_EXTERNAL_DIFF": str(checkout / "git"),
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": "core.fsmonitor",
        "GIT_CONFIG_VALUE_0": str(checkout / "git"),
        "BASH_FUNC_read%%": f"() {{ touch {checkout / 'proof'}; }}",
    }


def configure_hostile(clone) -> None:
    """Let the clone's own configuration name programs of the checkout."""
    planted = str(clone.root / "git")
    for key in ("filter.planted.clean", "filter.planted.smudge", "diff.external", "core.pager"):
        clone.git("config", key, planted)
    clone.git("config", "core.hooksPath", str(clone.root / ".git-hooks"))
    clone.git("config", "core.fsmonitor", planted)


@pytest.fixture
def runner(clone, tmp_path):
    """Run the action's second step as GitHub does; the first made its environment."""
    temporary = tmp_path / "runner"
    binary = temporary / "speedcheck/bin"
    binary.mkdir(parents=True)
    # Isolated, the interpreter finds this checkout's code by nothing but a file of its own.
    start = f"import sys; sys.path.insert(0, {str(ROOT)!r}); sys.argv = sys.argv[3:]; "
    start += "from speedcheck.cli import main; sys.exit(main())"
    (binary / "python").write_text(f'#!/bin/sh\nexec {sys.executable} -I -c "{start}" "$@"\n')
    (binary / "python").chmod(0o755)
    clone.commit("rules", {"speedcheck.toml": RULES})

    def run(**inputs: str) -> tuple[int, str, Path]:
        done, comment = judge(clone, temporary, **inputs)
        return done.returncode, done.stdout + done.stderr, comment

    return run


def judge(clone, temporary: Path, **inputs: str) -> tuple[subprocess.CompletedProcess, Path]:
    output = temporary / "output"
    output.write_text("")
    environment = {
        "PATH": os.environ["PATH"],
        "RUNNER_TEMP": str(temporary),
        "GITHUB_WORKSPACE": str(clone.root.parent),
        "GITHUB_OUTPUT": str(output),
        "GITHUB_STEP_SUMMARY": str(temporary / "summary.md"),
        "GITHUB_ACTIONS": "true",
        "PATHS": "",
        "BASE": "main",
        "HEAD": "HEAD",
        "REPOSITORY": clone.root.name,
        "COMMENT": "",
        **inputs,
    }
    done = run_step("Judge the records", temporary, environment)
    return done, Path(re.search(r"comment=(.*)", output.read_text())[1])


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
    assert "gate: pass (1 record)" in out
    assert "CERTIFIED" in comment.read_text()
    assert clone.root not in comment.parents


def test_a_bad_branch_fails(clone, runner, build, losses):
    add(clone, build.record([loss + 0.5 for loss in losses]), "records/bad")
    code, out, comment = runner()
    assert code == 1, out
    assert "NOT CERTIFIED" in comment.read_text()


@pytest.mark.slow
@pytest.mark.parametrize("worse", [0.0, 0.5])
def test_the_outputs_say_what_came_out_and_where_the_certificates_are(
    clone, runner, build, losses, tmp_path, worse
):
    add(clone, build.record([loss + worse for loss in losses]), "records/new")
    runner()
    lines = (tmp_path / "runner/output").read_text().splitlines()
    outputs = dict(line.split("=", 1) for line in lines)
    answer = "false" if worse else "true"
    assert (outputs["passed"], outputs["certified"]) == (answer, answer)
    found = json.loads(Path(outputs["certificate"]).read_text())
    assert found["passed"] == (not worse)
    page = (Path(outputs["report"]) / "record-1.html").read_text()
    assert ("NOT CERTIFIED" in page) == bool(worse)
    declared = yaml.safe_load(ACTION.read_text())["outputs"]
    assert set(declared) == set(outputs)


@pytest.mark.slow
def test_inputs_are_data_and_never_commands(clone, runner, tmp_path):
    proof = tmp_path / "ran"
    for name in ("PATHS", "BASE", "HEAD", "REPOSITORY"):
        code, out, _ = runner(**{name: f'$(touch {proof}); `touch {proof}`; "; touch {proof} #'})
        assert code == 2, out
    assert not proof.exists()


@pytest.mark.slow
def test_several_folders_can_be_named(clone, runner, build):
    clone.commit("begin", {"records/README.md": "# Records\n"})
    add(clone, build.record(), "second/new")
    code, out, _ = runner(PATHS="records second")
    assert code == 0, out
    assert "pass second/new" in out


@pytest.fixture(scope="module")
def installed(tmp_path_factory) -> Path:
    """The action's environment, installed by its own step beside a hostile checkout."""
    workspace, temporary = tmp_path_factory.mktemp("workspace"), tmp_path_factory.mktemp("runner")
    proof = workspace / "proof"
    for name, text in hostile_files(proof).items():
        (workspace / name).parent.mkdir(parents=True, exist_ok=True)
        (workspace / name).write_text(text)
        (workspace / name).chmod(0o755)
    environment = hostile_variables(workspace) | {
        "HOME": os.environ.get("HOME", "/"),
        "RUNNER_TEMP": str(temporary),
        "GITHUB_WORKSPACE": str(workspace),
        "INTERPRETER": sys.executable,
        "ACTION": str(ROOT),
    }
    done = run_step("Install speedcheck", temporary, environment)
    assert done.returncode == 0, done.stderr
    assert not proof.exists()
    return temporary


@pytest.mark.slow
def test_the_installed_judge_is_this_one_and_has_what_is_pinned(installed):
    """The step needs the package index, as `make install` did."""
    show = "import importlib.metadata as m; print([(d.name, d.version) for d in m.distributions()])"
    python = installed / "speedcheck/bin/python"
    done = subprocess.run([python, "-I", "-c", show], capture_output=True, text=True, check=True)
    found = {
        name.lower().replace("_", "-"): version for name, version in ast.literal_eval(done.stdout)
    }
    names = {"speedcheck", "pip", "setuptools"}
    # Some packages are pinned twice, for one Python or another.
    lines = (ROOT / "requirements/develop.txt").read_text().split()
    installed = {f"{name}=={version}" for name, version in found.items() if name not in names}
    assert installed <= set(lines)
    assert "torch" not in found


@pytest.mark.slow
@pytest.mark.parametrize("record", ["honest", "bad"])
def test_nothing_that_a_pull_request_plants_is_run(
    clone, installed, build, losses, tmp_path, record
):
    proof = tmp_path / "ran"
    clone.commit("rules", {"speedcheck.toml": RULES})
    worse = 0.5 if record == "bad" else 0.0
    add(clone, build.record([loss + worse for loss in losses]), f"records/{record}")
    plain, _ = judge(clone, installed)
    clone.write(hostile_files(proof))
    for path in clone.root.rglob("*"):
        if path.is_file() and ".git" not in path.parts:
            path.chmod(0o755)
    clone.commit("plant")
    configure_hostile(clone)
    hostile, _ = judge(clone, installed, **hostile_variables(clone.root))
    assert not proof.exists()
    assert not (clone.root / "proof").exists()
    assert plain.returncode == hostile.returncode == (1 if record == "bad" else 0), hostile.stderr
    assert f"{'fail' if record == 'bad' else 'pass'} records/{record}: tiny, 8 runs" in plain.stdout
    assert ("L005 not-significant" in plain.stdout) == (record == "bad")
    lines = hostile.stdout.splitlines()
    (planted,) = [line for line in lines if line.startswith("note:")]
    assert "files changed outside of the records, not judged" in planted
    assert plain.stdout.splitlines() == [line for line in lines if line != planted]


def test_the_action_asks_for_no_secret_and_no_other_action():
    text = ACTION.read_text()
    code = "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("#"))
    assert "secrets" not in code
    assert "uses:" not in code
    # An expression inside a script would paste a stranger's text into a shell.
    assert not any("${{" in step.script for step in steps().values())


def test_no_step_starts_in_the_checkout_or_reads_a_start_up_file():
    for step in steps().values():
        assert step.folder == "${{ runner.temp }}"
        assert step.shell == "bash --noprofile --norc -p -euo pipefail {0}"
        for line in step.script.splitlines():
            if re.search(r"python\"? |INTERPRETER", line):
                assert " -I " in line


def test_every_action_of_a_workflow_is_pinned_by_its_commit():
    used = [
        name
        for text in [path.read_text() for path in WORKFLOWS] + [ACTION.read_text()]
        for name in re.findall(r"uses: (\S+)", text)
        if name not in ("./", "OWNER/speedcheck@COMMIT")
    ]
    assert used
    for name in used:
        assert re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40}", name), name


def test_the_project_s_own_gate_job_runs_the_base_s_judge_beside_the_pull_request():
    text = (ROOT / ".github/workflows/ci.yml").read_text()
    job = text.partition("\n  gate:\n")[2]
    first, second = re.findall(r"uses: actions/checkout@.*?(?=\n      - )", job, re.DOTALL)
    assert "ref: ${{ github.event.pull_request.base.sha }}" in first
    assert "path:" not in first
    assert "path: pull-request" in second
    assert job.count("persist-credentials: false") == 2
    assert "run:" not in job
    assert re.search(r"^permissions:\n  contents: read$", text, re.MULTILINE)
    assert "secrets." not in text
    assert "pull_request_target" not in text


def pinned(name: str) -> dict[str, str]:
    """The versions of requirements/NAME.txt; each has a hash."""
    text = (ROOT / f"requirements/{name}.txt").read_text().replace("\\\n", " ")
    found = {}
    for line in text.splitlines():
        if line and not line.startswith("#"):
            requirement, *hashes = line.split("--hash=")
            assert hashes, line
            assert all(re.fullmatch(r"sha256:[0-9a-f]{64}\s*", digest) for digest in hashes), line
            package, version = re.match(r"([\w.-]+)==([\w.]+)", requirement).groups()
            found[package.lower()] = version
    return found


def test_what_the_action_installs_is_pinned_by_hash_to_the_versions_that_are_tested():
    develop = pinned("develop")
    assert pinned("run").items() <= develop.items()
    assert pinned("build").items() <= develop.items()
    assert "hatchling" in pinned("build")
    assert "torch" not in develop
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    needed = {re.match(r"[\w-]+", line)[0].lower() for line in project["dependencies"]}
    assert needed <= set(pinned("run"))
    for extra in ("data", "test"):
        lines = project["optional-dependencies"][extra]
        assert {re.match(r"[\w-]+", line)[0].lower() for line in lines} <= set(develop)
    script = steps()["Install speedcheck"].script
    assert "--require-hashes" in script
    assert "--no-build-isolation" in script
