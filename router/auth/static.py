"""Keys that no token server grants: one in the configuration, in a file, or from the user's code.

Rule 1: a file is read by its path each time, so that a new file in its place (an atomic rename, a
        mounted secret's swap) counts, and so does new content. One that is away or empty for the
        moment takes nothing from who holds the old key.
Rule 2: the user's code runs in a thread, or as a coroutine on the background loop; either has
        `timeout` seconds. Its exception's text is not passed on.
"""

from __future__ import annotations

import asyncio
import inspect
import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeAlias

from router.auth.grant import Grant, read_key
from router.config.sources import secret_from_file
from router.errors import TokenError
from router.secret import Secret

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from router.auth.grant import TokenForm
    from router.config.settings import TokenSettings

__all__ = ["Asked", "KeyFile", "KeyValue", "TokenSource"]

TokenSource: TypeAlias = "Callable[[], Any]"
"""Returns a token as text, as a Secret or as a Grant, or a coroutine that does."""


class KeyValue:
    """The key that the configuration holds."""

    def __init__(self, key: Secret) -> None:
        self._key = key

    async def __call__(self, _: TokenForm) -> Grant:
        """Return it; raise TokenError where no header can carry it."""
        return read_key(self._key.reveal(), "token.value")


class KeyFile:
    """The key that a file holds."""

    def __init__(self, path: Path) -> None:
        self._path = path

    async def __call__(self, _: TokenForm) -> Grant:
        """Return what the file holds now; raise TokenError where it holds no key."""
        problem, text = "", ""
        try:
            text = await asyncio.to_thread(secret_from_file, str(self._path))
        except ValueError as error:
            problem = f"token.file: {error}"
        if problem:
            raise TokenError(problem)
        return read_key(text, f"token.file: the file {self._path}")


class Asked:
    """What the user's code returns; a text is asked for again within a minute."""

    def __init__(self, source: TokenSource, settings: TokenSettings) -> None:
        self._source = source
        self._timeout = settings.timeout

    async def __call__(self, _: TokenForm) -> Grant:
        """Return it as a grant; raise TokenError where it fails, is late or returns no token."""
        problem, token = "", None
        try:
            async with asyncio.timeout(self._timeout):
                token = await self._ask()
        except TimeoutError:
            problem = f"Router(token=…) returned nothing within {self._timeout:g} s"
        except Exception as error:  # noqa: BLE001 - the user's own code, and its text may be secret
            problem = f"Router(token=…) raised {type(error).__name__}"
        if problem:
            raise TokenError(problem)
        return _as_grant(token)

    async def _ask(self) -> object:
        if inspect.iscoroutinefunction(self._source):
            return await self._source()
        token = await asyncio.to_thread(self._source)
        return await token if inspect.isawaitable(token) else token


def _as_grant(token: object) -> Grant:
    if not isinstance(token, Grant):
        return _key(token)
    lifetime: object = token.lifetime
    if isinstance(lifetime, bool) or not isinstance(lifetime, int | float) or math.isnan(lifetime):
        raise TokenError("Router(token=…) returned a Grant whose lifetime is no number of seconds")
    return replace(token, access_token=_key(token.access_token).access_token)


def _key(token: object) -> Grant:
    if isinstance(token, Secret):
        token = token.reveal()
    if not isinstance(token, str):
        raise TokenError("Router(token=…) returned no text, Secret or Grant")
    return read_key(token, "what Router(token=…) returned")
