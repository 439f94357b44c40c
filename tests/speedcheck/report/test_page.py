"""Pages: what that of a record says, that it loads nothing, and that foreign text stays text."""

from __future__ import annotations

import base64
import hashlib
import re
from html.parser import HTMLParser

import pytest

pytest.importorskip("matplotlib", reason="the extra `report` is not installed")
pytest.importorskip("jinja2", reason="the extra `report` is not installed")

from hostile import TEXTS, race_with_text, series_with_text, with_text
from samples import A, B, series_of_records

from speedcheck.api import judge_folder
from speedcheck.history.read_history import read_history
from speedcheck.plot_data import plot_data_of
from speedcheck.races.read_race import read_race
from speedcheck.report.headline import headline
from speedcheck.report.html import history_page, race_page, record_page
from speedcheck.report.plots import draw_pictures
from speedcheck.report.wording import printable
from speedcheck.rules.rule import Overrides

VOID = {"meta", "br", "img", "link", "input", "hr"}
OWN_TAGS = {
    "html",
    "head",
    "meta",
    "title",
    "style",
    "body",
    "header",
    "h1",
    "h2",
    "p",
    "strong",
    "main",
    "section",
    "dl",
    "div",
    "dt",
    "dd",
    "span",
    "figure",
    "figcaption",
    "svg",
    "g",
    "path",
    "defs",
    "use",
    "clippath",
    "rect",
    "text",
    "table",
    "thead",
    "tbody",
    "tr",
    "th",
    "td",
    "footer",
    "code",
    "script",
}


