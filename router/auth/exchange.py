"""What stands between the token manager and its token server where processes share a token.

Rule 1: it runs in the background, within a flight; no request's path leads through it.
Rule 2: it keeps what was granted, and a rotated refresh token above all, before it returns: the
        manager answers nobody earlier.
Rule 3: its own troubles are its own: where its store is away, it calls `fetch` and returns that. An
        exception of `fetch` passes through it unchanged.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from router.auth.grant import Grant, TokenForm

__all__ = ["Exchange", "Fetch"]

Fetch: TypeAlias = "Callable[[TokenForm], Coroutine[Any, Any, Grant]]"


class Exchange(Protocol):
    """Obtains a grant from another process, or through `fetch` on behalf of all of them."""

    def obtain(self, form: TokenForm, fetch: Fetch, /) -> Coroutine[Any, Any, Grant]:
        """Return a grant whose lifetime counts from now.

        Args:
            form: what is wanted. Grants are kept apart by `grant`, `scope` and `audience`.
                `replaces` is the token that is used up or was answered with 401: a stored grant of
                that token does not count. `refresh_token` may be older than the stored one: then
                the stored one goes into the form that is handed to `fetch`.
            fetch: asks the token server.

        A grant of another process carries the refresh token that belongs to it, if there is one.
        """
        ...
