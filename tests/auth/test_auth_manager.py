"""The manager's decisions, with time, chance and the token server in the test's hand."""

from __future__ import annotations

from concurrent.futures import Future
from itertools import pairwise
from random import Random
from typing import TYPE_CHECKING, Any, Literal

import pytest

from router.auth.grant import Grant
from router.auth.shelf import OWN
from router.auth.token import Token, TokenManager
from router.config.settings import TokenSettings
from router.errors import ClosedError, TokenError
from router.secret import Secret

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from router.auth.grant import TokenForm

ForeignError = type("ForeignError", (Exception,), {})


class Bench:
    """A manager, a clock, and a token server that answers when the test says so."""

    def __init__(
        self,
        *,
        grant: Literal["client_credentials", "refresh_token"] = "client_credentials",
        refresh_before: float = 60.0,
        seed: int = 1,
    ) -> None:
        self.now = 1000.0
        self.forms: list[TokenForm] = []
        self.flights: list[Future[Grant]] = []
        self.broken: Exception | None = None
        settings = TokenSettings(
            grant=grant,
            url="https://auth.example.com/token",
            client_id="me",
            client_secret=Secret("s"),
            refresh_token=Secret("first") if grant == "refresh_token" else None,
            refresh_before=refresh_before,
        )
        self.manager = TokenManager(
            settings,
            fetch=self.fetch,
            spawn=self.spawn,
            clock=lambda: self.now,
            random=Random(seed),
        )

    async def fetch(self, form: TokenForm) -> Grant:
        self.forms.append(form)
        return Grant(Secret("never"))

    def spawn(self, coroutine: Coroutine[Any, Any, Grant]) -> Future[Grant]:
        if self.broken is not None:
            raise self.broken
        with pytest.raises(StopIteration):
            coroutine.send(None)
        self.flights.append(Future())
        return self.flights[-1]

    def request(self) -> Future[Token]:
        return self.manager.request(self.now)

    def current(self) -> Token | None:
        return self.manager.current(self.now)

    def grant(self, text: str = "token", lifetime: float = 3600.0, refresh: str = "") -> None:
        self.flights[-1].set_result(
            Grant(Secret(text), lifetime, Secret(refresh) if refresh else None)
        )

    def fail(self, error: BaseException | None = None) -> None:
        self.flights[-1].set_exception(error or TokenError("the token server answered 500"))

    def hold(self, *, lifetime: float = 3600.0) -> Token:
        """Have a token granted now."""
        waiter = self.request()
        self.grant(lifetime=lifetime)
        return waiter.result(0)


def text(token: Token | None) -> str:
    return "" if token is None else token.value.reveal()


def test_all_who_ask_at_once_share_one_flight_and_one_token() -> None:
    bench = Bench()
    waiters = [bench.request() for _ in range(128)]
    assert len(bench.flights) == 1
    bench.grant("shared")
    tokens = {waiter.result(0) for waiter in waiters}
    assert len(tokens) == 1
    assert tokens == {bench.current()}
    assert bench.request().result(0) in tokens
    assert len(bench.flights) == 1


def test_a_waiter_that_gives_up_takes_nobody_along() -> None:
    bench = Bench()
    first, second = bench.request(), bench.request()
    assert first.cancel()
    bench.grant("landed")
    assert text(second.result(0)) == "landed"


def test_a_flight_whose_only_waiter_gave_up_still_brings_the_token() -> None:
    bench = Bench()
    assert bench.request().cancel()
    bench.grant("landed")
    assert text(bench.current()) == "landed"


def test_the_token_is_renewed_in_the_background_while_it_serves() -> None:
    bench = Bench()
    old = bench.hold(lifetime=3600)
    bench.now += 3600 - 1.25 * 60 - 1
    assert bench.current() is old
    assert len(bench.flights) == 1
    bench.now += 17
    assert [bench.current() for _ in range(50)] == [old] * 50
    assert len(bench.flights) == 2
    bench.grant("new")
    assert text(bench.current()) == "new"


