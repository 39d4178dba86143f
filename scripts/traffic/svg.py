"""As much of SVG as one chart needs.

Rule: numbers are written to a tenth of a pixel, text is escaped, and nothing is fetched: the file
      stands alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.sax.saxutils import escape, quoteattr

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["Point", "area", "document", "line", "number", "rect", "text"]

Point = tuple[float, float]


def number(value: float) -> str:
    """Return a coordinate, as short as it can be written."""
    return f"{value:.1f}".removesuffix(".0")


def element(tag: str, attributes: Mapping[str, float | str], content: str = "") -> str:
    """Return one element; `class_` becomes class, and other underscores become hyphens."""
    written = "".join(
        f" {name.rstrip('_').replace('_', '-')}="
        + quoteattr(value if isinstance(value, str) else number(value))
        for name, value in attributes.items()
    )
    return f"<{tag}{written}>{content}</{tag}>" if content else f"<{tag}{written}/>"


def rect(x: float, y: float, width: float, height: float, **attributes: float | str) -> str:
    """Return a rectangle."""
    return element("rect", {"x": x, "y": y, "width": width, "height": height, **attributes})


def text(x: float, y: float, words: str, **attributes: float | str) -> str:
    """Return a line of text."""
    return element("text", {"x": x, "y": y, **attributes}, escape(words))


def line(points: Iterable[Point], **attributes: float | str) -> str:
    """Return a line through all points."""
    return element("path", {"d": _path(points), **attributes})


def area(upper: Iterable[Point], lower: Iterable[Point], **attributes: float | str) -> str:
    """Return what lies between two lines that go from left to right."""
    return element("path", {"d": _path([*upper, *reversed([*lower])]) + "Z", **attributes})


def _path(points: Iterable[Point]) -> str:
    """Return straight lines; only what changes is written."""
    words = []
    last: tuple[str, str] | None = None
    for point in points:
        x, y = number(point[0]), number(point[1])
        if last is None:
            words.append(f"M{x} {y}")
        elif y == last[1]:
            words.append(f"H{x}")
        elif x == last[0]:
            words.append(f"V{y}")
        else:
            words.append(f"L{x} {y}")
        last = x, y
    return "".join(words)


def document(width: float, height: float, style: str, parts: Iterable[str]) -> str:
    """Return the file."""
    size = f"{number(width)} {number(height)}"
    body = "\n".join(parts)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {size}" width="{number(width)}"'
        f' height="{number(height)}" role="img">\n<style>{style}</style>\n{body}\n</svg>\n'
    )
