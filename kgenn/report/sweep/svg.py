"""Turn the SVG that matplotlib writes into one that stands in a page: its font, its colours, its ids."""

from __future__ import annotations

import re
from collections.abc import Mapping
from xml.etree import ElementTree

from kgenn.report.sweep.text import printable
from kgenn.report.sweep.theme import COLOURS

SVG = "{http://www.w3.org/2000/svg}"
HREF = "{http://www.w3.org/1999/xlink}href"
DROPPED = {f"{SVG}metadata", f"{SVG}style"}
FONT = re.compile(r"font: *(?:(?:[1-9]00|bold|normal) +)?([\d.]+)px[^;]*")
FAMILY = re.compile(r"font-family: *[^;]*;? *")
LONG_NUMBER = re.compile(r"-?\d+\.\d{3,}")
VARIABLES = {light: f"var(--{name})" for name, (light, _) in COLOURS.items()}
COLOUR = re.compile("|".join(VARIABLES), re.IGNORECASE)
NUMERIC = ("d", "x", "y", "transform", "width", "height")


def themed(source: bytes, prefix: str, title: str, description: str, tips: Mapping[str, str]) -> str:
    """Return an SVG for inclusion in HTML.

    Args:
        source: written by matplotlib with `svg.fonttype` "none", in the light colours of `COLOURS`.
        prefix: of all ids, unique in the page.
        title, description: what a screen reader says.
        tips: what is shown when the pointer rests on the artist with a gid.
    """
    root = ElementTree.fromstring(source)
    for parent in list(root.iter()):
        for child in [c for c in parent if c.tag in DROPPED]:
            parent.remove(child)
    for element in root.iter():
        _mend(element, prefix, tips)
    view = root.attrib["viewBox"]
    root.attrib.clear()
    labels = f"{prefix}-title {prefix}-desc"
    root.attrib.update({"class": "plot", "viewBox": view, "role": "img", "aria-labelledby": labels})
    for index, (tag, text) in enumerate((("title", title), ("desc", description))):
        element = ElementTree.Element(tag, {"id": f"{prefix}-{tag}"})
        element.text = printable(text)
        root.insert(index, element)
    return ElementTree.tostring(root, encoding="unicode")


def _mend(element: ElementTree.Element, prefix: str, tips: Mapping[str, str]) -> None:
    """Rewrite the attributes of one element in place."""
    attributes = element.attrib
    own = attributes.pop("id", "")
    if element.tag == f"{SVG}g":
        if own in tips:
            tip = ElementTree.Element("title")
            tip.text = printable(tips[own])
            element.insert(0, tip)
    elif own:
        attributes["id"] = f"{prefix}-{own}"
    if HREF in attributes:
        attributes["href"] = f"#{prefix}-{attributes.pop(HREF).removeprefix('#')}"
    if "clip-path" in attributes:
        attributes["clip-path"] = attributes["clip-path"].replace("url(#", f"url(#{prefix}-")
    if "style" in attributes:
        sized = FAMILY.sub("", FONT.sub(r"font-size: \1px", attributes["style"]))
        attributes["style"] = COLOUR.sub(lambda match: VARIABLES[match[0].lower()], sized)
    for name in NUMERIC:
        if name in attributes:
            attributes[name] = LONG_NUMBER.sub(lambda match: f"{float(match[0]):.2f}", attributes[name])
            attributes[name] = " ".join(attributes[name].split())
    element.tag = element.tag.removeprefix(SVG)
