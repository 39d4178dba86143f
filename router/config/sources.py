"""Text from outside the document: environment variables and files.

Rule 1: a variable is replaced in values only, after parsing, once: what it holds is never parsed
        as YAML and never searched for further variables.
Rule 2: a sentence names the variable or the path, never what was found there.
Rule 3: a file is read up to a bound, so that neither a device nor a mistaken path fills memory.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["read_bounded", "secret_from_environment", "secret_from_file", "substitute"]

# $$, or ${NAME}, or ${NAME:-default}, or a ${ that begins none of these
REFERENCE = re.compile(
    r"\$(?:(?P<dollar>\$)"
    r"|\{(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?::-(?P<default>(?:(?!\$\{)[^}])*))?\}"
    r"|(?P<broken>\{))"
)
LARGEST_SECRET = 65_536


def substitute(text: str, environ: Mapping[str, str]) -> str:
    """Return `text` with its variables replaced and `$$` written as one dollar.

    Raises:
        ValueError: a variable is not set and has no default, or a `${` is not closed.
    """
    return REFERENCE.sub(lambda found: _replacement(found, environ), text)


def _replacement(found: re.Match[str], environ: Mapping[str, str]) -> str:
    if found["dollar"]:
        return "$"
    if found["broken"]:
        raise ValueError("write ${NAME} or ${NAME:-default}; a dollar before a brace is $$")
    if found["default"] is not None:
        return environ.get(found["name"]) or found["default"]
    return _variable(found["name"], environ, f"or write ${{{found['name']}:-default}}")


def _variable(name: str, environ: Mapping[str, str], otherwise: str) -> str:
    if name not in environ:
        raise ValueError(f"the environment variable {name} is not set: set it, {otherwise}")
    return environ[name]


def secret_from_environment(name: str, environ: Mapping[str, str]) -> str:
    """Return the variable `name` whole, without replacing anything in it.

    Raises:
        ValueError: it is not set.
    """
    return _variable(name, environ, "or use {file: /path}")


def secret_from_file(path: str) -> str:
    """Return the text of a file without one newline at its end.

    Raises:
        ValueError: it cannot be read, is over 64 KiB, or is not UTF-8.
    """
    if Path(path).exists() and not Path(path).is_file():
        raise ValueError(f"{path} is not a file: name one that holds nothing but the secret")
    try:
        text = read_bounded(path, most=LARGEST_SECRET).decode()
    except UnicodeDecodeError:
        text = None
    if text is None:
        raise ValueError(f"the file {path} is not UTF-8 text")
    return text.removesuffix("\n").removesuffix("\r")


def read_bounded(path: str, *, most: int) -> bytes:
    """Return a file's bytes.

    Raises:
        ValueError: it cannot be opened or read, or holds more than `most` bytes.
    """
    try:
        with Path(path).open("rb") as file:
            content = file.read(most + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "the path is not valid"
        raise ValueError(
            f"the file {path} cannot be read ({reason}): check its path and permissions"
        ) from None
    if len(content) > most:
        raise ValueError(f"the file {path} is larger than {most} bytes")
    return content
