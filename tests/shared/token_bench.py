"""A token of the fleet that costs nothing to fetch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from router.auth.grant import Grant, TokenForm
from router.config.settings import TokenSettings
from router.secret import Secret

if TYPE_CHECKING:
    from sharing_bench import Bench

__all__ = ["KEY", "fetched"]

KEY = Secret("k")
TOKENS = TokenSettings(url="https://auth.test/token", client_id="c", client_secret=Secret("s"))
FORM = TokenForm(grant="client_credentials")


def fetched(made: Bench, texts: list[str]) -> Grant:
    """Have the fleet's token; `texts` are those that were fetched, and gets one more if it was."""
    shared = made.sharing.token(TOKENS)
    assert shared is not None

    async def fetch(_: TokenForm) -> Grant:
        texts.append(f"token-{len(texts)}")
        return Grant(Secret(texts[-1]), 3600.0)

    return made.background.spawn(shared.obtain(FORM, fetch)).result(10)
