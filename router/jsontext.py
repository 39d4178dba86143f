"""Changing members of a JSON text, and not a byte beside them.

    set_member('{"model": "a", "n": 1.0}', ("model",), '"b"')  →  '{"model": "b", "n": 1.0}'

Rule 1: the text is edited where the member stands, not parsed and written anew: numbers keep their
        digits, keys their order, strings their escapes.
Rule 2: a key that stands twice is changed in both places, since readers differ on which one counts.
Rule 3: no message quotes the text.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Member", "NotAnObjectError", "members", "remove_member", "set_member", "whole"]

BLANK = re.compile(r"[ \t\n\r]*")
DECODER = json.JSONDecoder()


class NotAnObjectError(ValueError):
    """The text is no JSON object, or has none where a member belongs."""


class Member(NamedTuple):
    """A member of an object: its key, and where it stands in the text."""

    key: str
    start: int
    value: int
    end: int


def members(text: str, at: int = 0) -> tuple[list[Member], int]:
    """Return the members of the object that begins at `at`, and where its closing brace stands.

    Raises:
        NotAnObjectError: there is no object, or it does not end.
    """
    try:
        return _members(text, _past_blanks(text, at))
    except (ValueError, IndexError, RecursionError):
        raise NotAnObjectError("the text is no JSON object") from None


def _members(text: str, at: int) -> tuple[list[Member], int]:
    if text[at] != "{":
        raise ValueError(at)
    found: list[Member] = []
    at = _past_blanks(text, at + 1)
    while found or text[at] != "}":
        if text[at] != '"':
            raise ValueError(at)
        key, colon = DECODER.raw_decode(text, at)
        colon = _past_blanks(text, colon)
        if text[colon] != ":":
            raise ValueError(colon)
        value = _past_blanks(text, colon + 1)
        _, end = DECODER.raw_decode(text, value)
        found.append(Member(key, at, value, end))
        at = _past_blanks(text, end)
        if text[at] == "}":
            break
        if text[at] != ",":
            raise ValueError(at)
        at = _past_blanks(text, at + 1)
    return found, at


def _past_blanks(text: str, at: int) -> int:
    found = BLANK.match(text, at)
    assert found is not None  # it matches nothing, too
    return found.end()


def whole(text: str) -> None:
    """See that a text is one JSON object and nothing behind it.

    Raises:
        NotAnObjectError: it is not.
    """
    _, brace = members(text)
    if _past_blanks(text, brace + 1) != len(text):
        raise NotAnObjectError("the text is no JSON object")


def set_member(text: str, path: Sequence[str], value: str, at: int = 0) -> str:
    """Return the text with the member at `path` set to `value`, which is JSON itself.

    Objects on the way are made where they are missing.

    Raises:
        NotAnObjectError: what stands on the way is no object.
    """
    key, *below = path
    found, brace = members(text, at)
    same = [member for member in found if member.key == key]
    for member in reversed(same):  # the last first: places before it stay
        if below:
            text = set_member(text, below, value, member.value)
        else:
            text = text[: member.value] + value + text[member.end :]
    if same:
        return text
    for word in reversed(below):
        value = f"{{{json.dumps(word)}: {value}}}"
    end = found[-1].end if found else brace
    return f"{text[:end]}{', ' if found else ''}{json.dumps(key)}: {value}{text[end:]}"


def remove_member(text: str, path: Sequence[str], at: int = 0) -> str:
    """Return the text without the member at `path`; one that is not there is none to remove.

    Raises:
        NotAnObjectError: the text is no object.
    """
    key, *below = path
    found, _ = members(text, at)
    same = [index for index, member in enumerate(found) if member.key == key]
    if below:
        for member in (found[index] for index in reversed(same)):
            if text[member.value] == "{":
                text = remove_member(text, below, member.value)
        return text
    if not same:
        return text
    start, end = _with_its_comma(found, same[-1])
    return remove_member(text[:start] + text[end:], path, at)


def _with_its_comma(found: list[Member], index: int) -> tuple[int, int]:
    """Return where a member stands together with the comma that goes with it."""
    member = found[index]
    if index + 1 < len(found):
        return member.start, found[index + 1].start
    return (found[index - 1].end if index else member.start), member.end
