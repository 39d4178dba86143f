"""Which wire takes a request, and what of an answer is the same over each: what ports see.

Rule 1: an endpoint's own word goes before the configuration's; `auto` is the fastest wire that can
        do what is asked: aiohttp's over HTTP/1.1 where it is installed, else the core.
Rule 2: what needs the core goes over the core: HTTP/2, and requests whose caller traces it.
Rule 3: a cancelled task stops where it is; what the core left open of it is closed (`sweep`).
"""

from __future__ import annotations

import asyncio
import functools
import importlib
import importlib.metadata
import importlib.util
from importlib.machinery import PathFinder
from typing import TYPE_CHECKING, Any

from router.straight import straight
from router.wires.core import CoreTasks, CoreThreads
from router.wires.kept import Kept, begun, whole

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Coroutine

    from router.call import Answer, Outgoing
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


class _Wires:
    """What both kinds do: choose, and tell what an error of a body means."""

    _fast_kind = ""
    core: Any

    def __init__(self, family: Family, tls: Callable[[], ssl.SSLContext], config: Config) -> None:
        self._family = family
        self._tls = tls
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
        kind = getattr(importlib.import_module(FAST), self._fast_kind)
        return kind(self._family, self._tls)

    def _wire(self, request: Outgoing) -> Any:
        """Return the wire of a request."""
        if self._meant(request.endpoint.wire) == "aiohttp" and "trace" not in request.extensions:
            return self.fast
        return self.core

    def _failed(self, error: Exception) -> None:
        failure = self._family.failure(error)
        if failure is not None:
            raise failure from error


class Wires(_Wires):
    """The wires of a client whose requests are sent by threads."""

    _fast_kind = "FastThreads"

    def __init__(self, family: Family, tls: Callable[[], ssl.SSLContext], config: Config) -> None:
        super().__init__(family, tls, config)
        self.core = CoreThreads(family, tls, http2=config.http2)

    def send(self, request: Outgoing) -> Answer:
        """Send and return the response with its body unread; raise SendFailure."""
        answer: Answer = self._wire(request).send(request)
        return answer

    def close(self) -> None:
        """Close every connection; what still waits for its turn is not sent."""
        self.core.close()
        if "fast" in self.__dict__:
            self.fast.close()

    def read(self, answer: Answer) -> Answer:
        """Read the whole body, close, and return the answer in memory; raise SendFailure."""
        stream = answer.stream
        content = None if answer.whole is None else answer.whole()
        if content is None:
            try:
                content = b"".join(stream)
            except Exception as error:
                self._failed(error)
                raise
            finally:
                stream.close()
        answer.stream, answer.content = None, content
        return answer

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


class AsyncWires(_Wires):
    """The wires of a client whose requests are sent by tasks."""

    _fast_kind = "FastTasks"

    def __init__(self, family: Family, tls: Callable[[], ssl.SSLContext], config: Config) -> None:
        super().__init__(family, tls, config)
        self.core = CoreTasks(family, tls, http2=config.http2)

    def send(self, request: Outgoing) -> Coroutine[Any, Any, Answer]:
        """Send and return the response with its body unread; raise SendFailure."""
        sending: Coroutine[Any, Any, Answer] = self._wire(request).send(request)
        return sending

    def sweep(self) -> None:
        """Close what a cancelled task left open."""
        self.core.sweep()

    async def read(self, answer: Answer) -> Answer:
        """Read the whole body, close, and return the answer in memory; raise SendFailure."""
        stream = answer.stream
        content = None if answer.whole is None else answer.whole()
        if content is None:
            try:
                content = await straight(whole(stream))
            except asyncio.CancelledError:
                self.sweep()
                raise
            except Exception as error:
                self._failed(error)
                raise
        answer.stream, answer.content = None, content
        return answer

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
