"""Take the pictures of the page in docs/images: report-*.png.

    python docs/screenshots.py

Needs Chromium and the packages playwright and pillow, which `make` does not install.
"""

from __future__ import annotations

import io
import os
import shutil
import sys
from pathlib import Path

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
        browser.close()


if __name__ == "__main__":
    main()