@pytest.mark.parametrize(
    ("lifetime", "refresh_before", "renewed_after"),
    [
        (3600, 60.0, 3540),
        (3600, 0.0, 3600),
        (100, 60.0, 50),
        (10, 60.0, 5),
        (3, 60.0, 1.5),
        (1, 60.0, 1),
        (0, 60.0, 1),
    ],
)
def test_a_short_life_is_renewed_at_its_half_and_never_within_a_second(
    lifetime: float, refresh_before: float, renewed_after: float
) -> None:
    bench = Bench(refresh_before=refresh_before)
    token = bench.hold(lifetime=lifetime)
    earlier = (max(lifetime, 1) - renewed_after) / 4
    after = token.refresh_at - bench.now
    assert max(renewed_after - earlier, 1) <= after <= max(renewed_after, 1)
    assert token.expires - bench.now == pytest.approx(max(lifetime, 1))


def test_a_lifetime_counts_from_the_request_not_from_the_answer() -> None:
    bench = Bench()
    waiter = bench.request()
    asked = bench.now
    bench.now += 5
    bench.grant(lifetime=100)
    assert waiter.result(0).expires == asked + 100


@pytest.mark.parametrize("lifetime", [0.0, 1.0, 1.5, 2.5])
def test_a_short_lived_token_costs_at_most_one_request_a_second(lifetime: float) -> None:
    bench = Bench()
    bench.hold(lifetime=lifetime)
    for _ in range(600):
        bench.now += 0.05
        if bench.current() is None:
            bench.request()
        if not bench.flights[-1].done():
            bench.grant(lifetime=lifetime)
        assert bench.current() is not None
    assert 30 / max(1, lifetime) * 0.9 <= len(bench.flights) <= 31


def test_an_expired_token_is_not_handed_out() -> None:
    bench = Bench(refresh_before=0.0)
    token = bench.hold(lifetime=10)
    bench.now = token.expires
    assert bench.current() is None
    assert not bench.request().done()


def test_after_a_failure_the_server_is_left_alone_for_longer_and_longer() -> None:
    bench = Bench()
    pauses = []
    for _ in range(8):
        waiter = bench.request()
        bench.fail()
        error = waiter.exception(0)
        assert isinstance(error, TokenError)
        assert error.retry_after is not None
        pauses.append(error.retry_after)
        bench.now += error.retry_after
    for pause, step in zip(pauses, [1, 2, 4, 8, 16, 30, 30, 30], strict=True):
        assert step <= pause <= min(30, 1.5 * step)
    assert len(set(pauses[:5])) == 5


def test_two_hosts_do_not_come_back_together() -> None:
    pauses = set()
    for seed in (1, 2):
        bench = Bench(seed=seed)
        waiter = bench.request()
        bench.fail()
        error = waiter.exception(0)
        assert isinstance(error, TokenError)
        pauses.add(error.retry_after)
    assert len(pauses) == 2


def test_in_the_pause_a_request_fails_at_once_and_says_when_to_come_back() -> None:
    bench = Bench()
    bench.request()
    bench.fail()
    bench.now += 0.25
    first, second = bench.request().exception(0), bench.request().exception(0)
    assert len(bench.flights) == 1
    assert isinstance(first, TokenError)
    assert first.retry_after is not None
    assert 0.7 < first.retry_after <= 1.25
    assert str(first) == "the token server answered 500"
    assert first is not second


def test_a_success_ends_the_memory_of_failures() -> None:
    bench = Bench(refresh_before=0.0)
    for _ in range(4):
        bench.request()
        bench.fail()
        bench.now += 40
    token = bench.hold(lifetime=10)
    bench.now = token.expires
    waiter = bench.request()
    bench.fail()
    error = waiter.exception(0)
    assert isinstance(error, TokenError)
    assert error.retry_after is not None
    assert error.retry_after <= 1.5


def test_while_the_server_is_down_the_old_token_serves_until_it_expires() -> None:
    bench = Bench()
    old = bench.hold(lifetime=120)
    began = bench.now
    attempts = []
    while bench.now < began + 119.9:
        bench.now += 0.1
        assert bench.current() is old
        if not bench.flights[-1].done():
            attempts.append(bench.now)
            bench.fail()
    assert all(b - a >= 1 for a, b in pairwise(attempts))
    assert 4 <= len(attempts) <= 7
    bench.now = began + 120
    assert bench.current() is None
    bench.now += 30
    assert text(bench.hold()) == "token"


