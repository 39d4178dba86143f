"""Redis as the shared parts see it: scripts that run in time, or a StoreError at once.

Rule 1: who calls waits at most `timeout` seconds. A call in vain closes the store: further ones
        fail at once, until a ping of its own found that it answers, and quickly.
Rule 2: a script goes by its hash; a server that lost it (NOSCRIPT) is sent the text.
Rule 3: an error's text is foreign and may quote a key or a credential: only its kind is passed on.
Rule 4: an outage is told once, and so is its end, when all went well for a second. One call in vain
        is none: a ping has to fail too, or another call soon after.
"""

from __future__ import annotations

import asyncio
import hashlib
import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from router.shared.connect import close_client, drop_idle, make_client, where

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from router.secret import Secret

__all__ = ["NONSENSE", "OddKeyError", "Script", "Store", "StoreError"]

CODES = {"MASTERDOWN", "CLUSTERDOWN", "MISCONF", "OOM", "BUSY", "TRYAGAIN", "NOREPLICAS", "NOAUTH"}
ODD = {"WRONGTYPE", "ResponseError"}
"""A script's own trouble with its keys: the server is well."""
KINDS = {
    "AuthenticationError": "NOAUTH or WRONGPASS",
    "BusyLoadingError": "LOADING",
    "NoPermissionError": "NOPERM",
    "ReadOnlyError": "READONLY",
}
"""redis-py's own names, which stand where it took the server's code away."""
REMEDIES = {
    "NOPERM": "give its user the rights that docs/fleet.md names",
    "NOAUTH or WRONGPASS": "look at the user and the password in share.url",
    "NOAUTH": "write a user and a password into share.url",
    "MasterNotFoundError": "no Sentinel knows a master of that name: look at share.url",
}
STEADY = 1.0
"""Seconds without a failure after which an outage is over for who reads the log."""
RECONNECT_WITHIN = 2.0
FIRST_PING_WITHIN = 0.25
SOON = 5.0
FIRST_PAUSE = 0.1
LONGEST_PAUSE = 1.0
PATIENCE = 1.0
"""Seconds for calls that nobody waits for."""


NONSENSE = "an answer that makes no sense"

PARENTS: list[Any] = []
"""Clients of the processes that this one was forked from: never used, and never collected."""


class StoreError(Exception):
    """The store did not do what it was asked; the text is a kind, such as `READONLY`."""


class OddKeyError(StoreError):
    """The store is well, and could not run a script on what a key holds."""


@dataclass(frozen=True, slots=True)
class Script:
    """A Lua program; its first keys have one hash tag."""

    text: str
    digest: str = field(init=False)

    def __post_init__(self) -> None:
        sha = hashlib.sha1(self.text.encode(), usedforsecurity=False)
        object.__setattr__(self, "digest", sha.hexdigest())


