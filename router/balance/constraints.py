"""Which endpoints a request may use at all; this comes before any cost.

Rule 1: a constraint holds on every attempt: data that may not leave a region does not leave it
        on failover either.
Rule 2: a name that no endpoint has is a mistake of the caller and said so, never an empty match.
"""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

from router.errors import OptionsError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from router.endpoint import Endpoint
    from router.options import Options

__all__ = ["Vocabulary", "allows", "nothing_left"]


class Vocabulary:
    """The regions, tags and tiers that a configuration knows."""

    __slots__ = ("_regions", "_tags", "_tiers")

    def __init__(self, endpoints: Iterable[Endpoint]) -> None:
        known = tuple(endpoints)
        codes = {e.region for e in known if e.region is not None}
        self._regions = codes | {e.name for e in known}
        self._tags = {tag for e in known for tag in e.tags}
        self._tiers = {e.tier for e in known}

    def check(self, options: Options) -> None:
        """Raise OptionsError where `options` name something that no endpoint has."""
        _check("region", options.regions or (), self._regions)
        _check("tag", options.tags or (), self._tags)
        _check("tier", map(str, options.tiers or ()), set(map(str, self._tiers)))


def _check(kind: str, wanted: Iterable[str], known: set[str]) -> None:
    for name in sorted(wanted):
        if name not in known:
            close = difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean {close[0]}?" if close else f"known: {_listed(known)}"
            raise OptionsError(f"no endpoint has the {kind} {name}: {hint}")


def _listed(names: set[str]) -> str:
    few = sorted(names)[:10]
    return ", ".join(few) + (", …" if len(names) > len(few) else "") if few else "none"


def allows(options: Options, endpoint: Endpoint) -> bool:
    """Return whether the request may go to `endpoint`."""
    if options.regions is not None and not (
        endpoint.name in options.regions or endpoint.region in options.regions
    ):
        return False
    if options.tags is not None and not options.tags.issubset(endpoint.tags):
        return False
    return options.tiers is None or endpoint.tier in options.tiers


def _described(options: Options) -> str:
    """Return the constraints in words, for an error."""
    parts = []
    if options.regions is not None:
        parts.append(f"regions {', '.join(sorted(options.regions))}")
    if options.tags is not None:
        parts.append(f"tags {', '.join(sorted(options.tags))}")
    if options.tiers is not None:
        parts.append(f"tiers {', '.join(map(str, sorted(options.tiers)))}")
    return " and ".join(parts) or "none"


def nothing_left(options: Options, *, drained: bool) -> str:
    """Return why no endpoint may serve: those that could are drained, or none fits."""
    if drained:
        return "every endpoint that may serve this request is drained: undrain one"
    return (
        f"no endpoint satisfies {_described(options)} together: "
        "relax the request's Options or add an endpoint"
    )