class Page(HTMLParser):
    """A page as a parser sees it: tags with attributes, and the text of each element."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.texts, self.raw = [], [], {}
        self._open = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self._open.pop() == tag, "the tags are balanced"

    def handle_data(self, data):
        if self._open and self._open[-1] in ("style", "script"):
            self.raw[self._open[-1]] = self.raw.get(self._open[-1], "") + data
        else:
            self.texts.append(data)

    @property
    def text(self):
        return " ".join("".join(self.texts).split())

    def attributes(self, name):
        return [attributes[name] for _, attributes in self.tags if name in attributes]


def drawn(folder, **overrides):
    judgement = judge_folder(folder, Overrides(**overrides))
    return judgement.certificate, draw_pictures(plot_data_of(judgement))


@pytest.fixture(scope="module")
def certificate_and_pictures(tmp_path_factory, builder_at):
    return drawn(builder_at(tmp_path_factory.mktemp("page")).record())


@pytest.fixture(scope="module")
def page(certificate_and_pictures):
    return record_page(*certificate_and_pictures)


def test_the_verdict_comes_first(page, certificate_and_pictures):
    text = Page(page.partition("<body>")[2].partition("<script>")[0]).text
    certificate, _ = certificate_and_pictures
    judgement, _, why = headline(certificate).partition(": ")
    assert text.index(judgement) < text.index("Figures") < text.index("Verdicts")
    assert text.index("Verdicts") < text.index("Pictures") < text.index("Runs")
    assert why in text


def test_every_run_finding_and_figure_is_on_the_page(page, certificate_and_pictures):
    certificate, pictures = certificate_and_pictures
    text = Page(page).text
    for run in certificate.runs:
        assert run.log in text
        assert f"{run.val_loss}" in text
    for finding in certificate.verdicts.findings():
        assert finding.code in text
    for picture in pictures:
        assert picture.title in text
        assert picture.caption in text


def test_the_policy_admits_the_own_style_and_script_and_nothing_else(page):
    read = Page(page)
    policy = next(a["content"] for _, a in read.tags if a.get("http-equiv"))
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    assert rules["default-src"] == "'none'"
    for kind in ("style", "script"):
        digest = base64.b64encode(hashlib.sha256(read.raw[kind].encode()).digest()).decode()
        assert rules[f"{kind}-src"] == f"'sha256-{digest}'"
    assert "unsafe" not in policy


def test_nothing_is_loaded_and_nothing_needs_a_style_attribute(page):
    read = Page(page)
    assert {tag for tag, _ in read.tags} <= OWN_TAGS
    assert all(reference.startswith("#") for reference in read.attributes("href"))
    assert read.attributes("src") == []
    assert read.attributes("style") == []
    assert not [name for _, attributes in read.tags for name in attributes if name.startswith("on")]
    assert "url(" not in re.sub(r"url\(#", "", page)
    assert "@import" not in page
    assert "http://" not in page.replace("http://www.w3.org/2000/svg", "")
    assert "https://" not in page


def test_ids_are_unique_and_references_lead_to_them(page):
    read = Page(page)
    ids = read.attributes("id")
    assert len(ids) == len(set(ids))
    named = {
        word
        for a in ("aria-labelledby", "aria-describedby")
        for v in read.attributes(a)
        for word in v.split()
    }
    used = {reference.removeprefix("#") for reference in read.attributes("href")}
    clips = set(re.findall(r"url\(#([^)]+)\)", page))
    assert named | used | clips <= set(ids)


def test_drawings_take_every_colour_from_the_page(page):
    style = Page(page).raw["style"]
    drawings = style.partition(".d0{")[2]
    assert drawings
    assert not re.findall(r"#[0-9a-f]{3,8}\b", drawings)
    used = set(re.findall(r"var\((--[a-z]+)\)", style))
    assert used <= set(re.findall(r"(--[a-z-]+):", style))
    assert not re.findall(r'(?:fill|stroke)="#', page)


def test_equal_records_give_equal_pages(page, tmp_path_factory, builder_at):
    again = drawn(builder_at(tmp_path_factory.mktemp("again")).record())
    assert record_page(*again) == page


@pytest.fixture(scope="module")
def samples(certificate_and_pictures, tmp_path_factory, builder_at, race_at, published_log_text):
    """Give the page of each kind as a function of the text in it, those without pictures."""
    certificate, _ = certificate_and_pictures
    build = builder_at(tmp_path_factory.mktemp("samples"))
    result = read_race(race_at(build.path, A, B))
    entries, _ = read_history(series_of_records(build, published_log_text), Overrides())
    return {
        "record": lambda text: record_page(with_text(certificate, text), ()),
        "race": lambda text: race_page(race_with_text(result, text), ()),
        "history": lambda text: history_page(text, series_with_text(entries, text), ()),
    }


@pytest.mark.parametrize("kind", ["record", "race", "history"])
@pytest.mark.parametrize("text", TEXTS, ids=range(len(TEXTS)))
def test_foreign_text_stays_text(text, kind, samples):
    # As long as the others, so that its cells are laid out as theirs.
    harmless, hostile = Page(samples[kind]("harmless words")), Page(samples[kind](text))
    assert [tag for tag, _ in hostile.tags] == [tag for tag, _ in harmless.tags]
    attributes = [sorted(a) for _, a in hostile.tags]
    assert attributes == [sorted(a) for _, a in harmless.tags]
    assert " ".join(printable(text).split()) in hostile.text
    assert hostile.raw == harmless.raw


def test_the_name_of_a_baseline_stays_text(build):
    name = "<b>baseline<_b>"
    ours, theirs = build.published(name="ours"), build.published(name=name, losses=(3.2781, 3.28))
    certificate, pictures = drawn(ours, baseline=theirs)
    assert any(name in picture.caption for picture in pictures)
    page = Page(record_page(certificate, pictures))
    assert "b" not in {tag for tag, _ in page.tags}
    assert name in page.text


def test_a_record_without_losses_has_a_page_without_pictures(build):
    folder = build.folder({"record.toml": 'track = "gpt2-small"\n'})
    certificate, pictures = drawn(folder)
    assert pictures == ()
    page = Page(record_page(certificate, pictures))
    assert "NOT CERTIFIED" in page.text
    assert "Pictures" not in page.text
