"""Every kind of page in a real browser: nothing is cut, nothing overlaps, nothing foreign runs.

Needs Chromium (found as `chromium` or `google-chrome`, or named by $CHROMIUM) and the package
playwright. The check of accessibility also needs axe-core, whose axe.min.js $AXE_CORE names.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

pytest.importorskip("matplotlib", reason="the extra `report` is not installed")
pytest.importorskip("jinja2", reason="the extra `report` is not installed")
pytest.importorskip("playwright", reason="playwright is not installed")

from hostile import FIGURE, TEXTS
from samples import A, B, history_sample, race_sample, record_sample, series_of_records

from speedcheck.report.wording import printable

CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
AXE = os.environ.get("AXE_CORE")
WIDTHS, SCHEMES = (360, 800, 1600), ("light", "dark")
HONEST = ("certified", "refused", "race", "refused-race", "history")
# Of these there are pages full of hostile text, too; the last text is long and harmless.
KINDS = ("certified", "race", "history")
LAST = len(TEXTS) - 1
LONG = [f"{kind}-{name}" for kind in KINDS for name in (LAST, "figure")]

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed"),
]

# Elements whose content is wider than they are, besides those that scroll by design.
CUT = """() => [...document.querySelectorAll("body *")]
  .filter((e) => e.scrollWidth > e.clientWidth + 1 && getComputedStyle(e).display !== "inline"
    && !e.closest("svg") && !e.closest(".scroll"))
  .map((e) => e.outerHTML.slice(0, 80))"""

# Pairs of texts that lie on each other: within the drawings, and the blocks of the page.
OVERLAPS = """() => {
  const found = [];
  const compare = (elements) => {
    const boxes = elements.map((e) => [e, e.getBoundingClientRect()]);
    boxes.forEach(([a, x], i) => boxes.slice(i + 1).forEach(([b, y]) => {
      const wide = Math.min(x.right, y.right) - Math.max(x.left, y.left);
      const high = Math.min(x.bottom, y.bottom) - Math.max(x.top, y.top);
      if (wide > 1 && high > 2 && !a.contains(b) && !b.contains(a))
        found.push(`${a.textContent.slice(0, 40)} | ${b.textContent.slice(0, 40)}`);
    }));
  };
  document.querySelectorAll("svg").forEach((svg) => compare([...svg.querySelectorAll("text")]));
  compare([...document.querySelectorAll("h1, h2, p, dt, dd, figure, table")]);
  return found;
}"""

# Texts of drawings that reach beyond their drawing.
OUTSIDE = """() => [...document.querySelectorAll("svg")].flatMap((svg) => {
  const frame = svg.getBoundingClientRect();
  return [...svg.querySelectorAll("text")].filter((text) => {
    const box = text.getBoundingClientRect();
    return box.left < frame.left - 1 || box.right > frame.right + 1
      || box.top < frame.top - 1 || box.bottom > frame.bottom + 1;
  }).map((text) => text.textContent);
})"""


TAGS = "[...document.querySelectorAll('*')].map((e) => e.tagName).join()"


@pytest.fixture(scope="module")
def browser():
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def samples(tmp_path_factory, builder_at, race_at, published_log_text):
    """Give the page of each sample as a function of the text in it."""
    build = builder_at(tmp_path_factory.mktemp("samples"))
    baseline = build.record(name="baseline", losses=(1.25, 1.26, 1.24))
    refused_race = race_at(tmp_path_factory.mktemp("refused"), A[:5], B[:5])
    (refused_race / "race.json").write_text("[]")
    return {
        "certified": record_sample(build.record(), baseline=baseline),
        "refused": record_sample(build.published(losses=(3.29, 3.2801, 3.2712))),
        "race": race_sample(race_at(build.path, A, B)),
        "refused-race": race_sample(refused_race),
        "history": history_sample(series_of_records(build, published_log_text)),
    }


@pytest.fixture(scope="module")
def pages(samples, tmp_path_factory):
    """Give the address of the page of each sample, and of those that are full of hostile text."""
    folder = tmp_path_factory.mktemp("pages")
    every = {name: samples[name]() for name in HONEST}
    for kind in KINDS:
        every |= {f"{kind}-{i}": samples[kind](text) for i, text in enumerate(TEXTS)}
        every[f"{kind}-figure"] = samples[kind](FIGURE)
    for name, page in every.items():
        (folder / f"{name}.html").write_text(page, encoding="utf-8")
    return lambda name: (folder / f"{name}.html").as_uri()


def opened(browser, address, *, width=800, scheme="light", script=True, free=False):
    """Open a page and gather what its console and its network say."""
    context = browser.new_context(
        viewport={"width": width, "height": 900},
        color_scheme=scheme,
        java_script_enabled=script,
        bypass_csp=free,
    )
    page = context.new_page()
    page.said = []
    page.on("console", lambda message: page.said.append(message.text))
    page.on("pageerror", lambda error: page.said.append(str(error)))
    page.on("dialog", lambda dialog: (page.said.append(dialog.message), dialog.dismiss()))
    page.on("request", lambda request: request.url == address or page.said.append(request.url))
    page.goto(address)
    return page


@pytest.fixture(scope="module")
def harmless_tags(browser, pages):
    """Give the elements of each kind of page whose text is harmless, in their order."""
    found = {}
    for kind in KINDS:
        page = opened(browser, pages(f"{kind}-{LAST}"))
        found[kind] = page.evaluate(TAGS)
        page.context.close()
    return found


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", [*HONEST, *LONG])
def test_nothing_is_cut_and_nothing_overlaps(browser, pages, name, width):
    page = opened(browser, pages(name), width=width)
    size = page.evaluate(
        "[document.documentElement.scrollWidth, document.documentElement.clientWidth]"
    )
    assert size[0] <= size[1]
    assert page.evaluate(CUT) == []
    assert page.evaluate(OVERLAPS) == []
    assert page.evaluate(OUTSIDE) == []
    assert page.said == []
    page.context.close()


def test_the_two_schemes_have_different_grounds(browser, pages):
    colours = set()
    for scheme in SCHEMES:
        page = opened(browser, pages("certified"), scheme=scheme)
        colours.add(page.evaluate("getComputedStyle(document.body).backgroundColor"))
        colours.add(page.evaluate("getComputedStyle(document.querySelector('svg text')).fill"))
        page.context.close()
    assert len(colours) == 4


@pytest.mark.skipif(AXE is None, reason="$AXE_CORE names no axe.min.js")
@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", HONEST)
def test_axe_finds_no_violation(browser, pages, name, width, scheme):
    page = opened(browser, pages(name), width=width, scheme=scheme, free=True)
    page.evaluate(Path(AXE).read_text(encoding="utf-8"))
    violations = page.evaluate("axe.run().then((result) => result.violations)")
    assert [(v["id"], [n["html"] for n in v["nodes"]]) for v in violations] == []
    page.context.close()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("number", range(len(TEXTS)))
def test_hostile_text_is_shown_and_not_obeyed(browser, pages, harmless_tags, kind, number):
    page = opened(browser, pages(f"{kind}-{number}"))
    assert page.evaluate(TAGS) == harmless_tags[kind]
    shown = page.evaluate("document.body.textContent")
    assert " ".join(printable(TEXTS[number]).split()) in " ".join(shown.split())
    assert page.said == []
    page.context.close()


def test_the_policy_stops_scripts_and_styles_that_are_not_the_page_s_own(browser, pages):
    page = opened(browser, pages("certified"))
    failed = []
    page.on("requestfailed", lambda request: failed.append((request.url, request.failure)))
    page.evaluate(
        """() => {
          const script = document.createElement("script");
          script.textContent = "window.ran = true";
          const image = new Image();
          image.src = "https://example.invalid/a.png";
          document.body.append(script, image);
        }"""
    )
    page.wait_for_timeout(200)
    assert page.evaluate("window.ran") is None
    assert any("Content Security Policy" in text for text in page.said)
    assert failed == [("https://example.invalid/a.png", "csp")]
    page.context.close()


def column(page, number):
    cells = f"#table-1 ~ .scroll tbody td:nth-child({number})"
    return page.evaluate(f"[...document.querySelectorAll('{cells}')].map((e) => e.textContent)")


def test_a_click_on_a_head_sorts_the_table(browser, pages):
    page = opened(browser, pages("certified"))
    before = column(page, 3)
    head = page.get_by_role("button", name="val_loss")
    head.click()
    assert column(page, 3) == sorted(before, key=float) != before
    assert page.locator("th[aria-sort=ascending]").count() == 1
    head.click()
    assert column(page, 3) == sorted(before, key=float, reverse=True)
    page.context.close()


def test_the_page_works_without_scripts(browser, pages, losses):
    page = opened(browser, pages("certified"), script=False)
    assert page.locator("#table-1 ~ .scroll tbody tr").count() == len(losses)
    assert page.get_by_role("button").count() == 0
    assert page.locator("svg").first.is_visible()
    page.context.close()
