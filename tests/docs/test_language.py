"""The words that docs/glossary.md rules out are in no page, message, help text or docstring."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from markdown_it import MarkdownIt
from pages import PAGES, ROOT, page_id

# For each row of the glossary's table a pattern that finds the words and no honest English.
RULED_OUT = {
    "is no X, are no X": (
        r"(?<!there )\b(?:is|are|was|were) no "
        r"(?!longer\b|more\b|fewer\b|less\b|later\b|one\b|worse\b|better\b)"
    ),
    "stands in, stands on, stands with": (
        r"\b(?:stands?|stood|standing) (?:in|on|with|at|beside|below|before|behind|above|there)\b"
    ),
    "whoever, whereof, wherefore": r"\b(?:who(?:so)?ever|whereof|wherefore|whosoever)\b",
    "of which": r"(?<!none )(?<!one )(?<!each )(?<!many )(?<!some )(?<!most )\bof which\b",
    "is told, are told": r"\b(?:is|are|was|were|be|been|unless|not) told\b(?! apart)",
    "weigh": r"\bweigh(?:s|ed|ing)?\b",
    "strays": r"\bstrays\b",
    "inert": r"\binert\b",
    "doubt": r"\bdoubt",
    "kind of runs": (
        r"\b(?:kinds?|parts?|sets?|members?) of runs\b"
        r"|\bruns of (?:one|several|other) kinds?\b"
    ),
    "pool of runs": r"\bpools?\b(?! of (?:processes|threads|workers))",
    "the test is made": r"\b(?:makes?|made) the test\b|\btest is made\b(?! for| to| of)",
    "for ever": r"\bfor ever\b",
}
SOURCES = sorted((ROOT / "speedcheck").rglob("*.py"))
GLOSSARY = ROOT / "docs" / "glossary.md"


def ruled_out_words(page: str) -> list[str]:
    table = page.partition("## Words we do not use")[2]
    return re.findall(r"^\| (?!not \||---)([^|]+) \|", table, re.MULTILINE)


def prose(page: str) -> Iterator[tuple[int, str]]:
    """Return the text of a page, without blocks of code and code within sentences."""
    for token in MarkdownIt().enable("table").parse(page):
        if token.type == "inline":
            words = [c.content if c.type == "text" else " " for c in token.children]
            yield token.map[0] + 1, "".join(words)


def said(path: Path) -> Iterator[tuple[int, str]]:
    """Return the docstrings, messages and comments of a source file."""
    text = path.read_text(encoding="utf-8")
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.lineno, re.sub(r"`[^`]*`", "", node.value)
    for number, line in enumerate(text.splitlines(), start=1):
        yield number, line.partition("# ")[2]


def found(places: Iterator[tuple[int, str]]) -> list[tuple[int, str]]:
    hits = []
    for line, text in places:
        flat = " ".join(text.split())
        for pattern in RULED_OUT.values():
            hits += [
                (line, flat[max(0, m.start() - 30) : m.end() + 30])
                for m in re.finditer(pattern, flat, re.IGNORECASE)
            ]
    return hits


def test_the_glossary_and_the_test_rule_out_the_same():
    assert ruled_out_words(GLOSSARY.read_text(encoding="utf-8")) == list(RULED_OUT)


@pytest.mark.parametrize("name", RULED_OUT)
def test_each_rule_finds_the_words_that_it_names(name):
    examples = [part.strip().replace("X", "record") for part in name.split(",")]
    for example in examples:
        assert re.search(RULED_OUT[name], f"it {example} here", re.IGNORECASE), example


@pytest.mark.parametrize(
    "honest",
    [
        "there is no log in the folder",
        "the log is no longer the same",
        "a pool of processes",
        "the groups are told apart by their code",
        "one standard deviation",
        "the standing record",
        "the best of what is there",
        "a list of reasons, none of which depends on the result",
        "its loss is no worse",
        "the test is made for looking after every run",
    ],
)
def test_honest_english_is_not_ruled_out(honest):
    assert found(iter([(1, honest)])) == []


@pytest.mark.parametrize("page", PAGES, ids=page_id)
def test_the_pages_use_the_words_of_the_glossary(page):
    text = page.read_text(encoding="utf-8")
    if page == GLOSSARY:  # its last section names the words
        text = text.partition("## Words we do not use")[0]
    assert found(prose(text)) == []


@pytest.mark.parametrize("path", SOURCES, ids=page_id)
def test_the_program_uses_the_words_of_the_glossary(path):
    assert found(said(path)) == []
