"""The packages of a release: built, installed into nothing, and tried as users do."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest
import yaml

import speedcheck

ROOT = Path(__file__).parents[1]
BIN = Path(sys.executable).parent


def run(*command: str | Path, cwd: Path, **environment: str) -> str:
    # The index, certificates and proxies as they are set here, and none of this checkout's modules.
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    done = subprocess.run(
        list(map(str, command)),
        cwd=cwd,
        env=kept | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def dist(tmp_path_factory) -> Path:
    """The sdist out of the checkout, and the wheel out of the sdist, as PyPI's users would."""
    folder = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "hatchling", "build", "-t", "sdist", "-d", folder, cwd=ROOT)
    (sdist,) = folder.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        # Python before 3.11.4 has no filters, and later ones ask for one.
        filters = {"filter": "data"} if hasattr(tarfile, "data_filter") else {}
        archive.extractall(folder, **filters)
    unpacked = folder / sdist.name.removesuffix(".tar.gz")
    run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder, cwd=unpacked)
    return folder


@pytest.mark.slow
def test_the_wheel_holds_the_packages_with_their_data_and_nothing_else(dist):
    (wheel,) = dist.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    tops = {name.split("/")[0] for name in names}
    assert tops == {"speedcheck", "trainer", f"speedcheck-{speedcheck.__version__}.dist-info"}
    tracked = run("git", "ls-files", "speedcheck", "trainer", cwd=ROOT).splitlines()
    assert set(tracked) <= set(names)


@pytest.mark.slow
def test_the_sdist_holds_what_the_tests_need(dist):
    names = {path.name for path in dist.glob(f"speedcheck-{speedcheck.__version__}/*")}
    assert names >= {
        *("speedcheck", "trainer", "tests", "docs", "benchmarks", "records", "requirements"),
        *("pyproject.toml", "README.md", "CHANGELOG.md", "LICENSE", "Makefile", "action.yml"),
    }


@pytest.mark.slow
def test_pip_installs_the_wheel_into_an_empty_environment_and_it_verifies(dist, tmp_path):
    (wheel,) = dist.glob("*.whl")
    run(sys.executable, "-m", "venv", tmp_path / "env", cwd=tmp_path)
    binary = tmp_path / "env/bin"
    run(binary / "pip", "install", "--quiet", wheel, cwd=tmp_path)
    record = ROOT / "records/2026-11-21_tiny"
    out = run(binary / "speedcheck", "verify", "--quiet", record, cwd=tmp_path)
    assert out.startswith("2026-11-21_tiny: CERTIFIED")
    listed = run(binary / "pip", "list", "--format=freeze", cwd=tmp_path)
    assert "torch" not in listed
    help_text = run(binary / "speedcheck", "--help", cwd=tmp_path)
    assert help_text.startswith("Usage: speedcheck [OPTIONS]")


@pytest.mark.slow
def test_uvx_runs_the_wheel_without_an_installation(dist, tmp_path):
    (wheel,) = dist.glob("*.whl")
    record = ROOT / "records/2026-11-21_tiny"
    command = ("--from", wheel, "speedcheck", "verify", "--quiet", record)
    out = run(
        BIN / "uvx",
        "--python",
        sys.executable,
        *command,
        cwd=dist,
        UV_CACHE_DIR=str(tmp_path / "cache"),
        # A network may sign what passes through it, with a certificate that the system trusts.
        UV_SYSTEM_CERTS="true",
    )
    assert out.startswith("2026-11-21_tiny: CERTIFIED")


def test_every_page_about_the_release_names_this_version():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert "Homepage" in project["urls"]
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert citation["version"] == speedcheck.__version__
    assert citation["license"] == project["license"]


def test_the_hook_for_pre_commit_calls_a_command_that_exists():
    (hook,) = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())
    command, *arguments = hook["entry"].split()
    assert command == "speedcheck"
    record = ROOT / "records/2026-11-21_tiny"
    out = run(sys.executable, "-m", command, *arguments, record, cwd=ROOT)
    assert out.count("\n") == 1
