"""Where tokens come from, as the `token:` section and `Router(token=…)` say.

Rule: what is not installed is said when the Router is made, not when the first token is needed.
"""

from __future__ import annotations

import importlib.util
from typing import TYPE_CHECKING

from router.auth.static import Asked, KeyFile, KeyValue
from router.config.settings import TokenSettings
from router.errors import ConfigError

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable

    from router.auth.exchange import Fetch
    from router.auth.grant import Grant, TokenForm
    from router.auth.static import TokenSource
    from router.config.signing import SignSettings

__all__ = ["settings_for", "source_of"]


def settings_for(
    section: TokenSettings | None, source: TokenSource | None, sign: SignSettings | None = None
) -> TokenSettings | None:
    """Return what holds for tokens, None where there are none.

    Raises:
        ConfigError: the sections and the callable contradict each other, or a package is missing.
    """
    if source is not None and sign is not None and sign.authorizes is not None:
        raise ConfigError(
            f"sign.{sign.authorizes}: it and Router(token=…) both write Authorization: "
            "keep one of them"
        )
    if section is None:
        return None if source is None else TokenSettings(grant="callable")
    if section.grant == "callable" and source is None:
        raise ConfigError(
            "token.grant: callable needs a function: give Router(token=…) one, "
            "or name another grant"
        )
    if section.grant != "callable" and source is not None:
        raise ConfigError(
            f"token.grant: {section.grant} and Router(token=…) are two sources: "
            "leave one of them out"
        )
    if section.auth == "private_key_jwt" and importlib.util.find_spec("joserfc") is None:
        raise ConfigError(
            "token.auth: private_key_jwt needs joserfc: pip install 'region-router[jwt]'"
        )
    return section


def source_of(
    settings: TokenSettings,
    source: TokenSource | None,
    *,
    tls: Callable[[], ssl.SSLContext],
    wall: Callable[[], float],
) -> Fetch:
    """Return what fetches a token; `wall` tells the true time in seconds since 1970."""
    if source is not None:
        return Asked(source, settings)
    if settings.file is not None:
        return KeyFile(settings.file)
    if settings.value is not None:
        return KeyValue(settings.value)
    return _oauth(settings, tls, wall)


def _oauth(
    settings: TokenSettings, tls: Callable[[], ssl.SSLContext], wall: Callable[[], float]
) -> Fetch:
    from router.auth.assertion import Assertions  # noqa: PLC0415 - loaded when used
    from router.auth.oauth import OAuthFetcher  # noqa: PLC0415 - loaded when used

    assertions = Assertions(settings) if settings.auth == "private_key_jwt" else None

    async def fetch(form: TokenForm) -> Grant:
        ask = OAuthFetcher(settings, ssl_context=tls(), assertions=assertions, wall=wall)
        return await ask(form)

    return fetch
