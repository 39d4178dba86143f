"""How an endpoint's requests differ from what the caller writes, for people.

Rule: names are told, values are not: they may be keys. A model's name here is a name.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from router.endpoint import Endpoint

__all__ = ["as_dict", "sentence", "target"]


def target(endpoint: Endpoint, path: str) -> str:
    """Return path and query as an endpoint gets them, without the values it sets in the query."""
    return path if endpoint.shaping is None else endpoint.shaping.target(path)


def as_dict(endpoint: Endpoint) -> dict[str, object]:
    """Return by name what is set, renamed and taken out; empty where nothing is."""
    removed = endpoint.remove
    found: dict[str, object] = {
        "variables": dict(endpoint.variables),
        "headers": [name for name, _ in endpoint.headers],
        "query": [name for name, _ in endpoint.query],
        "json": [name for name, _ in endpoint.json],
        "models": dict(endpoint.models),
        "remove": {
            kind: list(names)
            for kind, names in (
                ("headers", removed.headers),
                ("query", removed.query),
                ("json", removed.json),
            )
            if names
        },
    }
    return {key: value for key, value in found.items() if value}


def sentence(endpoint: Endpoint) -> str:
    """Return what is changed of a request that is sent there; empty where nothing is."""
    return "; ".join(_parts(endpoint))


def _parts(endpoint: Endpoint) -> Iterator[str]:
    for kind, values in (
        ("header", endpoint.headers),
        ("parameter", endpoint.query),
        ("member", endpoint.json),
    ):
        if values:
            yield f"{_several(kind, values)} {', '.join(name for name, _ in values)} set"
    removed = endpoint.remove
    for kind, names in (
        ("header", removed.headers),
        ("parameter", removed.query),
        ("member", removed.json),
    ):
        if names:
            yield f"{_several(kind, names)} {', '.join(names)} taken out"
    for name, renamed in endpoint.models:
        yield f"model {name} is {renamed}"


def _several(word: str, of: tuple[object, ...]) -> str:
    return f"{word}s" if len(of) > 1 else word
