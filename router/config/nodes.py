"""The document as a tree that remembers where everything stands.

Rule 1: a node knows its line and column (from 1), how many nodes it stands for with its aliases
        written out, and how deep it goes; so bounds are arithmetic and nothing is ever expanded.
Rule 2: an alias is the node that it names, shared; an error in it is shown where it was written.
Rule 3: `<<` merges as YAML 1.1 had it: a mapping's own keys win, then the earlier source.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar, NamedTuple, TypeAlias

__all__ = [
    "Entry",
    "Mapping",
    "Node",
    "Path",
    "Place",
    "Refused",
    "Repeated",
    "Scalar",
    "Sequence",
    "find",
]

Path: TypeAlias = tuple[str | int, ...]
Place: TypeAlias = tuple[int, int]
MERGE = "<<"


class Refused(ValueError):  # noqa: N818 - caught by the loader; it never reaches a user
    """The document cannot be read further; `place` is the line and column that stop it."""

    def __init__(self, place: Place, sentence: str) -> None:
        super().__init__(sentence)
        self.place = place


@dataclass(slots=True)
class Scalar:
    """A text; `plain` when it stands unquoted, and so may mean a number or a boolean."""

    place: Place
    text: str
    plain: bool
    size: ClassVar[int] = 1
    height: ClassVar[int] = 0


@dataclass(slots=True)
class Sequence:
    """A list of nodes."""

    place: Place
    items: list[Node] = field(default_factory=list)
    size: int = 1
    height: int = 1

    def add(self, node: Node) -> None:
        self.items.append(node)
        self.size += node.size
        self.height = max(self.height, node.height + 1)

    def close(self) -> None:
        """Do nothing: a list is complete with its last item."""


class Entry(NamedTuple):
    """Where a key stands, and its value."""

    place: Place
    value: Node


class Repeated(NamedTuple):
    """A key written a second time, and where it stood first."""

    key: str
    place: Place
    first: Place


@dataclass(slots=True)
class Mapping:
    """Keys and values; of a repeated key the first one stays in `entries`."""

    place: Place
    entries: dict[str, Entry] = field(default_factory=dict)
    repeated: list[Repeated] = field(default_factory=list)
    size: int = 1
    height: int = 1
    _key: Scalar | None = None
    _merged: list[Mapping] = field(default_factory=list)

    def add(self, node: Node) -> None:
        """Take the next key or value, in turn."""
        self.size += node.size
        self.height = max(self.height, node.height + 1)
        if self._key is not None:
            key, self._key = self._key, None
            self._enter(key, node)
        elif isinstance(node, Scalar):
            self._key = node
        else:
            raise Refused(node.place, "a key is a word, not a list or a mapping")

    def _enter(self, key: Scalar, value: Node) -> None:
        if key.plain and key.text == MERGE:
            self._merged += _sources(value)
        elif key.text in self.entries:
            self.repeated.append(Repeated(key.text, key.place, self.entries[key.text].place))
        else:
            self.entries[key.text] = Entry(key.place, value)

    def close(self) -> None:
        """Fill in what `<<` names, now that all own keys are known."""
        for source in self._merged:
            for key, entry in source.entries.items():
                self.entries.setdefault(key, entry)


Node: TypeAlias = Scalar | Sequence | Mapping


def _sources(value: Node) -> list[Mapping]:
    nodes = value.items if isinstance(value, Sequence) else [value]
    mappings = [node for node in nodes if isinstance(node, Mapping)]
    if len(mappings) != len(nodes):
        raise Refused(value.place, "<< takes mappings: write <<: *name, and &name before a mapping")
    return mappings


def find(root: Node | None, path: Path) -> Node | None:
    """Return the node at `path`, or else the deepest one on the way to it."""
    node = root
    for part in path:
        if isinstance(node, Mapping) and part in node.entries:
            node = node.entries[str(part)].value
        elif isinstance(node, Sequence) and isinstance(part, int) and part < len(node.items):
            node = node.items[part]
        else:
            break
    return node
