"""The signers that the `sign:` section describes, and the one that the user gave.

Rule 1: a key in a header comes first, so that a signature may cover it.
Rule 2: a signer runs while its headers leave, and so it never waits. What it needs from elsewhere
        is fetched behind the requests (`jobs`), and the flow waits for the first time of that.
"""

from __future__ import annotations

import importlib.util
from typing import TYPE_CHECKING, Any

from router.auth.keyed_hash import KeyedHash
from router.auth.sigv4 import SigV4
from router.departure import Signed
from router.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterable

    from router.config.signing import ApiKey, SignSettings
    from router.departure import Signer, Signing

__all__ = ["Both", "Key", "Signers"]


class Key:
    """Puts a key into a header as it is."""

    def __init__(self, settings: ApiKey) -> None:
        self._settings = settings

    def __call__(self, _: Signing) -> list[tuple[str, str]]:
        """Return the header."""
        settings = self._settings
        assert settings.header is not None
        assert settings.value is not None
        return [(settings.header, settings.value.reveal())]


class Both:
    """A key in a header, and a signature beside it."""

    def __init__(self, key: Signer, signature: Signer) -> None:
        self._key = key
        self._signature = signature

    def __call__(self, signing: Signing) -> Iterable[tuple[str, str]] | Signed:
        """Return the headers of both."""
        key, signed = self._key(signing), self._signature(signing)
        assert not isinstance(key, Signed)
        if isinstance(signed, Signed):
            return Signed(signed.query, [*key, *signed.headers])
        return [*key, *signed]


class Signers:
    """What signs the requests of one router; `sign` is None where nothing does."""

    def __init__(self, given: Signer | None, settings: SignSettings | None) -> None:
        """Take the user's signer, or make what the section says.

        Raises:
            ConfigError: there are both, or a package is missing.
        """
        if given is not None and settings is not None:
            raise ConfigError("sign: Router(signer=…) signs already: take this section out")
        self._sigv4: SigV4 | None = None
        self.sign = given if settings is None else self._made(settings)

    def _made(self, settings: SignSettings) -> Signer:
        signature: Signer | None = None
        if settings.hmac is not None:
            signature = KeyedHash(settings.hmac)
        elif settings.sigv4 is not None:
            if importlib.util.find_spec("botocore") is None:
                raise ConfigError("sign.sigv4: needs botocore: pip install 'region-router[aws]'")
            signature = self._sigv4 = SigV4(settings.sigv4)
        if settings.api_key is None:
            if signature is None:
                raise ConfigError("sign: write api_key, hmac or sigv4")
            return signature
        key = Key(settings.api_key)
        return key if signature is None else Both(key, signature)

    def unready(self) -> bool:
        """Return whether credentials are still looked for for the first time."""
        return self._sigv4 is not None and self._sigv4.unready

    def jobs(self) -> list[Coroutine[Any, Any, None]]:
        """Return what has to run behind the requests."""
        if self._sigv4 is None or not self._sigv4.looks:
            return []
        return [self._sigv4.run()]
