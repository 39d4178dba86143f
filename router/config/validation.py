"""Plain data to a Config by pydantic, and pydantic's findings as sentences of ours.

Rule 1: no finding is passed on in pydantic's words: they quote the input, which may be a secret.
Rule 2: a section's checks run only when all of its fields are right. So what was refused is left
        out and the rest is validated again, until nothing new is found; then all can be told.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

from router.config.nodes import Node, Path, find
from router.config.scalars import resolve
from router.config.settings import Config
from router.config.shape import Shape, section_at, shapes
from router.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from router.config.problems import Problems

__all__ = ["validate"]

ROUNDS = 4  # a required field, the section without it, the section's check, the whole's check


def validate(data: Any, root: Node | None, problems: Problems) -> Config | None:
    """Return the configuration, or None after noting what is wrong with it; empties `data`."""
    for _ in range(ROUNDS):
        found = _validated(data)
        if isinstance(found, Config):
            return found
        for error in found:
            for path, sentence in _told(error):
                if not problems.settled(path):
                    problems.refuse(path, _place(root, path), sentence)
        left_out = [_leave_out(data, error["loc"]) for error in found]
        if not any(left_out):
            break
    return None


def _validated(data: Any) -> Config | list[Any]:
    from pydantic import ValidationError  # noqa: PLC0415 - loaded when used

    try:
        return _adapter().validate_python(data)  # type: ignore[no-any-return]
    except ValidationError as error:
        return error.errors(include_url=False)


@functools.cache
def _adapter() -> Any:
    from pydantic import TypeAdapter  # noqa: PLC0415 - loaded when used

    return TypeAdapter(Config)


def _place(root: Node | None, path: Path) -> tuple[int, int]:
    node = find(root, path)
    return node.place if node else (1, 1)


def _leave_out(data: Any, path: Path) -> bool:
    """Take what stands at `path` out of `data`, or else the section that lacks it."""
    parent = _at(data, path[:-1])
    if not path or parent is None:
        return bool(path)
    last = path[-1]
    if isinstance(parent, list):
        parent[int(last)] = {
            "url": f"https://endpoint-{last}.invalid"
        }  # the others keep their index
    elif last in parent:
        del parent[last]
    elif path[0] == "endpoints" and len(path) > 1:
        parent["url"] = f"https://endpoint-{path[1]}.invalid"
    else:
        return _leave_out(data, path[:-1])
    return True


def _at(data: Any, path: Path) -> Any:
    """Return what stands at `path`, or None where it was taken out before."""
    for part in path:
        if isinstance(data, dict) and part not in data:
            return None
        data = data[part]
    return data


def _told(error: Any) -> Iterator[tuple[Path, str]]:
    path, kind = tuple(error["loc"]), error["type"]
    if kind == "value_error":
        yield from _own_words(error["ctx"]["error"], path, error["input"])
    elif kind == "missing":
        yield path, f"is required: {_shape(path).help}"
    elif kind == "literal_error":
        yield path, f"write {error['ctx']['expected'].replace(chr(39), '')}"
    elif kind == "dataclass_type":
        keys = shapes(section_at(path) or Config)
        yield path, f"write keys and values here; the keys are {', '.join(keys)}"
    elif kind == "tuple_type":
        yield path, "write a list, one - item a line"
    else:
        yield path, "this value has another form than its key takes"


def _own_words(error: ValueError, path: Path, value: object) -> Iterator[tuple[Path, str]]:
    if isinstance(error, ConfigError):
        for problem in error.problems:
            below, _, sentence = problem.partition(": ")
            parts = (int(part) if part.isdigit() else part for part in below.split("."))
            yield (*path, *parts), sentence
    else:
        yield path, _quoting(value, _shape(path)) or str(error)


def _quoting(value: object, shape: Shape) -> str:
    """Return what to do where only the quotes, or their absence, are wrong."""
    if isinstance(value, bool | int | float) and shape.accepts(str(value)):
        return "put it in quotes: without them it is not a text"
    try:
        if isinstance(value, str) and shape.accepts(resolve(value)):
            return "take the quotes away; a variable without quotes stands on a line of its own"
    except ValueError:
        pass
    return ""


def _shape(path: Path) -> Shape:
    section = section_at(path[:-1]) if path else None
    return shapes(section).get(str(path[-1]), Shape()) if section else Shape()
