"""Which keys each section has and what stands under them, read off the dataclasses.

Rule: the settings are written once, in `settings` and `endpoint`; the loader and the JSON Schema
      ask here, and so cannot disagree with them.
"""

from __future__ import annotations

import dataclasses
import functools
import re
import typing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from router.config.fields import SecretField
from router.config.settings import Config
from router.units import Parsed

if TYPE_CHECKING:
    from collections.abc import Callable

    from router.config.nodes import Path

__all__ = ["Shape", "section_at", "shapes"]

ATTRIBUTE = re.compile(r"(\w+): (.+)")


@dataclass(frozen=True, slots=True)
class Shape:
    """What a key takes: a section, a list of sections (`many`), a secret, or a plain value."""

    section: type | None = None
    many: bool = False
    secret: bool = False
    help: str = ""
    parse: Callable[[Any], Any] | None = None

    def accepts(self, value: object) -> bool:
        """Whether the field's own parser takes `value`."""
        if self.parse is None:
            return False
        try:
            self.parse(value)
        except ValueError:
            return False
        return True


@functools.cache
def shapes(section: type) -> dict[str, Shape]:
    """Return the shape of every key of a section."""
    hints = typing.get_type_hints(section, include_extras=True)
    help_texts = _attributes(section.__doc__ or "")
    return {
        field.name: _shape(hints[field.name], help_texts.get(field.name, ""))
        for field in dataclasses.fields(section)
    }


def section_at(path: Path) -> type | None:
    """Return the section that stands at `path`, such as Backoff at failover.backoff."""
    section: type | None = Config
    for part in path:
        if isinstance(part, int):
            continue
        shape = shapes(section).get(part) if section else None
        section = shape.section if shape else None
    return section


def _shape(hint: Any, help_text: str) -> Shape:
    parsers = [mark.parse for mark in getattr(hint, "__metadata__", ()) if type(mark) is Parsed]
    if parsers:
        return Shape(secret=hint == SecretField, help=help_text, parse=parsers[0])
    candidates = (hint, *typing.get_args(hint))
    sections = [kind for kind in candidates if dataclasses.is_dataclass(kind)]
    many = typing.get_origin(hint) is tuple
    return Shape(
        section=typing.cast("type", sections[0]) if sections else None, many=many, help=help_text
    )


def _attributes(doc: str) -> dict[str, str]:
    """Return the texts of a docstring's `Attributes:` section by name."""
    found: dict[str, str] = {}
    name = ""
    for line in doc.partition("Attributes:")[2].splitlines():
        match = ATTRIBUTE.fullmatch(line.strip())
        if match and not line.startswith(" " * 12):
            name = match[1]
            found[name] = match[2]
        elif name and line.strip():
            found[name] += " " + line.strip()
    return {name: text.removesuffix(".") for name, text in found.items()}
