"""`speedcheck explain`: every code in words, by whatever somebody typed, and the page of them."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import speedcheck
from speedcheck.checks import codes
from speedcheck.checks.explain import find_codes
from speedcheck.checks.explanations import EXPLANATIONS
from speedcheck.report.findings import findings_text
from speedcheck.verdicts import SEVERITIES

ROOT = Path(__file__).parents[3]
ALL_CODES = [value for name, value in vars(codes).items() if name.isupper()]


def test_every_code_has_an_explanation_and_no_explanation_lacks_its_code():
    assert sorted(EXPLANATIONS) == sorted(ALL_CODES)


@pytest.mark.parametrize("code", EXPLANATIONS)
def test_an_explanation_is_sentences_and_its_severities_are_in_order(code):
    explanation = EXPLANATIONS[code]
    for text in (explanation.meaning, explanation.remedy):
        assert text.endswith(".")
        assert "  " not in text
        assert text == text.strip()
    assert explanation.severities
    assert list(explanation.severities) == [s for s in SEVERITIES if s in explanation.severities]


def given_severities():
    """Read from the checks' source which severity each call of `Finding` names."""
    for path in sorted(Path(speedcheck.__file__).parent.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not (isinstance(node, ast.Call) and len(node.args) >= 2):
                continue
            code, severity = node.args[:2]
            if (
                isinstance(node.func, ast.Name)
                and node.func.id == "Finding"
                and isinstance(code, ast.Attribute)
                and isinstance(severity, ast.Constant)
            ):
                yield getattr(codes, code.attr), severity.value


def test_the_severities_are_those_that_the_checks_give():
    found = set(given_severities())
    assert len(found) > len(ALL_CODES) // 2
    unexplained = {(c, s) for c, s in found if s not in EXPLANATIONS[c].severities}
    assert unexplained == set()


@pytest.mark.parametrize("code", EXPLANATIONS)
def test_a_code_is_found_by_number_by_name_and_as_reports_print_it(code):
    number, name = code.split()
    for words in ([number], [name], [number.lower()], [name.upper()], [code], [number, name]):
        assert find_codes(words) == [code]


@pytest.mark.parametrize("code", EXPLANATIONS)
def test_the_explanation_names_code_severity_meaning_and_remedy(code):
    text = findings_text([code])
    assert max(map(len, text.splitlines())) <= 80
    shown = " ".join(text.split())
    explanation = EXPLANATIONS[code]
    assert shown == (
        f"{code} severity {', '.join(explanation.severities)} "
        f"means {explanation.meaning} do {explanation.remedy}"
    )


def test_several_codes_are_explained_each_once_in_the_order_typed(cli):
    result = cli("explain", "P004", "P003", "incomplete-log")
    headings = [line for line in result.out.splitlines() if line in EXPLANATIONS]
    assert headings == ["P004 incomplete-log", "P003 claimed-losses-without-logs"]


def test_without_a_code_all_are_listed(cli):
    result = cli("explain")
    assert (result.code, result.err) == (0, "")
    assert [line.split("  ")[0] for line in result.out.splitlines()[:-2]] == list(EXPLANATIONS)


@pytest.mark.parametrize(
    ("word", "hint"),
    [
        ("3", "`speedcheck explain` lists all"),
        ("P999", "`speedcheck explain` lists all"),
        ("x" * 100_000, "`speedcheck explain` lists all"),
        ("P03", "did you mean P03"),
        ("incomplet-log", "did you mean P004 incomplete-log?"),
        ("claimed-loses-without-logs", "did you mean P003 claimed-losses-without-logs?"),
        ("\x1b[31m", "'\\x1b[31m'"),
    ],
)
def test_an_unknown_code_is_one_line_that_names_the_nearest(cli, word, hint):
    result = cli("explain", word)
    assert (result.code, result.out) == (2, "")
    assert result.err.startswith("speedcheck: error: no finding is called ")
    assert result.err.count("\n") == 1
    assert hint in result.err


def test_the_page_of_findings_is_current(cli):
    page = (ROOT / "docs" / "findings.md").read_text(encoding="utf-8")
    assert cli("explain", "--markdown").out == page, "run `make docs`"


def test_the_page_has_each_code_below_its_question():
    page = (ROOT / "docs" / "findings.md").read_text(encoding="utf-8")
    sections = page.split("\n## ")[1:]
    titles = {"Loss": "L", "Speed": "S", "Rules": "R", "Provenance": "P"}
    found = {section.split("\n")[0]: section for section in sections}
    assert list(found) == list(titles)
    for title, letter in titles.items():
        headings = [line[4:] for line in found[title].splitlines() if line.startswith("### ")]
        assert headings == [code for code in EXPLANATIONS if code.startswith(letter)]
