"""The library: typed, frozen results; and what importing it does not import."""

from __future__ import annotations

import ast
import dataclasses
import importlib
import math
import subprocess
import sys
from pathlib import Path

import pytest
import scipy.stats

import speedcheck

ROOT = Path(__file__).parents[2]
HEAVY = ("numpy", "pandas", "scipy", "tiktoken", "torch")


def test_certify_is_scipys_t_test_and_bayes_mvs(losses):
    result = speedcheck.certify(losses, target=1.6)
    test = scipy.stats.ttest_1samp(losses, 1.6, alternative="less")
    mean, _, std = scipy.stats.bayes_mvs(losses)
    assert [result.loss.t, result.loss.p_value] == pytest.approx([test.statistic, test.pvalue])
    assert result.loss.bayes_mean.estimate == pytest.approx(mean.statistic)
    assert result.loss.bayes_std.low == pytest.approx(std.minmax[0])
    assert result.certified == (test.pvalue < 0.01)


def test_certify_judges_by_the_competitions_rule_unless_told(small_losses):
    result = speedcheck.certify(iter(small_losses))
    assert (result.target, result.alpha, result.certified) == (3.28, 0.01, True)
    assert not speedcheck.certify(small_losses, alpha=1e-6).certified


@pytest.mark.parametrize(
    ("losses", "code"),
    [
        ([], "L001 no-loss"),
        ([3.2], "L002 too-few-runs"),
        ([3.2, math.nan, 3.1], "L003 diverged-run"),
        ([3.2, math.inf], "L003 diverged-run"),
        ([3.2, 3.2], "L004 equal-losses"),
        ([3.3, 3.2], "L005 not-significant"),
    ],
)
def test_certify_says_why_not(losses, code):
    result = speedcheck.certify(losses)
    assert not result.certified
    assert [finding.code for finding in result.verdict.findings] == [code]


@pytest.mark.parametrize("losses", [["low"], [None], 3.2, [[3.2]]])
def test_certify_refuses_what_is_no_list_of_numbers(losses):
    with pytest.raises(speedcheck.UsageError, match="a loss is not a number"):
        speedcheck.certify(losses)


@pytest.mark.parametrize("arguments", [{"target": math.nan}, {"alpha": 2}, {"alpha": 0}])
def test_certify_refuses_numbers_out_of_range(arguments):
    with pytest.raises(speedcheck.UsageError):
        speedcheck.certify([3.2, 3.1], **arguments)


def test_verify_takes_a_path_as_text_or_path(build):
    folder = build.record()
    assert speedcheck.verify(str(folder)) == speedcheck.verify(folder)


def test_a_folder_with_logs_and_a_baseline_below_it_is_the_record_itself(build):
    folder = build.published(name="x")
    build.published([3.3, 3.31], name="x/baseline")
    assert speedcheck.verify(folder).record == "x"
    assert speedcheck.verify(folder, baseline=folder / "baseline").loss.n == 6
    with pytest.raises(speedcheck.InputError, match="holds 2 records"):
        speedcheck.verify(folder.parent)


@pytest.mark.parametrize(
    "get",
    [
        lambda c: c,
        lambda c: c.loss,
        lambda c: c.runs[0],
        lambda c: c.verdicts,
        lambda c: c.verdicts.speed.findings[0],
        lambda c: c.runtime,
    ],
)
def test_results_are_frozen(build, get):
    part = get(speedcheck.verify(build.record()))
    field = dataclasses.fields(part)[0].name
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(part, field, None)


def test_every_public_name_is_there_and_no_other():
    for name in speedcheck.__all__:
        assert getattr(speedcheck, name) is not None
    with pytest.raises(AttributeError, match="module 'speedcheck' has no attribute 'nope'"):
        _ = speedcheck.nope


def test_every_error_is_one_of_the_tree():
    for name in ("InputError", "LaunchError", "RecordError", "UsageError"):
        assert issubclass(getattr(speedcheck, name), speedcheck.SpeedcheckError)
    error = speedcheck.InputError("what", where="where", remedy="what to do")
    assert str(error) == "where: what; what to do"
    assert str(speedcheck.InputError("what")) == "what"


@pytest.mark.parametrize(
    "code",
    [
        "import speedcheck",
        "from speedcheck.cli import main; main(['--help'])",
        "from speedcheck.cli import main; main(['verify', '--help'])",
        "from speedcheck.cli import main; main(['--version'])",
    ],
)
def test_importing_and_helping_wait_for_nothing_heavy(code):
    check = f"{code}\nimport sys\nsys.exit(str([m for m in {HEAVY} if m in sys.modules] or ''))"
    done = subprocess.run(
        [sys.executable, "-c", check], capture_output=True, text=True, check=False
    )
    assert done.stderr.strip() == ""


def test_verifying_imports_no_pandas_and_no_torch(build):
    check = (
        "from speedcheck.cli import main; import sys\n"
        f"code = main(['verify', {str(build.record())!r}])\n"
        f"sys.exit(str([m for m in ('pandas', 'torch', 'trainer') if m in sys.modules] or code))"
    )
    done = subprocess.run(
        [sys.executable, "-c", check], capture_output=True, text=True, check=False
    )
    assert done.stderr.strip() == "0"


def imported(path):
    """Give the top-level names of all modules that a file imports, wherever it does."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield "." if node.level else (node.module or "").split(".")[0]


@pytest.mark.parametrize(
    ("package", "forbidden"),
    [("speedcheck", {"torch", "tiktoken", "trainer"}), ("trainer", {"speedcheck"})],
)
def test_neither_package_imports_what_it_must_do_without(package, forbidden):
    files = sorted((ROOT / package).rglob("*.py"))
    assert len(files) > 10
    found = {str(file.relative_to(ROOT)): forbidden & set(imported(file)) for file in files}
    assert {file: names for file, names in found.items() if names} == {}


def test_every_module_of_speedcheck_can_be_imported():
    for file in sorted((ROOT / "speedcheck").rglob("*.py")):
        if file.name != "__main__.py":
            importlib.import_module(".".join(file.relative_to(ROOT).with_suffix("").parts))
