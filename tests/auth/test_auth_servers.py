"""Several token servers, several audiences, one client: who is asked, and who is left alone."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING, Any

import pytest
from auth_bench import A, B, Counter

from router.auth.grant import Grant, RefusedError, TokenForm
from router.auth.servers import Servers
from router.errors import TokenError
from router.secret import Secret

if TYPE_CHECKING:
    from router.auth.exchange import Fetch

EU, US = ("https://eu.example.com", None), ("https://us.example.com", "read")


def test_a_flight_goes_on_to_the_next_server_and_its_waiters_never_know() -> None:
    bench = Counter(url=(A, B))
    waiter = bench.request()
    bench.fail()
    assert not waiter.done()
    assert bench.urls() == [A, B]
    bench.grant("from-b")
    assert waiter.result(0).value == Secret("from-b")


def test_each_server_is_asked_once_a_flight_and_then_the_error_says_when() -> None:
    bench = Counter(url=(A, B))
    waiter = bench.request()
    bench.fail()
    bench.now += 3
    bench.fail(TokenError("b is too slow"))
    error = waiter.exception(0)
    assert isinstance(error, TokenError)
    assert str(error).endswith("; b is too slow")
    assert not str(error).startswith(";")  # what A said stands before it
    assert error.retry_after == 0.0  # the first of them may be asked again by now
    assert bench.urls() == [A, B]


def test_who_answered_last_is_asked_first_until_the_other_s_failure_is_long_ago() -> None:
    servers = Servers((A, B), Random(1))
    assert servers.best(0.0) == A
    servers.failed(A, "down", 0.0)
    servers.answered(B)
    assert servers.best(0.0) == servers.best(100.0) == B
    assert servers.best(100.0, {B}) == A
    assert servers.best(0.0, {B}) is None
    assert servers.best(302.0) == A


def test_a_server_that_says_how_long_is_left_alone_as_long() -> None:
    servers = Servers((A,), Random(1))
    servers.failed(A, "429", 0.0, asked=120.0)
    assert servers.retry_at == 120.0
    servers.failed(A, "429", 0.0, asked=10**9)
    assert servers.retry_at == 300.0


def test_a_refused_client_is_refused_everywhere_so_no_other_server_is_asked() -> None:
    bench = Counter(url=(A, B))
    waiter = bench.request()
    bench.fail(RefusedError("answered 401 (invalid_client)", code="invalid_client"))
    assert str(waiter.exception(0)) == "answered 401 (invalid_client)"
    assert bench.urls() == [A]
    assert isinstance(bench.request(EU).exception(0), TokenError)
    assert bench.urls() == [A]


def test_a_refused_audience_is_that_audience_s_own() -> None:
    bench = Counter()
    refused = bench.request(EU)
    bench.fail(RefusedError("answered 400 (invalid_target)", code="invalid_target"))
    assert isinstance(refused.exception(0), TokenError)
    assert isinstance(bench.request(EU).exception(0), TokenError)
    granted = bench.request(US)
    bench.grant("us")
    assert granted.result(0).value == Secret("us")
    assert len(bench.forms) == 2


def test_there_is_one_token_for_each_audience_and_scope_and_401_takes_only_its_own() -> None:
    bench = Counter(scope="all", audience="https://eu.example.com")
    eu, us, own = bench.request(EU), bench.request(US), bench.request()
    assert [(form.audience, form.scope) for form in bench.forms] == [
        ("https://eu.example.com", "all"),
        ("https://us.example.com", "read"),
    ]
    bench.grant("eu", flight=0)
    bench.grant("us", flight=1)
    assert eu.result(0) is own.result(0)
    assert eu.result(0) is not us.result(0)
    bench.manager.reject(us.result(0), bench.now)
    assert (bench.current(EU), bench.current(US), bench.current()) == ("eu", "", "eu")
    bench.request(US)
    assert bench.forms[-1].replaces == Secret("us")


def test_a_server_that_is_down_is_left_alone_by_all_audiences() -> None:
    bench = Counter()
    bench.request(EU)
    bench.fail()
    error = bench.request(US).exception(0)
    assert isinstance(error, TokenError)
    assert error.retry_after is not None
    assert error.retry_after >= 1
    assert len(bench.forms) == 1


def test_flights_that_spend_a_refresh_token_follow_each_other() -> None:
    bench = Counter(grant="refresh_token", refresh_token=Secret("first"))
    eu, us = bench.request(EU), bench.request(US)
    assert len(bench.forms) == 1
    bench.grant("eu", refresh="second")
    assert len(bench.forms) == 2
    bench.grant("us", refresh="third")
    assert [form.refresh_token for form in bench.forms] == [Secret("first"), Secret("second")]
    assert (eu.result(0).value, us.result(0).value) == (Secret("eu"), Secret("us"))


def test_who_waits_for_its_turn_learns_of_the_failure_too() -> None:
    bench = Counter(grant="refresh_token", refresh_token=Secret("first"))
    eu, us = bench.request(EU), bench.request(US)
    bench.fail()
    assert isinstance(eu.exception(0), TokenError)
    assert str(us.exception(0)) == "the token server answered 500"
    assert len(bench.forms) == 1
    bench.now += 2
    bench.request(US)
    bench.grant("us")
    assert bench.current(US) == "us"


class Store:
    """An exchange that knows a grant already, or passes on with the newest refresh token."""

    def __init__(self, stored: Grant | None) -> None:
        self.stored = stored
        self.asked: list[TokenForm] = []

    async def obtain(self, form: TokenForm, fetch: Fetch) -> Grant:
        self.asked.append(form)
        if self.stored is not None and self.stored.access_token != form.replaces:
            return self.stored
        self.stored = await fetch(form)
        return self.stored


def test_an_exchange_stands_between_the_manager_and_its_server() -> None:
    store = Store(Grant(Secret("theirs"), 3600.0))
    bench = Counter(exchange=store)
    waiter = bench.request()
    assert (bench.forms, len(store.asked)) == ([], 1)
    bench.grant("theirs")
    bench.manager.reject(waiter.result(0), bench.now)
    bench.request()
    assert store.asked[-1].replaces == Secret("theirs")
    assert len(bench.forms) == 1


def test_what_another_process_fetched_is_adopted() -> None:
    bench = Counter(grant="refresh_token", refresh_token=Secret("first"))
    bench.manager.adopt(Grant(Secret("theirs"), 600.0, Secret("second")), bench.now, EU)
    assert bench.current(EU) == "theirs"
    bench.request(US)
    assert bench.forms[-1].refresh_token == Secret("second")


def test_a_static_key_lives_on_when_it_cannot_be_read_again() -> None:
    bench = Counter(grant="static", url=(), client_id="", client_secret=None, file="/k")
    waiter = bench.request()
    bench.grant("key", lifetime=float("inf"))
    key = waiter.result(0)
    assert key.is_static
    bench.now += 61
    assert bench.current() == "key"
    bench.fail(flight=1)
    assert bench.current() == "key"
    bench.manager.reject(key, bench.now)
    bench.now += 2
    bench.request()
    bench.fail(flight=2)
    assert bench.current() == "key"


@pytest.mark.parametrize("granted", [True, False])
def test_the_description_holds_no_secret(granted: bool) -> None:  # noqa: FBT001 - a data table
    bench = Counter(url=(f"{A}?key=planted-query", B), audience="https://eu.example.com")
    bench.request()
    if granted:
        bench.grant("planted-token")
    else:
        bench.fail()
    told: dict[str, Any] = bench.manager.describe(bench.now)
    assert "planted" not in str(told)
    assert [server["url"] for server in told["servers"]] == [A, B]
    (row,) = told["tokens"]
    assert row["kind"] == ("Bearer" if granted else None)
    assert row["expires_in_s"] == (3600.0 if granted else None)
