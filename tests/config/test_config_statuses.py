"""What the user says that statuses mean, as it is read and as it is refused."""

from __future__ import annotations

from typing import Any

import pytest

import router
from router.config.statuses import parse_statuses

RULES: list[tuple[Any, tuple[tuple[int, str], ...]]] = [
    (None, ()),
    ({}, ()),
    ([], ()),
    ({503: "delivered", 409: "failed"}, ((409, "failed"), (503, "delivered"))),
    ({"409": "rejected"}, ((409, "rejected"),)),
    (((200, "failed"), (599, "failed")), ((200, "failed"), (599, "failed"))),
]


@pytest.mark.parametrize(("value", "rules"), RULES)
def test_rules_are_in_the_order_of_their_statuses(
    value: Any, rules: tuple[tuple[int, str], ...]
) -> None:
    assert parse_statuses(value) == rules
    assert parse_statuses(rules) == rules, "what was read may be read again"


MISTAKES: list[tuple[Any, str]] = [
    ("409: failed", "write statuses with what they mean"),
    (409, "write statuses with what they mean"),
    ([409], "write statuses with what they mean"),
    ([(409,)], "write statuses with what they mean"),
    ({99: "failed"}, "a number from 200 to 599"),
    ({100: "failed"}, "a number from 200 to 599"),
    ({600: "failed"}, "a number from 200 to 599"),
    ({True: "failed"}, "a number from 200 to 599"),
    ({"4xx": "failed"}, "a number from 200 to 599"),
    ({"\u0664\u0660\u0669": "failed"}, "a number from 200 to 599"),
    ({409: "retry"}, "status 409: write one of delivered, rejected, failed"),
    ({409: None}, "status 409: write one of"),
    ({409: ["failed"]}, "status 409: write one of"),
    ({409: "failed", "409": "rejected"}, "a status stands here twice"),
]


@pytest.mark.parametrize(("value", "told"), MISTAKES)
def test_a_mistake_is_told(value: Any, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        parse_statuses(value)


def test_they_come_from_python_as_from_a_file() -> None:
    assert router.Failover(statuses={409: "failed"}).statuses == ((409, "failed"),)  # type: ignore[arg-type]
    with pytest.raises(router.ConfigError, match="statuses"):
        router.Failover(statuses={409: "again"})  # type: ignore[arg-type]
