"""A token manager in the test's hand: time, chance and the token servers."""

from __future__ import annotations

import contextlib
from concurrent.futures import Future
from random import Random
from typing import TYPE_CHECKING, Any

from router.auth.grant import Grant
from router.auth.shelf import OWN, Token
from router.auth.token import TokenManager
from router.config.settings import TokenSettings
from router.errors import TokenError
from router.secret import Secret

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from router.auth.grant import TokenForm
    from router.endpoint import Reach

A, B = "https://a.example.com/token", "https://b.example.com/token"


class Counter:
    """A manager whose fetches end when the test says so; `forms` are what was asked."""

    def __init__(self, *, exchange: Any = None, **settings: Any) -> None:
        self.now = 1000.0
        self.forms: list[TokenForm] = []
        self.flights: list[Future[Grant]] = []
        values: dict[str, Any] = {
            "url": A,
            "client_id": "me",
            "client_secret": Secret("s"),
        } | settings
        self.manager = TokenManager(
            TokenSettings(**(values | settings)),
            fetch=self.fetch,
            spawn=self.spawn,
            clock=lambda: self.now,
            random=Random(1),
            exchange=exchange,
        )

    async def fetch(self, form: TokenForm) -> Grant:
        self.forms.append(form)
        return Grant(Secret("never"))

    def spawn(self, coroutine: Coroutine[Any, Any, Grant]) -> Future[Grant]:
        with contextlib.suppress(StopIteration):
            coroutine.send(None)
        self.flights.append(Future())
        return self.flights[-1]

    def request(self, reach: Reach = OWN) -> Future[Token]:
        return self.manager.request(self.now, reach)

    def current(self, reach: Reach = OWN) -> str:
        token = self.manager.current(self.now, reach)
        return "" if token is None else token.value.reveal()

    def grant(
        self, text: str, lifetime: float = 3600.0, refresh: str = "", flight: int = -1
    ) -> None:
        kept = Secret(refresh) if refresh else None
        self.flights[flight].set_result(Grant(Secret(text), lifetime, kept))

    def fail(self, error: TokenError | None = None, flight: int = -1) -> None:
        self.flights[flight].set_exception(error or TokenError("the token server answered 500"))

    def urls(self) -> list[str | None]:
        return [form.url for form in self.forms]
