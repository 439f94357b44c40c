"""Links between the pages lead somewhere, and every page is reached from the README."""

from __future__ import annotations

import re
from itertools import pairwise

import pytest
from markdown_it import MarkdownIt
from pages import PAGES, ROOT, page_id


def links(page):
    for token in MarkdownIt().enable("table").parse(page.read_text(encoding="utf-8")):
        for child in token.children or ():
            target = child.attrs.get("href") or child.attrs.get("src")
            if target and "://" not in target:
                yield target
        if token.type == "html_block":
            yield from re.findall(r'src(?:set)?="([^"]+)"', token.content)


def anchors(page):
    """Return the anchors of a page's headings, as GitHub forms them."""
    tokens = MarkdownIt().parse(page.read_text(encoding="utf-8"))
    titles = [b.content for a, b in pairwise(tokens) if a.type == "heading_open"]
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", PAGES, ids=page_id)
def test_links_lead_to_files_and_headings_that_exist(page):
    broken = []
    for link in links(page):
        name, _, anchor = link.partition("#")
        target = (page.parent / name).resolve() if name else page
        is_heading = not anchor or (target.suffix == ".md" and anchor in anchors(target))
        if not target.exists() or not is_heading:
            broken.append(link)
    assert broken == []


def test_every_picture_is_shown():
    shown = {(page.parent / link).resolve() for page in PAGES for link in links(page)}
    assert set((ROOT / "docs" / "images").iterdir()) <= shown


def test_every_page_is_reached_from_the_readme():
    seen, waiting = set(), [ROOT / "README.md"]
    while waiting:
        page = waiting.pop()
        if page not in seen:
            seen.add(page)
            targets = [(page.parent / link.partition("#")[0]).resolve() for link in links(page)]
            waiting += [t for t in targets if t.suffix == ".md" and t.is_file()]
    assert set(PAGES) <= seen
