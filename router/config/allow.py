"""The `allow:` section: which endpoints any request may use at all.

Rule: it names what endpoints have; a word that none has is a mistake, since data that may not leave
      a place must not depend on a typing error.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar

from router.config.section import Section
from router.options import NO_OPTIONS, Options
from router.units import Parsed, parse_count
from router.vocabulary import Vocabulary

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from router.endpoint import Endpoint

__all__ = ["Allow"]


def _words(value: object) -> tuple[str, ...] | None:
    if value is None:
        return None
    listed = (value,) if isinstance(value, str) else value
    if isinstance(listed, list | tuple) and listed and all(isinstance(w, str) for w in listed):
        words = tuple(dict.fromkeys(word.strip() for word in listed))
        if all(words):
            return words
    raise ValueError("write a word or a list of words, such as eu or [eu, gdpr]")


def _tiers(value: object) -> tuple[int, ...] | None:
    if value is None:
        return None
    listed = value if isinstance(value, list | tuple) else (value,)
    if not listed:
        raise ValueError("write a number or a list of numbers, such as 1 or [1, 2]")
    return tuple(dict.fromkeys(parse_count(tier) for tier in listed))


_STRINGS = (("type", ["string", "array"]), ("items", {"type": "string"}))
_INTEGERS = (("type", ["integer", "array"]), ("items", {"type": "integer"}))

Words = Annotated[tuple[str, ...] | None, Parsed(_words, _STRINGS)]
Tiers = Annotated[tuple[int, ...] | None, Parsed(_tiers, _INTEGERS)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Allow(Section):
    """Which endpoints any request may use; a request's Options can only narrow it.

    What a file leaves empty is refused: a variable that is not set must not allow everything.

    Attributes:
        regions: region codes or names of endpoints, any of them.
        tags: words that an endpoint must carry, all of them.
        tiers: numbers of tiers, any of them.
    """

    null_is_default: ClassVar[bool] = False

    regions: Words = None
    tags: Words = None
    tiers: Tiers = None

    def options(self) -> Options:
        """Return the same as constraints."""
        if self.regions is None and self.tags is None and self.tiers is None:
            return NO_OPTIONS
        return Options(regions=self.regions, tags=self.tags, tiers=self.tiers)

    def problems(self, endpoints: Iterable[Endpoint]) -> Iterator[str]:
        """Yield what is wrong with it, given the endpoints."""
        unknown = Vocabulary(endpoints).unknown(
            regions=self.regions, tags=self.tags, tiers=self.tiers
        )
        for field, problem in unknown:
            yield f"allow.{field}: {problem}"
