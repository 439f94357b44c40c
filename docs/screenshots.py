"""Take the pictures of pages in docs/images: report-*.png, and the README's first screen.

    python docs/screenshots.py

Needs Chromium and the packages playwright and pillow, which `make` does not install.
"""

from __future__ import annotations

import io
import os
import shutil
import sys
from pathlib import Path

from markdown_it import MarkdownIt
from PIL import Image
from playwright.sync_api import Browser, sync_playwright
from refresh import ROOT, run, scratch

IMAGES = ROOT / "docs" / "images"
RECORD = "records/2026-11-21_tiny"
CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or "chromium"

# Name, width in pixels, colour scheme.
SHOTS = (
    ("report-light", 1200, "light"),
    ("report-dark", 1200, "dark"),
    ("report-narrow", 360, "light"),
)
# The lower end of the first row of pictures: none is cut.
END = """() => {
  const boxes = [...document.querySelectorAll("figure")].map((e) => e.getBoundingClientRect());
  return Math.max(...boxes.filter((e) => e.top === boxes[0].top).map((e) => e.bottom));
}"""
MARGIN = 16
# The README as a code host shows it, near enough to see what does not fit.
README_WIDTH, README_HEIGHT = 900, 1640
README_STYLE = """body { font: 16px/1.5 sans-serif; max-width: 820px; margin: 24px auto }
pre, code { font: 13px/1.45 monospace; background: #f6f8fa } pre { padding: 16px; overflow: hidden }
h1, h2 { border-bottom: 1px solid #d1d9e0 } img { max-width: 100% }"""
# Flat colours and few letters: a palette is enough, and half of the size.
COLOURS = 256


def shoot(browser: Browser, page: Path, width: int, scheme: str) -> Image.Image:
    """Return what a browser shows of the page, from its top to the end of the first pictures."""
    context = browser.new_context(
        viewport={"width": width, "height": 1000},
        color_scheme="dark" if scheme == "dark" else "light",
    )
    tab = context.new_page()
    tab.goto(page.as_uri())
    tab.set_viewport_size({"width": width, "height": round(tab.evaluate(END)) + MARGIN})
    taken = Image.open(io.BytesIO(tab.screenshot()))
    context.close()
    return taken.convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE)


def shoot_readme(browser: Browser, place: Path) -> Image.Image:
    """Return the first screen of the README."""
    body = MarkdownIt("commonmark").enable("table").render((ROOT / "README.md").read_text())
    page = place / "readme.html"
    head = f'<meta charset="utf-8"><base href="{ROOT.as_uri()}/"><style>{README_STYLE}</style>'
    page.write_text(head + body)
    tab = browser.new_page(viewport={"width": README_WIDTH, "height": README_HEIGHT})
    tab.goto(page.as_uri())
    taken = Image.open(io.BytesIO(tab.screenshot()))
    return taken.convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE)


def main() -> None:
    """Write every picture."""
    with scratch() as place, sync_playwright() as playwright:
        printed = run(f"speedcheck report {RECORD} --html page.html", place)
        if not (place / "page.html").is_file():
            sys.exit("\n".join(printed))
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        for name, width, scheme in SHOTS:
            picture = shoot(browser, place / "page.html", width, scheme)
            picture.save(IMAGES / f"{name}.png", optimize=True)
        shoot_readme(browser, place).save(IMAGES / "readme.png", optimize=True)
        browser.close()


if __name__ == "__main__":
    main()
