"""How a server says that a request's timestamp was wrong: a status, and a pattern in its answer."""

from __future__ import annotations

import re
from typing import Self

__all__ = ["KNOWN", "SkewError", "parse_skew_errors"]

WRITTEN = re.compile(r"([1-5]\d\d) (\S.*)")
HOW = "write each as a status and a regular expression, such as '403 RequestTimeTooSkewed'"


class SkewError(str):
    """A status and a pattern as they are written; an answer with both is about the time alone."""

    __slots__ = ()

    def __new__(cls, text: str) -> Self:
        """Take `403 RequestTimeTooSkewed`; raise ValueError for anything else."""
        match = WRITTEN.fullmatch(text)
        if match is None:
            raise ValueError(HOW)
        try:
            re.compile(match[2])
        except re.error as error:
            raise ValueError(f"{match[2]!r} is no regular expression: {error}") from None
        return super().__new__(cls, text)

    @property
    def status(self) -> int:
        """The answer's status."""
        return int(self.partition(" ")[0])

    @property
    def pattern(self) -> re.Pattern[str]:
        """What is searched for at the beginning of its body."""
        return re.compile(self.partition(" ")[2])


def _skew_error(value: object) -> SkewError:
    if isinstance(value, SkewError):
        return value
    if isinstance(value, str):
        return SkewError(value)
    raise ValueError(HOW)


def parse_skew_errors(value: object) -> tuple[SkewError, ...]:
    """Return the skew errors of a list such as ["403 RequestTimeTooSkewed"]."""
    if isinstance(value, list | tuple):
        return tuple(_skew_error(item) for item in value)
    raise ValueError("write a list such as ['403 RequestTimeTooSkewed']")


# What the AWS SDKs call definite clock-skew errors, and the code of Binance and its likes.
KNOWN = parse_skew_errors(
    [
        "403 RequestTimeTooSkewed|RequestExpired|RequestInTheFuture",
        "400 RequestTimeTooSkewed|RequestExpired|RequestInTheFuture",
        r'400 "code"\s*:\s*-1021\b',
    ]
)
