"""One token for the fleet: one process fetches it, the others read it.

Rule 1: who needs a token other than the one it had takes a newer one from the store, or its turn to
        fetch one, or waits for whoever has the turn. A turn is renewed while the server takes its
        time, and ends soon after its process.
Rule 2: token and refresh token are encrypted, bound to their place and their fence.
Rule 3: a rotated refresh token is stored before anyone is answered. If the store fails just then,
        it is tried again for two seconds; then this process goes on with it, and stores it later.
Rule 4: without the store each process fetches a token of its own. Not so by a refresh token:
        another may have rotated it, and a server that sees an old one revokes them all. The token
        at hand serves on; who has none gets a TokenError.
Rule 5: a failure is everybody's for a second: no second process asks a server that just refused.
        Of several servers each has its own: who is told so goes on to the next one.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from router.auth.grant import LONGEST_LIFETIME, Grant
from router.errors import TokenError
from router.secret import Secret
from router.shared.store import NONSENSE, PATIENCE, StoreError
from router.shared.token_scripts import CLAIM, FAIL, KEEP, RENEW

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from router.auth.grant import TokenForm
    from router.config.settings import TokenSettings
    from router.shared.cipher import Cipher
    from router.shared.keys import Keys
    from router.shared.member import Member
    from router.shared.store import Script, Store

    Fetch = Callable[[TokenForm], Coroutine[Any, Any, Grant]]

__all__ = ["SharedToken", "token_part"]

TURN = 2.0  # seconds; renewed
RENEW_EVERY = 0.5
LOOK_EVERY = 0.05
LOOK_AGAIN = 0.005
LAST_AT_LEAST = 1.0
REST = 1.0
SAVE_WITHIN = 2.0
SAVE_EVERY = 0.1
KEEP_REFRESH_TOKEN = 30 * 86400.0
MILLI, MICRO = 1e3, 1e6
UNITS = {b"token": MICRO, b"failed": MILLI, b"wait": MILLI}
"""In a second, of the length of time that an answer of each kind holds."""


def token_part(settings: TokenSettings) -> str:
    """Return the name of whose tokens they are, the same in every process of the same settings.

    For whom and for what a token is says its form.
    """
    what = (settings.urls, settings.client_id)
    return "token:" + hashlib.sha256(json.dumps(what).encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class Claimed:
    """The store's answer: a token, a turn, a wait, or that somebody just failed."""

    kind: str
    fence: str
    left: float
    sealed_at: str
    sealed: bytes


@dataclass(slots=True)
class Place:
    """What one kind of token is kept under, and what this process knows of it.

    Attributes:
        keys: of the state, the turn, and the last failure of the server that is asked.
        had: the fence of the token that this process had last.
        unsaved: what was granted and could not be stored yet.
    """

    part: str
    keys: tuple[str, str, str]
    had: str = ""
    unsaved: tuple[str, Grant] | None = None

    def of(self, fence: str) -> str:
        """Return what a ciphertext is bound to."""
        return f"{self.keys[0]} {fence}"


