"""Placeholders such as `{region}` in an endpoint's URL and in the paths of its requests.

    https://{region}-aiplatform.googleapis.com/v1/projects/{project}/locations/{region}

Rule 1: a value cannot leave its place. In a path it is percent-encoded, `/`, `?` and `%` too; in a
        host it is letters, digits, dots and dashes; it is never empty, nor dots alone, so it makes
        no `..` segment.
Rule 2: a name that nothing fills is refused in a URL, when the endpoint is made. In a request's
        path it stays as it is: braces may be part of what the request names.
Rule 3: values are shown in URLs, so they are no place for a secret.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING
from urllib.parse import quote

from router.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["Variables", "fill_path", "fill_url", "has_placeholder", "names_in", "parse_variables"]

Variables = tuple[tuple[str, str], ...]

NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,39}")
IN_URL = re.compile(r"\{([^{}]*)\}")
IN_PATH = re.compile(rb"(?:\{|%7[Bb])([A-Za-z][A-Za-z0-9_]{0,39})(?:\}|%7[Dd])")
IN_HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?")
LONGEST = 1000
HOW = "write variables with their values, such as {project: my-project}"


def parse_variables(value: object) -> Variables:
    """Return names with their values, sorted.

    Raises:
        ValueError: a name or a value is not of its form.
    """
    if not isinstance(value, Mapping | tuple | list):
        raise ValueError(HOW)  # noqa: TRY004 - told as the others are
    try:
        pairs = dict(value)
    except (ValueError, TypeError):
        raise ValueError(HOW) from None
    for name in pairs:
        if not isinstance(name, str) or not NAME.fullmatch(name):
            raise ValueError("a variable's name is letters, digits and _, such as project")
    return tuple(sorted((name, _value(name, text)) for name, text in pairs.items()))


def _value(name: str, value: object) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str) or not 0 < len(value) <= LONGEST or not value.isprintable():
        raise ConfigError(f"{name}: write one line of text, in quotes where it is no word")
    if not value.strip("."):
        raise ConfigError(f"{name}: dots alone would lead out of the path")
    return value


def has_placeholder(url: object) -> bool:
    """Return whether a URL has something to be filled in."""
    return isinstance(url, str) and ("{" in url or "}" in url)


def fill_url(url: str, variables: Mapping[str, str]) -> str:
    """Return a URL with its placeholders filled.

    Raises:
        ValueError: a brace is alone, nothing fills a placeholder, or a value fits no host.
    """
    before, slashes, rest = url.partition("://")
    host, slash, path = rest.partition("/")
    if has_placeholder(before) or has_placeholder(IN_URL.sub("", rest)):
        raise ValueError("write a placeholder as {region}, in the host or in the path")
    host = IN_URL.sub(lambda found: _in_host(_lookup(found[1], variables)), host)
    path = IN_URL.sub(lambda found: quote(_lookup(found[1], variables), safe=""), path)
    return f"{before}{slashes}{host}{slash}{path}"


def _lookup(name: str, variables: Mapping[str, str]) -> str:
    if name in variables:
        return variables[name]
    raise ValueError(_advice(name, variables))


def _advice(name: str, known: Iterable[str]) -> str:
    import difflib  # noqa: PLC0415 - loaded when somebody erred

    near = difflib.get_close_matches(name, known, n=1) if NAME.fullmatch(name) else []
    if near:
        return f"unknown placeholder: did you mean {{{near[0]}}}?"
    if names := ", ".join(f"{{{word}}}" for word in sorted(known)):
        return f"unknown placeholder: write one of {names}, or add it to variables:"
    return "unknown placeholder: give it a value under variables:"


def _in_host(value: str) -> str:
    if IN_HOST.fullmatch(value):
        return value
    raise ValueError("a placeholder in the host takes letters, digits, dots and dashes only")


def fill_path(path: bytes, variables: Mapping[bytes, bytes]) -> bytes:
    """Return a request's path with the placeholders filled that are known.

    `variables` holds values that are percent-encoded already.
    """
    return IN_PATH.sub(lambda found: variables.get(found[1], found[0]), path)


def names_in(url: str) -> list[str]:
    """Return the names of a URL's placeholders."""
    return IN_URL.findall(url)
