"""The tree to plain data in the shape of the settings: variables, secrets, unknown keys.

Rule 1: what is refused is noted and left out, so that the rest is still checked in the same go.
Rule 2: a key without a value counts as left out: its default holds.
Rule 3: a key that is not one of ours is shown only where it looks like a word with a value; a
        secret in the wrong place (`{hunter2}`) makes a key as well.
"""

from __future__ import annotations

import difflib
import re
from typing import TYPE_CHECKING, Any

from router.config.nodes import Mapping, Node, Path, Scalar, Sequence
from router.config.scalars import resolve
from router.config.shape import Shape, shapes
from router.config.sources import secret_from_environment, secret_from_file, substitute
from router.secret import Secret

if TYPE_CHECKING:
    import collections.abc
    from collections.abc import Iterable

    from router.config.problems import Problems

__all__ = ["Reader"]

EMPTY = "is empty: write what it names, or leave the key out"
SHOWN_KEY = re.compile(r"[A-Za-z][A-Za-z_-]{0,39}")


class Reader:
    """Reads nodes with the variables of `environ`; problems go to `problems`."""

    def __init__(self, environ: collections.abc.Mapping[str, str], problems: Problems) -> None:
        self._environ = environ
        self._problems = problems

    def section(self, node: Node | None, section: type, path: Path = ()) -> Any:
        """Return the values of a section by key; what is no mapping is left to the validator."""
        if not isinstance(node, Mapping):
            return {} if node is None else self._value(node, path)
        known = shapes(section)
        self._report_repeated(node, path, known)
        found = {}
        for key, entry in node.entries.items():
            if key in known:
                found[key] = self._field(entry.value, known[key], (*path, key))
            else:
                self._report_unknown(key, node, path, known)
        if not getattr(section, "null_is_default", True):
            self._refuse_empty(node, found, path)
        return {key: value for key, value in found.items() if value is not None}

    def _refuse_empty(self, node: Mapping, found: dict[str, Any], path: Path) -> None:
        """Refuse what is empty in a section whose silence would mean more than its writer meant."""
        for key, value in found.items():
            if value is None and not self._problems.settled((*path, key)):
                self._problems.refuse((*path, key), node.entries[key].value.place, EMPTY)
        if not found and not self._problems.settled(path):
            self._problems.refuse(path, node.place, EMPTY)

    def _field(self, node: Node, shape: Shape, path: Path) -> Any:
        if shape.secret:
            return self._secret(node, path)
        if shape.section is None:
            return self._value(node, path)
        if _is_null(node):
            if not getattr(shape.section, "null_is_default", True):
                self._problems.refuse(path, node.place, EMPTY)
            return None
        if not shape.many:
            return self.section(node, shape.section, path)
        if not isinstance(node, Sequence):
            return self._value(node, path)
        return [
            self._endpoint(item, shape.section, (*path, index))
            for index, item in enumerate(node.items)
        ]

    def _endpoint(self, node: Node, section: type, path: Path) -> Any:
        if not isinstance(node, Scalar):
            return self.section(node, section, path)
        url = self._value(node, (*path, "url"))
        return {} if url is None else {"url": url}

    def _value(self, node: Node, path: Path) -> Any:
        if isinstance(node, Scalar):
            return self._scalar(node, path)
        if isinstance(node, Sequence):
            return [self._value(item, (*path, i)) for i, item in enumerate(node.items)]
        self._report_repeated(node, path, ())
        return {
            key: self._value(entry.value, (*path, key) if SHOWN_KEY.fullmatch(key) else path)
            for key, entry in node.entries.items()
        }

    def _scalar(self, node: Scalar, path: Path) -> Any:
        if not node.plain and "$" not in node.text:
            return node.text
        try:
            text = substitute(node.text, self._environ)
            return resolve(text) if node.plain else text
        except ValueError as error:
            self._problems.refuse(path, node.place, str(error))
        return None

    def _secret(self, node: Node, path: Path) -> Secret | None:
        if _is_null(node):
            return None
        try:
            text = self._secret_text(node)
            if not (text and text.isprintable()):
                raise ValueError("this secret is empty, or not one line of printable text")  # noqa: TRY301 - told as the others are
            return Secret(text)
        except ValueError as error:
            self._problems.refuse(path, node.place, str(error))
        return None

    def _secret_text(self, node: Node) -> str:
        if isinstance(node, Scalar):
            return substitute(node.text, self._environ)
        form, source = _source(node)
        if form == "env":
            return secret_from_environment(substitute(source, self._environ), self._environ)
        return secret_from_file(substitute(source, self._environ))

    def _report_repeated(self, node: Mapping, path: Path, known: Iterable[str]) -> None:
        for key, place, (line, column) in node.repeated:
            where = (*path, key) if key in known else path
            sentence = f"this key stands on line {line}, column {column} already: keep one"
            self._problems.add(where, place, sentence)

    def _report_unknown(self, key: str, node: Mapping, path: Path, known: Iterable[str]) -> None:
        entry = node.entries[key]
        shown = SHOWN_KEY.fullmatch(key) and not _is_null(entry.value)
        self._problems.add((*path, key) if shown else path, entry.place, self._advice(key, known))

    def _advice(self, key: str, known: Iterable[str]) -> str:
        likely = SHOWN_KEY.fullmatch(key) and not self._problems.full
        near = difflib.get_close_matches(key, known, n=1) if likely else ()
        if near:
            return f"unknown key: did you mean {near[0]}?"
        return f"unknown key: write one of {', '.join(known)}"


def _is_null(node: Node) -> bool:
    return (
        isinstance(node, Scalar) and node.plain and node.text in ("", "~", "null", "Null", "NULL")
    )


def _source(node: Node) -> tuple[str, str]:
    """Return which form a secret's mapping has, and the name or path in it."""
    if isinstance(node, Mapping) and len(node.entries) == 1 and not node.repeated:
        form, entry = next(iter(node.entries.items()))
        if form in ("env", "file") and isinstance(entry.value, Scalar) and entry.value.text:
            return form, entry.value.text
    raise ValueError('write a secret as "${NAME}", {env: NAME} or {file: /path}')
