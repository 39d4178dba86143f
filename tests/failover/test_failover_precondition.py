"""What a request that was answered with 428 is looked at for."""

from __future__ import annotations

import random
import uuid
from datetime import UTC, datetime, timedelta

import pytest

from router.failover.precondition import Refused, has, made_id, told, unmet

NOW = 1_800_000_000.0
WEEK = 7 * 86400.0
JSON = (("Content-Type", "application/json"),)


def refused(body: bytes | None = b"{}", headers: tuple[tuple[str, str], ...] = JSON) -> Refused:
    return Refused(method="POST", path="/x", headers=headers, body=body)


BODIES = [
    # content type, body, what is said of it
    ("application/json", b'{"a": 1}', None),
    ("application/json", b"", None),
    ("application/json", b'{"a": NaN}', "cannot be read as such"),
    ("application/json; charset=utf-8", b'{"a": 1,\n}', "line 2, column 1"),
    ("application/problem+JSON", b"{", "line 1, column 2"),
    ("application/json", b"\xff\xff", "cannot be read as such"),
    ("application/json", b"[" * 100_000, "cannot be read as such"),
    ("application/json", None, None),
    ("application/x-ndjson", b"{", None),
    ("text/plain", b"{", None),
]


@pytest.mark.parametrize(("kind", "body", "said"), BODIES)
def test_a_body_that_says_that_it_is_json(kind: str, body: bytes | None, said: str | None) -> None:
    found = unmet(refused(body, (("content-type", kind),)), began=None, now=NOW, max_age=WEEK)
    if said is None:
        assert found is None
    else:
        assert found is not None
        assert (found[0], said in found[1]) == ("json", True), found[1]


def test_a_body_that_does_not_say_what_it_is_is_not_judged() -> None:
    assert unmet(refused(b"{", ()), began=None, now=NOW, max_age=WEEK) is None


def test_a_body_is_not_quoted() -> None:
    found = unmet(refused(b"planted-secret"), began=None, now=NOW, max_age=WEEK)
    assert found is not None
    assert "planted" not in found[1]
    assert "planted" not in repr(refused(b"planted-secret", (("X", "planted"),)))


AGES = [(0.0, True), (WEEK, True), (WEEK + 1, False), (-3600.0, True)]


@pytest.mark.parametrize(("age", "passes"), AGES)
def test_a_conversation_may_last_its_time(age: float, passes: bool) -> None:  # noqa: FBT001
    aware = datetime.fromtimestamp(NOW, UTC) - timedelta(seconds=age)
    for began in (NOW - age, aware):
        found = unmet(refused(), began=began, now=NOW, max_age=WEEK)
        assert (found is None) is passes
        if found is not None:
            assert found[0] == "conversation"
            assert "began 7.0 days ago, and may last 7 days: begin a new one" in found[1]


def test_the_body_is_looked_at_before_the_conversation() -> None:
    found = unmet(refused(b"{"), began=0.0, now=NOW, max_age=WEEK)
    assert found is not None
    assert found[0] == "json"


@pytest.mark.parametrize("began", [None, 5, 5.5, datetime.fromtimestamp(0, UTC)])
def test_a_hook_may_tell(began: object) -> None:
    assert told(began) is began


@pytest.mark.parametrize(
    "began",
    ["yesterday", float("nan"), float("inf"), datetime(2026, 1, 1), [1]],  # noqa: DTZ001
)
def test_a_hook_may_not_tell(began: object) -> None:
    with pytest.raises(ValueError, match="no aware datetime"):
        told(began)


def test_an_id_is_a_random_uuid() -> None:
    made = uuid.UUID(made_id(random.Random(1)).decode())
    assert made.version == 4
    assert made_id(random.Random(1)) != made_id(random.Random(2))


HEADERS = [
    ([(b"X-REQUEST-ID", b"7")], True),
    ([(b"x-request-id", b" ")], False),
    ([(b"X-Request-Id-2", b"7")], False),
    ([], False),
]


@pytest.mark.parametrize(("headers", "there"), HEADERS)
def test_a_header_is_there(headers: list[tuple[bytes, bytes]], there: bool) -> None:  # noqa: FBT001
    assert has(headers, b"X-Request-Id") is there