class SharedToken:
    """Fetches as the function in it does, though for all processes."""

    def __init__(
        self,
        *,
        part: str,
        keys: Keys,
        store: Store,
        member: Member,
        cipher: Callable[[], Cipher],
        patience: float = 30.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Take where tokens are shared.

        Args:
            part: as `token_part` names it.
            keys: name what is stored.
            store: where it is.
            member: who this process is.
            cipher: makes the cipher when it is first needed.
            patience: seconds to wait for another process's turn.
            clock: monotonic seconds.
        """
        self._store, self._member, self._clock = store, member, clock
        self._make_cipher, self._patience = cipher, patience
        self._cipher: Cipher | None = None
        self._keys, self._part = keys, part
        self._places: dict[str, Place] = {}

    async def obtain(self, form: TokenForm, fetch: Fetch, /) -> Grant:
        """Return a token that this process has not had yet, from another or through `fetch`.

        Raises:
            TokenError: the server gave none, or no turn came.
        """
        place = self._place(form)
        place.keys = (*place.keys[:2], self._failure(place.part, form))
        until = self._clock() + self._patience
        while self._clock() < until:
            try:
                claimed = await self._claim(place)
            except StoreError as error:
                return await _alone(form, fetch, error)
            if claimed.kind == "turn":
                return await self._take_turn(place, claimed, form, fetch)
            if claimed.kind == "token" and (grant := self._opened(place, claimed, form)):
                return grant
            if claimed.kind == "failed":
                raise TokenError(
                    "the token request of another process has just failed", retry_after=claimed.left
                )
            await asyncio.sleep(LOOK_EVERY if claimed.kind == "wait" else LOOK_AGAIN)
        raise TokenError("another process holds the turn to fetch a token for too long")

    def _place(self, form: TokenForm) -> Place:
        """Return where what the form asks for is kept."""
        what = json.dumps([form.grant, form.scope, form.audience])
        if what not in self._places:
            part = f"{self._part}:{hashlib.sha256(what.encode()).hexdigest()[:8]}"
            state, turn = (self._keys.key(part, w) for w in ("state", "turn"))
            self._places[what] = Place(part, (state, turn, self._failure(part, form)))
        return self._places[what]

    def _failure(self, part: str, form: TokenForm) -> str:
        server = hashlib.sha256((form.url or "").encode()).hexdigest()[:8]
        return self._keys.key(part, f"failure:{server}")

    async def _call(self, place: Place, script: Script, *args: Any) -> Any:
        keys = place.keys[1:2] if script is RENEW else place.keys
        return await self._store.call(script, keys, args, timeout=PATIENCE)

    async def _claim(self, place: Place) -> Claimed:
        if place.unsaved is not None:
            await self._save(place, *place.unsaved)
        args = (place.had, self._member.name, int(TURN * MILLI), LAST_AT_LEAST * MICRO)
        answer = await self._call(place, CLAIM, *args)
        try:
            kind, fence, left, sealed = map(_bytes, answer)
            if kind == b"turn":
                return Claimed("turn", _text(fence), 0.0, _text(left), sealed)
            unit = UNITS[kind]
            return Claimed(_text(kind), _text(fence), float(left) / unit, _text(fence), sealed)
        except (KeyError, TypeError, ValueError):
            raise StoreError(NONSENSE) from None

    def _opened(self, place: Place, claimed: Claimed, form: TokenForm) -> Grant | None:
        """Return what is stored, if it is of our key and new; else a turn comes next."""
        place.had = claimed.fence
        contents = self._unsealed(place, claimed)
        unwanted: Secret | None = getattr(form, "replaces", None)
        if contents is None or (unwanted is not None and unwanted.reveal() == contents[0]):
            return None
        access, refresh = contents
        left = min(claimed.left, LONGEST_LIFETIME)
        return Grant(Secret(access), left, Secret(refresh) if refresh else None)

    def _unsealed(self, place: Place, claimed: Claimed) -> tuple[str, str | None] | None:
        if not claimed.sealed:
            return None
        text = self._sealer().open(claimed.sealed, place=place.of(claimed.sealed_at))
        if text is None:
            return None
        access, refresh = json.loads(text)
        return access, refresh

    async def _take_turn(self, place: Place, turn: Claimed, form: TokenForm, fetch: Fetch) -> Grant:
        """Fetch for everybody; the refresh token that was stored last is the one that holds."""
        stored = self._unsealed(place, turn)
        if form.refresh_token is not None and stored is not None and stored[1]:
            form = replace(form, refresh_token=Secret(stored[1]))
        renewing = asyncio.get_running_loop().create_task(self._renew(place, turn.fence))
        try:
            grant = await fetch(form)
            kept = grant.refresh_token or form.refresh_token
            await self._save_soon(place, turn.fence, replace(grant, refresh_token=kept))
        except BaseException:
            with contextlib.suppress(StoreError):
                await self._call(place, FAIL, self._holder(turn.fence), int(REST * MILLI))
            raise
        finally:
            renewing.cancel()
        place.had = turn.fence
        return grant

    async def _renew(self, place: Place, fence: str) -> None:
        while True:
            await asyncio.sleep(RENEW_EVERY)
            with contextlib.suppress(StoreError):
                await self._call(place, RENEW, self._holder(fence), int(TURN * MILLI))

    async def _save_soon(self, place: Place, fence: str, grant: Grant) -> None:
        """Store it before anybody is answered, or keep it for later."""
        until = self._clock() + SAVE_WITHIN
        place.unsaved = (fence, grant)
        while True:
            try:
                return await self._save(place, fence, grant)
            except StoreError:
                if self._clock() >= until:
                    return None
            await asyncio.sleep(SAVE_EVERY)

    async def _save(self, place: Place, fence: str, grant: Grant) -> None:
        refresh = grant.refresh_token.reveal() if grant.refresh_token else None
        text = json.dumps([grant.access_token.reveal(), refresh])
        sealed = self._sealer().seal(text, place=place.of(fence))
        keep = max(grant.lifetime, 1.0, KEEP_REFRESH_TOKEN if refresh else 0.0)
        args = (sealed, grant.lifetime * MICRO, int(keep * MILLI))
        await self._call(place, KEEP, self._holder(fence), fence, *args)
        place.unsaved = None

    def _sealer(self) -> Cipher:
        if self._cipher is None:
            self._cipher = self._make_cipher()
        return self._cipher

    def _holder(self, fence: str) -> str:
        return f"{self._member.name} {fence}"


async def _alone(form: TokenForm, fetch: Fetch, error: StoreError) -> Grant:
    if form.refresh_token is None:
        return await fetch(form)
    raise TokenError(
        f"the shared store fails ({error}), and only it knows the refresh token that holds"
    )


def _bytes(value: Any) -> bytes:
    return value if isinstance(value, bytes) else str(int(value)).encode()


def _text(value: bytes) -> str:
    return value.decode()
