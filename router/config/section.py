"""What every section of the configuration has in common."""

from __future__ import annotations

from typing import ClassVar

from router.units import parse_fields

__all__ = ["Section"]


class Section:
    """What every section does when it is made: parse its fields, check them, refuse the unknown."""

    __slots__ = ()
    null_is_default: ClassVar[bool] = True
    """Whether a file may leave the section, or a value of it, empty."""
    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    def __post_init__(self) -> None:
        parse_fields(self)
        self.check()

    def check(self) -> None:
        """Raise ConfigError where fields contradict each other."""
