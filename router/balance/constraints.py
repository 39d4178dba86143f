"""Which endpoints a request may use at all; this comes before any cost.

Rule 1: a constraint holds on every attempt: data that may not leave a region does not leave it
        on failover either.
Rule 2: what the configuration allows holds for every request; a request can only narrow it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from router.options import NO_OPTIONS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from router.endpoint import Endpoint
    from router.options import Options

__all__ = ["nothing_left", "why_not"]


def why_not(options: Options, endpoint: Endpoint) -> str | None:
    """Return which constraint excludes `endpoint`, in words, or None."""
    if options.regions is not None and not (
        endpoint.name in options.regions or endpoint.region in options.regions
    ):
        return f"not in {_words('region', options.regions)}"
    if options.tags is not None and not options.tags.issubset(endpoint.tags):
        return f"without {_words('tag', options.tags - set(endpoint.tags))}"
    if options.tiers is not None and endpoint.tier not in options.tiers:
        return f"not in {_words('tier', options.tiers)}"
    return None


def _words(kind: str, names: Iterable[object]) -> str:
    listed = sorted(map(str, names))
    return f"{kind}{'s' * (len(listed) != 1)} {', '.join(listed) or 'none'}"


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


def nothing_left(options: Options, *, drained: bool, allow: Options = NO_OPTIONS) -> str:
    """Return why no endpoint may serve: those that could are drained, or none fits."""
    if drained:
        return "every endpoint that may serve this request is drained: undrain one"
    besides = f" where the configuration allows {_described(allow)}" if allow.constrained else ""
    return (
        f"no endpoint satisfies {_described(options)} together{besides}: "
        "relax the request's Options or add an endpoint"
    )
