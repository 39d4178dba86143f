"""Which wire takes a request, and what of an answer is the same over each: what ports see.

Rule 1: an endpoint's own word goes before the configuration's; `auto` is the fastest wire that can
        do what is asked: aiohttp's for tasks over HTTP/1.1 where it is installed, else the core.
Rule 2: threads have the core alone.
Rule 3: what needs the core goes over the core: HTTP/2, and requests whose caller traces it.
Rule 4: a cancelled task stops where it is; what the core left open of it is closed (`sweep`).
"""

from __future__ import annotations

import asyncio
import functools
import importlib
import importlib.metadata
import importlib.util
from dataclasses import replace
from importlib.machinery import PathFinder
from typing import TYPE_CHECKING, Any

from router.call import Answer
from router.errors import ConfigError
from router.straight import straight
from router.wires.core import CoreTasks, CoreThreads
from router.wires.exchange import Body
from router.wires.kept import Kept, begun, whole

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Coroutine

    from router.call import Outgoing
    from router.config.settings import Config
    from router.families import Family

__all__ = ["AsyncWires", "Wires", "aiohttp_problem"]

LEAST = (3, 11)
FAST = "router.wires.fast"
INSTALL = "pip install 'region-router[aiohttp]'"


@functools.cache
def aiohttp_problem() -> str | None:
    """Return in words why aiohttp cannot be used, or None; it is not imported for that."""
    spec = importlib.util.find_spec("aiohttp")
    if spec is None:
        return f"aiohttp is not installed: {INSTALL}"
    found = importlib.metadata.version("aiohttp")
    if tuple(map(int, found.split(".")[:2])) < LEAST:
        return f"aiohttp {found} is too old: {INSTALL}"
    if PathFinder.find_spec("_http_parser", spec.submodule_search_locations) is None:
        return "this aiohttp has no compiled parser: install a wheel of it"
    return None


class _Reads:
    """What both kinds do: tell what an error of a body means."""

    def __init__(self, family: Family) -> None:
        self._family = family

    def _failed(self, error: Exception) -> None:
        failure = self._family.failure(error)
        if failure is not None:
            raise failure from error


class Wires(_Reads):
    """The wires of a client whose requests are sent by threads."""

    def __init__(self, family: Family, tls: Callable[[], ssl.SSLContext], config: Config) -> None:
        """Take the means.

        Raises:
            ConfigError: a wire is asked for that threads do not have.
        """
        super().__init__(family)
        if config.asks_for_aiohttp:
            raise ConfigError(
                "wire: aiohttp is for asynchronous clients: leave it out, or write auto"
            )
        self.core = CoreThreads(family, tls, http2=config.http2)
        self.send = self.core.send
        self.close = self.core.close

    def read(self, answer: Answer) -> Answer:
        """Read the whole body, close, and return the answer in memory; raise SendFailure."""
        try:
            content = b"".join(answer.stream)
        except Exception as error:
            self._failed(error)
            raise
        finally:
            answer.stream.close()
        return replace(answer, stream=None, content=content)

    def keep(self, answer: Answer) -> Answer:
        """Read a short body, close, and return the answer in memory."""
        kept = Kept(self._family)
        try:
            with kept:
                for chunk in answer.stream:
                    if not kept.take(chunk):
                        break
        finally:
            answer.stream.close()
        return kept.copy_of(answer)


class AsyncWires(_Reads):
    """The wires of a client whose requests are sent by tasks."""

    def __init__(self, family: Family, tls: Callable[[], ssl.SSLContext], config: Config) -> None:
        super().__init__(family)
        self._tls = tls
        self.core = CoreTasks(family, tls, http2=config.http2)
        self._auto = "httpx" if config.http2 or aiohttp_problem() else "aiohttp"
        self._usual = config.wire
        words = {config.wire, *(endpoint.wire for endpoint in config.endpoints)}
        if "aiohttp" in {self._meant(word) for word in words}:
            _ = self.fast  # importing it takes long, and here no request waits

    def _meant(self, word: str | None) -> str:
        word = word or self._usual
        return self._auto if word == "auto" else word

    @functools.cached_property
    def fast(self) -> Any:
        """The wire over aiohttp."""
        return importlib.import_module(FAST).FastTasks(self._family, self._tls)

    def send(self, request: Outgoing) -> Coroutine[Any, Any, Answer]:
        """Send and return the response with its body unread; raise SendFailure."""
        if self._meant(request.endpoint.wire) == "aiohttp" and "trace" not in request.extensions:
            sending: Coroutine[Any, Any, Answer] = self.fast.send(request)
            return sending
        return self.core.send(request)

    def sweep(self) -> None:
        """Close what a cancelled task left open."""
        self.core.sweep()

    async def read(self, answer: Answer) -> Answer:
        """Read the whole body, close, and return the answer in memory; raise SendFailure."""
        stream = answer.stream
        content = stream.whole() if isinstance(stream, Body) else None
        if content is None:
            try:
                content = await straight(whole(stream))
            except asyncio.CancelledError:
                self.sweep()
                raise
            except Exception as error:
                self._failed(error)
                raise
        return Answer(
            answer.status, answer.headers, None, answer.extensions, content, flight=answer.flight
        )

    async def keep(self, answer: Answer) -> Answer:
        """Read a short body, close, and return the answer in memory."""
        kept = Kept(self._family)
        try:
            with kept:
                await straight(begun(answer.stream, kept))
        except asyncio.CancelledError:
            self.sweep()
            raise
        return kept.copy_of(answer)

    async def end(self, stream: Any) -> None:
        """Close a body."""
        try:
            await straight(stream.aclose())
        except asyncio.CancelledError:
            self.sweep()
            raise

    async def aclose(self) -> None:
        """Close this loop's connections; those of other loops go with their loops."""
        await self.core.aclose()
        if "fast" in self.__dict__:
            await self.fast.aclose()
