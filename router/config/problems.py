"""All that is wrong with a file, found in one go and told in the order of the file.

Rule 1: each problem is one line, `routes.yaml:8:13: endpoints.1.wieght: what to do`.
Rule 2: a place is complained about once: what follows from a problem already told stays untold.
Rule 3: the count is bounded, so that a hostile file cannot make a message of megabytes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from router.errors import ConfigError

if TYPE_CHECKING:
    from router.config.nodes import Path, Place

__all__ = ["MOST_PROBLEMS", "Problems"]

MOST_PROBLEMS = 1_000


class _Problem(NamedTuple):
    place: Place
    path: str
    sentence: str


class Problems:
    """Collects the problems of the file called `name`."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._found: dict[tuple[Place, Path, str], _Problem] = {}
        self._settled: set[Path] = set()
        self._more = 0

    @property
    def full(self) -> bool:
        """Whether further problems are only counted."""
        return len(self._found) >= MOST_PROBLEMS

    def settled(self, path: Path) -> bool:
        """Whether the value at `path`, or an item in it, was refused before."""
        return path in self._settled

    def refuse(self, path: Path, place: Place, sentence: str) -> None:
        """Note a problem with the value at `path`, after which no other follows from it."""
        self._settled |= {path, path[:-1]}
        self.add(path, place, sentence)

    def add(self, path: Path, place: Place, sentence: str) -> None:
        """Note that `sentence` is to be done about `path`."""
        key = place, path[-1:], sentence  # an aliased mapping is wrong in one place, not in many
        if key in self._found:
            return
        if self.full:
            self._more += 1
            return
        self._found[key] = _Problem(place, ".".join(map(str, path)), sentence)

    def check(self) -> None:
        """Raise ConfigError with everything found, sorted by place, if anything was."""
        if not self._found:
            return
        lines = [self._line(problem) for problem in sorted(self._found.values())]
        if self._more:
            lines.append(f"{self._name}: and {self._more} more problems")
        raise ConfigError(*lines)

    def _line(self, problem: _Problem) -> str:
        line, column = problem.place
        start = f"{self._name}:{line}:{column}" if line else self._name
        return ": ".join(filter(None, (start, problem.path, problem.sentence)))
