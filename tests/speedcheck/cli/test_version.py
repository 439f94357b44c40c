"""`speedcheck --version`: what a report of a fault needs, without importing PyTorch."""

from __future__ import annotations

import platform
import subprocess
import sys
from importlib.metadata import version

import pytest

from speedcheck.cli import version as module

PYTHON = f"Python {platform.python_version()}"


@pytest.fixture
def torch_file(tmp_path, monkeypatch):
    """Put a package `torch` whose version file holds the given text before the real one."""

    def write(text: str) -> None:
        (tmp_path / "torch").mkdir()
        (tmp_path / "torch/__init__.py").write_text("raise SystemExit('imported')")
        (tmp_path / "torch/version.py").write_text(text)
        monkeypatch.syspath_prepend(tmp_path)
        monkeypatch.delitem(sys.modules, "torch", raising=False)

    return write


def test_pytorch_and_cuda_are_named_where_they_are(torch_file):
    torch_file("__all__ = ['cuda']\n__version__ = '2.11.0+cu128'\ncuda: Optional[str] = '12.8'\n")
    line = module.version_line()
    assert line.endswith(f"{PYTHON}, PyTorch 2.11.0+cu128, CUDA 12.8")


@pytest.mark.parametrize("text", ["__version__ = '2.13.0+cpu'\ncuda: Optional[str] = None\n", ""])
def test_what_is_not_there_is_not_named(torch_file, text):
    torch_file(text)
    line = module.version_line()
    assert "CUDA" not in line
    assert ("PyTorch 2.13.0+cpu" in line) == bool(text)


def test_without_pytorch_the_line_ends_with_python(monkeypatch):
    monkeypatch.setattr(module, "find_spec", lambda name: None)
    assert module.version_line().endswith(PYTHON)


def test_the_version_is_pytorchs_own_and_pytorch_is_not_imported():
    code = "import sys; from speedcheck.cli.version import version_line; "
    code += "print(version_line(), 'torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert f"PyTorch {version('torch')}" in done.stdout
    assert done.stdout.endswith("False\n")
