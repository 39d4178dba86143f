"""The words that constraints may use: the regions, tags and tiers of a configuration's endpoints.

Rule: a word that no endpoint has is a mistake and said so, never an empty match.
"""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from router.endpoint import Endpoint

__all__ = ["Vocabulary"]

MOST_LISTED = 10


class Vocabulary:
    """The names, regions, tags and tiers that a configuration knows."""

    __slots__ = ("_known",)

    def __init__(self, endpoints: Iterable[Endpoint]) -> None:
        known = tuple(endpoints)
        codes = {e.region for e in known if e.region is not None}
        self._known = {
            "region": codes | {e.name for e in known},
            "tag": {tag for e in known for tag in e.tags},
            "tier": {str(e.tier) for e in known},
        }

    def unknown(
        self,
        *,
        regions: Iterable[str] | None,
        tags: Iterable[str] | None,
        tiers: Iterable[int] | None,
    ) -> Iterator[tuple[str, str]]:
        """Yield each field with a word that no endpoint has, and what is wrong with it."""
        for kind, wanted in (("region", regions), ("tag", tags), ("tier", tiers)):
            for word in sorted(map(str, wanted or ())):
                if word not in self._known[kind]:
                    yield f"{kind}s", f"no endpoint has the {kind} {word}: {self._hint(kind, word)}"

    def _hint(self, kind: str, word: str) -> str:
        others = [other for other, known in self._known.items() if word in known]
        if others:
            return f"it is a {others[0]}: ask for {others[0]}s"
        close = difflib.get_close_matches(word, self._known[kind], n=1)
        return f"did you mean {close[0]}?" if close else f"known: {_listed(self._known[kind])}"


def _listed(names: set[str]) -> str:
    few = sorted(names)[:MOST_LISTED]
    return ", ".join(few) + (", …" if len(names) > len(few) else "") if few else "none"
