"""YAML text to a tree of nodes, in one pass over the parser's events.

Rule 1: bounds come first: size before parsing; depth, nodes and the length of a value with each
        event. What is deep or large is refused before it exists, so a hostile document costs the
        time to read its first few thousand nodes. PyYAML's own composer is not used: it recurses.
Rule 2: no object is ever constructed: tags are refused, and so is a second document.
Rule 3: what the parser says about a syntax error is dropped but for its place, because it quotes
        the text, and the text may be a secret.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from router.config.nodes import Mapping, Node, Place, Refused, Scalar, Sequence

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["DEEPEST", "LARGEST", "LONGEST_VALUE", "MOST_NODES", "parse"]

LARGEST = 4 * 2**20
DEEPEST = 32
MOST_NODES = 250_000
LONGEST_VALUE = 16_384
NOT_TEXT = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def parse(source: str | bytes) -> Node | None:
    """Return the document's root, or None where it is empty.

    Raises:
        Refused: it is not UTF-8, not YAML, not one document, or beyond a bound.
    """
    if len(source) > LARGEST:
        raise Refused((1, 1), f"a configuration has at most {LARGEST // 2**20} MiB")
    text = _decode(source).removeprefix("\ufeff")
    found = NOT_TEXT.search(text)
    if found:
        raise Refused(_place(text[: found.start()]), "take out the control character at this place")
    builder = _Builder()
    for event in _events(text):
        builder.take(event)
    return builder.root


def _decode(source: str | bytes) -> str:
    if isinstance(source, str):
        return source
    try:
        return source.decode()
    except UnicodeDecodeError as error:
        place = _place(source[: error.start].decode())
    raise Refused(place, "this is not UTF-8: save the file as UTF-8")


def _place(before: str) -> Place:
    """Return line and column, from 1, of what follows `before`."""
    return before.count("\n") + 1, len(before) - before.rfind("\n")


def _events(text: str) -> Iterator[Any]:
    import yaml  # noqa: PLC0415 - loaded when used

    try:
        yield from yaml.parse(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except (yaml.YAMLError, ValueError, OverflowError) as error:
        mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
        index, place = (mark.index, (mark.line + 1, mark.column + 1)) if mark else (0, (1, 1))
    else:
        return
    raise Refused(place, _syntax_advice(text, index))


def _syntax_advice(text: str, index: int) -> str:
    """Return what to do about the syntax error at `index`, without a word of the text."""
    if text[index : index + 1] == "\t":
        return "indent with spaces, not with tabs"
    if text[max(index - 1, 0) : index + 1] == "${":
        return 'between braces and brackets a variable stands in quotes: "${NAME}"'
    return "this is not YAML: check indentation, quotes and brackets here and above"


class _Builder:
    """Turns events into nodes; the collections still open stand on a stack of its own."""

    def __init__(self) -> None:
        self.root: Node | None = None
        self._open: list[tuple[Sequence | Mapping, str | None]] = []
        self._anchors: dict[str, Node] = {}
        self._nodes = 0
        self._documents = 0
        self._handlers: dict[str, Callable[[Any, Place], None]] = {
            "DocumentStartEvent": self._document,
            "ScalarEvent": self._scalar,
            "AliasEvent": self._alias,
            "SequenceStartEvent": self._start,
            "MappingStartEvent": self._start,
            "SequenceEndEvent": self._end,
            "MappingEndEvent": self._end,
        }

    def take(self, event: Any) -> None:
        handler = self._handlers.get(type(event).__name__)
        if handler is not None:
            mark = event.start_mark
            handler(event, (mark.line + 1, mark.column + 1))

    def _document(self, _event: Any, place: Place) -> None:
        self._documents += 1
        if self._documents > 1:
            raise Refused(place, "write one document: take out the second ---")

    def _scalar(self, event: Any, place: Place) -> None:
        _refuse_tag(event, place)
        if len(event.value) > LONGEST_VALUE:
            raise Refused(place, f"a key or value has at most {LONGEST_VALUE} characters")
        self._count(1, 0, place)
        self._complete(Scalar(place, event.value, not event.style), event.anchor)

    def _alias(self, event: Any, place: Place) -> None:
        node = self._anchors.get(event.anchor)
        if node is None:
            raise Refused(place, "this alias names nothing that is complete above it")
        self._count(node.size, node.height, place)
        self._complete(node, None)

    def _start(self, event: Any, place: Place) -> None:
        _refuse_tag(event, place)
        self._count(1, 1, place)
        mapping = type(event).__name__ == "MappingStartEvent"
        self._open.append((Mapping(place) if mapping else Sequence(place), event.anchor))

    def _end(self, _event: Any, _place: Place) -> None:
        node, anchor = self._open.pop()
        node.close()
        self._complete(node, anchor)

    def _count(self, size: int, height: int, place: Place) -> None:
        self._nodes += size
        if self._nodes > MOST_NODES:
            raise Refused(place, f"at most {MOST_NODES} keys and values, aliases written out")
        if len(self._open) + height > DEEPEST:
            raise Refused(place, f"at most {DEEPEST} levels of nesting")

    def _complete(self, node: Node, anchor: str | None) -> None:
        if anchor is not None:
            self._anchors[anchor] = node
        if self._open:
            self._open[-1][0].add(node)
        else:
            self.root = node


def _refuse_tag(event: Any, place: Place) -> None:
    if event.tag is not None:
        raise Refused(place, "tags (!…) are not read: take it out, and quote what is a text")
