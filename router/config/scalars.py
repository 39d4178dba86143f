"""What an unquoted word of YAML means: the core schema of YAML 1.2.2, section 10.3.2.

Rule 1: only true, True, TRUE and their opposites are booleans, so Norway stays `NO`, and `on` is a
        word. There are no dates and no numbers to base sixty: `12:30` and `2026-11-22` are text.
Rule 2: a number is finite and short; what a float or a counter cannot hold is refused, not rounded.
"""

from __future__ import annotations

import math
import re

__all__ = ["resolve"]

WORDS: dict[str, bool | None] = {"": None, "~": None}
WORDS |= dict.fromkeys(("null", "Null", "NULL"))
WORDS |= dict.fromkeys(("true", "True", "TRUE"), True)
WORDS |= dict.fromkeys(("false", "False", "FALSE"), False)
DECIMAL = re.compile(r"[-+]?[0-9]+")
BASED = re.compile(r"0(?:o[0-7]+|x[0-9a-fA-F]+)")
FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
NOT_FINITE = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")
FIRST_OF_NUMBER = frozenset("+-.0123456789")
MOST_DIGITS = 30


def resolve(text: str) -> bool | float | str | None:
    """Return the null, boolean, number or text that an unquoted `text` stands for.

    Raises:
        ValueError: it is a number, but infinite, not a number, or of more than 30 digits.
    """
    if text in WORDS:
        return WORDS[text]
    if text[0] not in FIRST_OF_NUMBER:
        return text
    return _number(text)


def _number(text: str) -> float | str:
    if DECIMAL.fullmatch(text):
        return int(_short(text))
    if BASED.fullmatch(text):
        return int(_short(text), 0)
    if FLOAT.fullmatch(text):
        return _finite(float(text))
    if NOT_FINITE.fullmatch(text):
        return _finite(math.inf)
    return text


def _short(digits: str) -> str:
    if len(digits) > MOST_DIGITS:
        raise ValueError(f"a number has at most {MOST_DIGITS} digits: quote it if it is a text")
    return digits


def _finite(number: float) -> float:
    if not math.isfinite(number):
        raise ValueError("write a finite number")
    return number
