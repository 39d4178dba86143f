"""What a caller's headers must be like before any of them is sent.

Rule 1: nothing that ends a line gets into a header. HTTP/1.1's library refuses it when it writes,
        but that of HTTP/2 lets it pass, to be a second header behind the next proxy.
Rule 2: a malformed request is the caller's to mend, so it is refused before it has a permit, an
        endpoint or a connection. The sentence says where, and quotes no value: it may be a secret.
Rule 3: bytes beyond ASCII pass: they are opaque, and end no line.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    Header = tuple[bytes, bytes]

__all__ = ["malformed"]

USUAL = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
TOKEN = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
ENDS_A_LINE = re.compile(rb"[\r\n\0]")


def malformed(method: str, headers: Sequence[Header]) -> str | None:
    """Return in a sentence what of a request could become a second line, or None."""
    if method not in USUAL and not TOKEN.fullmatch(method.encode("utf-8")):
        return "the method is not one word of HTTP: nothing was sent"
    names = b"".join([name or b" " for name, _ in headers])
    values = b"".join([value for _, value in headers])
    if ENDS_A_LINE.search(values) is None and (not names or TOKEN.fullmatch(names)):
        return None
    return next(filter(None, map(_malformed_header, range(1, len(headers) + 1), headers)))


def _malformed_header(place: int, header: Header) -> str | None:
    name, value = header
    if not TOKEN.fullmatch(name):
        return f"the name of header {place} is not one word: nothing was sent"
    if ENDS_A_LINE.search(value):
        return f"the value of {name.decode('ascii')} holds CR, LF or NUL: nothing was sent"
    return None