class Store:
    """A client of Redis on the background loop."""

    def __init__(
        self,
        url: Secret,
        *,
        timeout: float = 0.05,
        name: str = "region-router",
        note: Callable[[str], None] = lambda _: None,
    ) -> None:
        """Take the URL; the client is made by `run`, on its loop.

        Args:
            url: see `connect`.
            timeout: seconds for one call on which requests may wait.
            name: of the client in CLIENT LIST, and what its keys begin with.
            note: hears of outages and is quick.
        """
        self._url = url
        self.where = where(url)
        """Its host and port."""
        self._name = name
        self._note = note
        self.timeout = timeout
        self._client: Any = None
        self._broken = asyncio.Event()
        self.trouble: str | None = None
        """What kind of trouble there is, until it is over."""
        self._told = False
        self._odd: set[str] = set()
        self._failed_at = self._up_since = -math.inf
        self.up = False
        """Whether the last call or ping went well."""

    def reset_after_fork(self) -> None:
        """Leave the connection to the parent, whose loop notices if it is closed here."""
        PARENTS.append(self._client)
        self._client, self.up, self.trouble = None, False, None

    @property
    def starting(self) -> bool:
        """Whether the first connection is under way, and nothing is wrong yet."""
        return not self.up and self.trouble is None

    async def run(self) -> None:
        """Connect, and again whenever a call was in vain, until cancelled."""
        self._client, self._broken = make_client(self._url, name=self._name), asyncio.Event()
        within = RECONNECT_WITHIN
        while True:
            await self._connect(within)
            self._broken.clear()
            self.up, self._up_since = True, asyncio.get_running_loop().time()
            await self._broken.wait()
            within = FIRST_PING_WITHIN

    async def close(self) -> None:
        """Close the connections; for who has cancelled `run`, and has nothing to say any more."""
        self.up = False
        client, self._client = self._client, None
        await close_client(client)

    async def _connect(self, within: float) -> None:
        """Ping until an answer comes, and the next one comes in time."""
        pause = FIRST_PAUSE
        await drop_idle(self._client)
        while True:
            try:
                await self._ask(self._probe, within)
                await self._ask(self._probe, self.timeout)
            except StoreError as error:
                self.trouble = str(error)
                self._tell()
            else:
                return
            await asyncio.sleep(pause)
            pause, within = min(LONGEST_PAUSE, pause * 2), min(RECONNECT_WITHIN, within * 2)

    async def _probe(self) -> None:
        """Write something: a replica and a server without rights answer a ping."""
        await self._client.set(f"{self._name}:v1:{{alive}}", "1", px=60_000)

    async def call(
        self,
        script: Script,
        keys: Sequence[str],
        args: Sequence[str | float | bytes],
        *,
        timeout: float | None = None,
    ) -> Any:
        """Run a script and return its answer.

        Raises:
            StoreError: the store is down, or the call was in vain.
        """
        if not self.up:
            raise StoreError(self.trouble or "not connected yet")

        async def evaluate() -> Any:
            from redis.exceptions import NoScriptError  # noqa: PLC0415 - loaded when used

            client, rest = self._client, (len(keys), *keys, *args)
            try:
                return await client.evalsha(script.digest, *rest)
            except NoScriptError:
                return await client.eval(script.text, *rest)

        try:
            answer = await self._ask(evaluate, self.timeout if timeout is None else timeout)
        except OddKeyError as error:
            self._tell_odd(str(keys[0]), str(error))
            raise
        except StoreError as error:
            self._fail(str(error))
            raise
        self._recovered()
        self._odd.discard(str(keys[0]))
        return answer

    async def _ask(self, what: Callable[[], Any], within: float) -> Any:
        task = asyncio.current_task()
        cancels = task.cancelling() if task is not None else 0
        try:
            async with asyncio.timeout(within):
                return await what()
        except TimeoutError:
            raise StoreError("no answer in time") from None
        except Exception as error:  # noqa: BLE001 - rule 3
            kind = _kind(error)
            raise (OddKeyError if kind in ODD else StoreError)(kind) from None
        finally:
            if task is not None and task.cancelling() > cancels:
                raise asyncio.CancelledError  # redis-py now and then makes an error of it

    def _fail(self, kind: str) -> None:
        if not self.up:  # others that were under way say the same
            return
        self.up, self.trouble = False, kind
        now = asyncio.get_running_loop().time()
        if now - self._failed_at < SOON:
            self._tell()
        self._failed_at = now
        self._broken.set()

    def _tell(self) -> None:
        if not self._told:
            self._told = True
            remedy = REMEDIES.get(str(self.trouble).partition(",")[0])
            self._note(
                f"the shared store at {self.where} fails ({self.trouble}): "
                "this process goes on with its share of the limit"
                + (f"; {remedy}" if remedy else "")
            )

    def _tell_odd(self, key: str, kind: str) -> None:
        if key not in self._odd:
            self._odd.add(key)
            self._note(f"the shared store cannot work on {key} ({kind}): is its value another's?")

    def _recovered(self) -> None:
        self.trouble = None
        if self._told and asyncio.get_running_loop().time() - self._up_since > STEADY:
            self._told = False
            self._note(f"the shared store at {self.where} is back")


def _kind(error: Exception) -> str:
    """Return what kind of trouble it is; never the foreign text itself."""
    code = str(error).partition(" ")[0]
    if code in CODES or code in ODD:
        return code
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, OSError):
        cause = cause.__cause__ or cause.__context__
    kind = KINDS.get(type(error).__name__, type(error).__name__)
    return kind if cause is None else f"{kind}, {type(cause).__name__}"