def test_a_rejected_token_is_replaced_once_for_all_who_were_rejected() -> None:
    bench = Bench()
    stale = bench.hold()
    waiters = []
    for _ in range(64):
        bench.manager.reject(stale, bench.now)
        waiters.append(bench.request())
    bench.grant("fresh")
    for _ in range(64):
        bench.manager.reject(stale, bench.now)
        waiters.append(bench.request())
    assert {text(waiter.result(0)) for waiter in waiters} == {"fresh"}
    assert len(bench.flights) == 2


def test_a_server_that_rejects_every_token_is_asked_for_one_a_second() -> None:
    bench = Bench()
    began = bench.now
    while bench.now < began + 10:
        token = bench.current()
        if token is None:
            bench.request()
            bench.grant()
            token = bench.current()
        assert token is not None
        bench.manager.reject(token, bench.now)
        bench.now += 0.05
    assert len(bench.flights) <= 11


def test_a_rotated_refresh_token_is_kept_before_anyone_is_answered() -> None:
    bench = Bench(grant="refresh_token", refresh_before=0.0)
    waiter = bench.request()
    kept = []

    def look(_: Future[Token]) -> None:
        bench.now += 10_000
        bench.request()
        kept.append(bench.forms[-1].refresh_token)

    waiter.add_done_callback(look)
    bench.grant(refresh="second")
    assert kept == [Secret("second")]
    assert bench.forms[0].refresh_token == Secret("first")


def test_an_answer_without_a_refresh_token_keeps_the_old_one() -> None:
    bench = Bench(grant="refresh_token")
    for refresh in ("second", "", ""):
        bench.request()
        bench.grant(refresh=refresh)
        bench.now += 4000
    bench.request()
    assert [form.refresh_token for form in bench.forms] == [
        Secret("first"),
        *[Secret("second")] * 3,
    ]


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (TokenError("the token server answered 503"), "the token server answered 503"),
        (ForeignError("holds a planted secret"), "the token request failed with ForeignError"),
        (KeyError("planted"), "the token request failed with KeyError"),
    ],
)
def test_whatever_goes_wrong_is_a_token_error_without_foreign_words(
    error: Exception, message: str
) -> None:
    bench = Bench()
    waiter = bench.request()
    bench.fail(error)
    with pytest.raises(TokenError, match=f"^{message}$") as caught:
        waiter.result(0)
    assert caught.value.__cause__ is None


def test_a_flight_that_is_cut_off_lands() -> None:
    bench = Bench()
    waiter = bench.request()
    bench.flights[-1].cancel()
    bench.flights[-1].set_running_or_notify_cancel()
    with pytest.raises(TokenError, match="router is closing"):
        waiter.result(0)
    bench.now += 2
    assert text(bench.hold()) == "token"


def test_a_background_that_takes_no_work_fails_the_waiters_and_is_asked_again_later() -> None:
    bench = Bench()
    bench.broken = ClosedError("the router is closed")
    with pytest.raises(TokenError, match=r"^the router is closed$"):
        bench.request().result(0)
    bench.broken = None
    bench.now += 2
    assert text(bench.hold()) == "token"


def test_a_forked_child_drops_the_flight_and_keeps_the_token() -> None:
    bench = Bench()
    old = bench.hold(lifetime=120)
    bench.now += 70
    bench.current()
    bench.manager._lock.acquire()
    bench.manager.reset_after_fork()
    assert bench.current() is old
    assert len(bench.flights) == 3
    bench.grant("child's")
    assert text(bench.current()) == "child's"


def test_a_late_refresh_does_not_start_a_second_one() -> None:
    bench = Bench()
    old = bench.hold(lifetime=120)
    bench.now += 70
    bench.current()
    bench.grant("new")
    bench.manager._refresh(bench.manager._shelf(OWN), old, bench.now)
    assert len(bench.flights) == 2
