"""A drawing as SVG inside of a page: its colours are the page's, its style is in one sheet.

The page's security policy admits one style sheet by its hash and no style attributes, so that each
style attribute of matplotlib's SVG becomes a class, which also makes it shorter.
"""

from __future__ import annotations

import io
import re
from xml.etree import ElementTree as ET

from speedcheck.report.plots import Picture
from speedcheck.report.plots.style import COLOURS, styled

_SVG = "http://www.w3.org/2000/svg"
_HREF = "{http://www.w3.org/1999/xlink}href"
_DROPPED = {f"{{{_SVG}}}metadata", f"{{{_SVG}}}style"}

# A hundredth of a point is finer than any screen.
_LONG_NUMBER = re.compile(r"(-?\d+\.\d\d)\d+")
_REFERENCE = re.compile(r"url\(#([^)]+)\)")
_GEOMETRY = ("d", "x", "y", "width", "height", "transform", "points")
_VARIABLES = {colour: f"var(--{name})" for name, colour in COLOURS.items()}
_FONT = re.compile(r"font: (?:(\d+|bold) )?([\d.]+)px [^;]*")


class Sheet:
    """The style sheet of a page's drawings: equal declarations share a class."""

    def __init__(self) -> None:
        self._classes: dict[str, str] = {}

    def class_of(self, declarations: str) -> str:
        """Return the class with these declarations."""
        return self._classes.setdefault(declarations, f"d{len(self._classes)}")

    def css(self) -> str:
        """Return the rules of all classes."""
        return "".join(f".{name}{{{text}}}\n" for text, name in self._classes.items())


def inline_svg(picture: Picture, sheet: Sheet) -> str:
    """Return a picture as an SVG element with a title; its classes are put into `sheet`."""
    root = _drawn(picture)
    _drop(root)
    references = _references(root)
    for element in root.iter():
        _rename(element, references, picture.name)
        if (style := element.attrib.pop("style", None)) is not None:
            element.set("class", sheet.class_of(_declarations(style)))
        for name in _GEOMETRY:
            if name in element.attrib:
                element.set(name, _LONG_NUMBER.sub(r"\1", " ".join(element.attrib[name].split())))
    _describe(root, picture)
    # The prefixes of namespaces mean nothing within HTML.
    text = ET.tostring(root, encoding="unicode", default_namespace=None)
    return text.replace("ns0:", "").replace(":ns0", "")


def _drawn(picture: Picture) -> ET.Element:
    file = io.StringIO()
    with styled():
        picture.figure.savefig(file, format="svg", metadata={"Date": None, "Creator": None})
    return ET.fromstring(file.getvalue())  # noqa: S314 - matplotlib's own output


def _drop(root: ET.Element) -> None:
    for parent in list(root.iter()):
        for child in list(parent):
            if child.tag in _DROPPED:
                parent.remove(child)


def _references(root: ET.Element) -> set[str]:
    """Return the ids that something in the drawing refers to."""
    found = set()
    for element in root.iter():
        found.update(_REFERENCE.findall(element.get("clip-path", "")))
        found.add(element.get(_HREF, "#").removeprefix("#"))
    return found


def _rename(element: ET.Element, references: set[str], name: str) -> None:
    """Make ids the page's own; those that nothing refers to go."""
    identity = element.attrib.pop("id", None)
    if identity in references:
        element.set("id", f"{name}-{identity}")
    href = element.attrib.pop(_HREF, None)
    if href is not None:
        element.set("href", f"#{name}-{href.removeprefix('#')}")
    if "clip-path" in element.attrib:
        element.set("clip-path", _REFERENCE.sub(rf"url(#{name}-\1)", element.attrib["clip-path"]))


def _declarations(style: str) -> str:
    text = _FONT.sub(_font, style)
    for colour, variable in _VARIABLES.items():
        text = text.replace(colour, variable)
    return _LONG_NUMBER.sub(r"\1", text.replace("; ", ";").replace(": ", ":"))


def _font(match: re.Match[str]) -> str:
    weight = f"font-weight: {match[1]}; " if match[1] else ""
    return f"{weight}font-size: {match[2]}px"


def _describe(root: ET.Element, picture: Picture) -> None:
    root.attrib = {
        "viewBox": root.attrib["viewBox"],
        "role": "img",
        "aria-labelledby": f"{picture.name}-title",
        "aria-describedby": f"{picture.name}-caption",
    }
    title = ET.Element(f"{{{_SVG}}}title", {"id": f"{picture.name}-title"})
    title.text = picture.title
    root.insert(0, title)
