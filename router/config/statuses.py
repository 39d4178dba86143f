"""What the user says that statuses mean: `failover.statuses`, such as `{409: failed}`.

Rule: a rule is a status and one of a few words of `failover.verdict`; each status has one rule.
"""

from __future__ import annotations

import re

__all__ = ["WORDS", "StatusRule", "parse_statuses"]

StatusRule = tuple[int, str]

WORDS = ("delivered", "rejected", "failed")
STATUS = re.compile(r"[2-5]\d\d")
HOW = "write statuses with what they mean, such as {409: failed, 503: delivered}"


def parse_statuses(value: object) -> tuple[StatusRule, ...]:
    """Return the rules of a mapping, in the order of their statuses."""
    if value is None:
        return ()
    if isinstance(value, dict):
        value = tuple(value.items())
    if isinstance(value, list | tuple):
        rules = dict(map(_rule, value))
        if len(rules) == len(value):
            return tuple(sorted(rules.items()))
        raise ValueError("a status stands here twice: one rule for each")
    raise ValueError(HOW)


def _rule(pair: object) -> StatusRule:
    if not isinstance(pair, list | tuple) or len(pair) != 2:  # noqa: PLR2004 - a pair
        raise ValueError(HOW)
    status, word = pair
    if isinstance(status, bool) or not STATUS.fullmatch(str(status)):
        raise ValueError("a status is a number from 200 to 599")
    if word not in WORDS:
        raise ValueError(f"status {status}: write one of {', '.join(WORDS)}")
    return int(str(status)), str(word)
