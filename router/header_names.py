"""What a header may be called that a user names, and which are never the user's.

Rule: a name is a token of HTTP, of a hundred characters at most. A header that is made where the
      request is written (`OF_THE_WIRE`) would say something else there.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet

__all__ = ["MADE_BY_OTHERS", "OF_THE_WIRE", "header_name", "is_header_name", "own_header"]

OF_THE_WIRE = frozenset({"connection", "content-length", "host", "transfer-encoding"})
MADE_BY_OTHERS = OF_THE_WIRE | {"authorization"}
NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}")


def is_header_name(value: object) -> bool:
    """Return whether a header may be called so."""
    return isinstance(value, str) and NAME.fullmatch(value) is not None


def header_name(value: object, *, such_as: str) -> str:
    """Return the name.

    Raises:
        ValueError: it is none; with an example.
    """
    if isinstance(value, str) and is_header_name(value):
        return value
    raise ValueError(f"a header's name is letters, digits and dashes, such as {such_as}")


def own_header(value: object, *, taken: AbstractSet[str], instead: str, such_as: str) -> str | None:
    """Return the name of a header that is the user's to set, or None for none.

    Raises:
        ValueError: it is no name, or one of those that are taken; `instead` says what to write.
    """
    if value is None:
        return None
    name = header_name(value, such_as=such_as)
    if name.lower() in taken:
        raise ValueError(f"this header is made by others: name {instead}")
    return name
