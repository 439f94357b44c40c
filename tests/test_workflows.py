"""The workflows: sound by the linters, and the comment goes to the right pull request."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]
ACTION = ROOT / "action.yml"
WORKFLOWS = sorted((*ROOT.glob(".github/workflows/*.yml"), *ROOT.glob("docs/workflows/*.yml")))
COMMENT = ROOT / "docs/workflows/comment.yml"
COMMIT = "c" * 40

# GitHub's command: logs how it is called, and answers from files.
GH = """\
#!{python}
import json, os, pathlib, sys
place = pathlib.Path({place!r})
with (place / "calls").open("a") as calls:
    calls.write(json.dumps(sys.argv[1:]) + "\\n")
name = "pulls" if sys.argv[-1].endswith("empty") else "comments"
if "--jq" in sys.argv:
    query = sys.argv[sys.argv.index("--jq") + 1]
    answer = json.loads((place / name).read_text())
    if name == "pulls":
        found = [one["number"] for one in answer if one["head"] == os.environ["COMMIT"]]
        print(*found[:1])
    else:
        print(*answer, sep="\\n")
"""


def run_tool(module: str, *arguments: str | Path) -> None:
    tool = Path(sys.executable).with_name(module)
    done = subprocess.run([tool, *map(str, arguments)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_zizmor_finds_no_way_to_attack_a_workflow():
    run_tool("zizmor", "--offline", "--no-progress", *WORKFLOWS, ACTION)


def test_workflows_and_action_follow_githubs_schemas():
    run_tool("check-jsonschema", "--builtin-schema", "vendor.github-workflows", *WORKFLOWS)
    run_tool("check-jsonschema", "--builtin-schema", "vendor.github-actions", ACTION)


@pytest.mark.slow
def test_actionlint_has_nothing_to_say():
    tool = shutil.which("actionlint")
    if tool is None:
        pytest.skip("actionlint is not installed: its package downloads it from GitHub")
    done = subprocess.run([tool, *WORKFLOWS], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


@pytest.fixture
def post(tmp_path):
    """Run the comment's script with a fake `gh`; return its calls and the body it posts."""

    def run(text: str, *, pulls, comments=()) -> tuple[list[list[str]], bytes]:
        (tmp_path / "pulls").write_text(json.dumps(pulls))
        (tmp_path / "comments").write_text(json.dumps(list(comments)))
        (tmp_path / "speedcheck").mkdir()
        (tmp_path / "speedcheck/speedcheck-comment.md").write_text(text)
        command = tmp_path / "bin/gh"
        command.parent.mkdir()
        command.write_text(GH.format(python=sys.executable, place=str(tmp_path)))
        command.chmod(0o755)
        script = yaml.safe_load(COMMENT.read_text())["jobs"]["comment"]["steps"][-1]["run"]
        environment = {
            "PATH": f"{command.parent}:{os.environ['PATH']}",
            "REPOSITORY": "owner/records",
            "OWNER": "somebody",
            "BRANCH": "$(touch ran)`touch ran`",
            "COMMIT": COMMIT,
        }
        done = subprocess.run(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert not (tmp_path / "ran").exists()
        calls = [json.loads(line) for line in (tmp_path / "calls").read_text().splitlines()]
        body = tmp_path / "body.md"
        return calls, body.read_bytes() if body.exists() else b""

    return run


def test_the_first_comment_is_posted_on_the_pull_request_of_that_commit(post):
    pulls = [{"number": 7, "head": "d" * 40}, {"number": 8, "head": COMMIT}]
    calls, body = post("## gate: pass\n$(touch ran)\n", pulls=pulls)
    assert calls[-1][:5] == [
        *("api", "--silent", "--method", "POST"),
        "repos/owner/records/issues/8/comments",
    ]
    assert body == b"<!-- speedcheck -->\n## gate: pass\n$(touch ran)\n"


def test_a_later_comment_takes_the_place_of_the_first(post):
    calls, _ = post("x", pulls=[{"number": 8, "head": COMMIT}], comments=[31, 45])
    assert calls[-1][:5] == [
        *("api", "--silent", "--method", "PATCH"),
        "repos/owner/records/issues/comments/31",
    ]


def test_a_commit_that_is_no_longer_a_pull_requests_gets_no_comment(post):
    calls, body = post("x", pulls=[{"number": 7, "head": "d" * 40}])
    assert len(calls) == 1
    assert body == b""


def test_a_comment_is_never_longer_than_github_takes(post):
    _, body = post("é" * 65_000, pulls=[{"number": 8, "head": COMMIT}])
    assert 60_000 < len(body) < 65_536


def test_the_comments_workflow_may_write_comments_and_nothing_else():
    workflow = yaml.safe_load(COMMENT.read_text())
    assert workflow["permissions"] == {}
    job = workflow["jobs"]["comment"]
    assert job["permissions"] == {"actions": "read", "pull-requests": "write"}
    assert not any("checkout" in step.get("uses", "") for step in job["steps"])
    assert "${{" not in job["steps"][-1]["run"]
