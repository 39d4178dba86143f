"""A YAML file to a Config: read, parse, fill in, validate, look up; then tell all that is wrong.

Rule 1: whoever writes a wrong file sees every problem of it at once, each with its line, column
        and key; only what stops the reading (syntax, a bound) is told alone.
Rule 2: nothing of the file's text is in an error, nor in an exception chained to it: errors are
        raised after the handler that caught their cause has ended.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from router.config import document
from router.config.nodes import Node, Path, Refused, find
from router.config.problems import Problems
from router.config.reader import Reader
from router.config.settings import Config
from router.config.sources import read_bounded
from router.config.validation import validate
from router.hosts import is_address

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

__all__ = ["load", "loads", "places_of"]

NOWHERE = (0, 0)


def load(path: str | os.PathLike[str], *, environ: Mapping[str, str] | None = None) -> Config:
    """Return the configuration in the YAML file at `path`; variables come from `environ`.

    Raises:
        ConfigError: the file cannot be read, or something in it is wrong.
    """
    name = os.fsdecode(path)
    problems = Problems(name)
    content = _content(name, problems)
    problems.check()
    return loads(content, name=name, environ=environ)


def loads(
    text: str | bytes, *, name: str = "routes.yaml", environ: Mapping[str, str] | None = None
) -> Config:
    """Return the configuration in `text`; `name` is what errors call it.

    Raises:
        ConfigError: something in it is wrong; its problems are sorted by line and column.
    """
    problems = Problems(name)
    root = _tree(text, problems)
    problems.check()
    data = Reader(os.environ if environ is None else environ, problems).section(root, Config)
    regions = list(_regions(data))
    config = validate(data, root, problems)
    _look_up(regions, root, problems)
    problems.check()
    assert config is not None  # or a problem was raised above
    return config


def places_of(path: str | os.PathLike[str], found: Iterable[str]) -> dict[str, str]:
    """Return `:line:column` of each `key: sentence` whose key stands in the file at `path`."""
    problems = Problems("")
    root = _tree(_content(os.fsdecode(path), problems), problems)
    places = {}
    for text in found:
        first = text.partition(": ")[0].partition(",")[0]
        keys = [int(key) if key.isdigit() else key for key in first.split(".")]
        node = find(root, tuple(keys))
        if node is not None and node is not root:
            places[text] = ":{}:{}".format(*node.place)
    return places


def _content(name: str, problems: Problems) -> bytes:
    try:
        return read_bounded(name, most=document.LARGEST)
    except ValueError as error:
        problems.add((), NOWHERE, str(error))
    return b""


def _tree(text: str | bytes, problems: Problems) -> Node | None:
    try:
        return document.parse(text)
    except Refused as refused:
        problems.add((), refused.place, str(refused))
    return None


def _regions(data: Any) -> Iterator[tuple[Path, str]]:
    """Yield where a region code stands, and the code."""
    if not isinstance(data, dict):
        return
    endpoints, geo = data.get("endpoints"), data.get("geo")
    for index, endpoint in enumerate(endpoints if isinstance(endpoints, list) else ()):
        code = endpoint.get("region") if isinstance(endpoint, dict) else None
        if isinstance(code, str):
            yield ("endpoints", index, "region"), code
    here = geo.get("here") if isinstance(geo, dict) else None
    if isinstance(here, str) and not is_address(here):
        yield ("geo", "here"), here


def _look_up(regions: list[tuple[Path, str]], root: Node | None, problems: Problems) -> None:
    from router.geo.regions import find as find_region  # noqa: PLC0415 - loaded when used
    from router.geo.regions import suggest  # noqa: PLC0415 - loaded when used

    for path, code in regions:
        if problems.settled(path) or find_region(code) is not None:
            continue
        near = () if problems.full else suggest(code)
        hint = f"did you mean {near[0]}?" if near else "write one such as aws:eu-central-1"
        node = find(root, path)
        problems.add(path, node.place if node else NOWHERE, f"unknown region: {hint}")
