"""The clients that live through the faults: the router under both libraries, in tasks and threads.

Rule: a Subject sends a Load and tells what became of each request; all else is seen at the servers.
"""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

import router
import router.httpx2
from faultlab.load import Done, Load, driven
from router.wires.choice import aiohttp_problem

if TYPE_CHECKING:
    from collections.abc import Callable

    from router.config import Config

__all__ = ["OURS", "Ours", "Subject", "Tasks", "Threads"]

THREADS = 256
COMPLETE = b"}"


class Subject(Protocol):
    """A client under test."""

    name: str

    async def ready(self) -> None:
        """Wait until it knows its regions, if it learns of them by itself."""
        ...

    async def send(self, load: Load) -> list[Done]:
        """Send a load."""
        ...

    async def close(self) -> None:
        """Close its connections."""
        ...


class Ours:
    """What tasks and threads have in common."""

    name = ""

    def __init__(self, config: Config, make: Callable[[Config], Any]) -> None:
        self.client = make(config)

    @property
    def shared(self) -> router.Router:
        """The router."""
        found: router.Router = self.client.router
        return found

    async def ready(self) -> None:
        """Wait for the first probes."""
        await asyncio.to_thread(self.shared.wait_until_measured)

    @staticmethod
    def request(load: Load, name: str) -> dict[str, Any]:
        """Return the arguments of one request."""
        key = name if load.keyed else None
        return {
            "method": load.method,
            "url": f"/chat/completions?id={name}",
            "headers": dict(load.headers),
            "follow_redirects": load.follow,
            "json": None if load.method == "GET" else {"id": name},
            "extensions": {"router": router.Options(idempotency_key=key)},
        }

    @staticmethod
    def answered(name: str, at: float, response: Any, content: bytes) -> Done:
        """Return what an answer says."""
        attempts = response.extensions["router"].attempts
        return Done(
            name,
            at,
            time.monotonic() - at,
            status=response.status_code,
            region=response.headers.get("X-Region"),
            whole=content.endswith(COMPLETE) or not content,
            tries=tuple(a.endpoint for a in attempts),
            slowest=max(a.elapsed for a in attempts),
            hedges=sum(a.hedge for a in attempts),
            waited=attempts[0].waited,
        )

    @staticmethod
    def failed(name: str, at: float, error: Exception) -> Done:
        """Return what an error says."""
        took, kind = time.monotonic() - at, type(error).__name__
        if not isinstance(error, router.RouterError):
            return Done(name, at, took, error=kind)
        return Done(
            name,
            at,
            took,
            error=kind,
            maybe=error.maybe_processed,
            later=error.retry_after,
            tries=tuple(a.endpoint for a in error.attempts),
            slowest=max((a.elapsed for a in error.attempts), default=0.0),
            hedges=sum(a.hedge for a in error.attempts),
        )


class Tasks(Ours):
    """The router under an asynchronous client."""

    async def send(self, load: Load) -> list[Done]:
        """Send a load, one task a request."""
        return await driven(load, lambda name: self._one(load, name))

    async def _one(self, load: Load, name: str) -> Done:
        at = time.monotonic()
        request = self.request(load, name)
        try:
            if not load.streamed:
                response = await self.client.request(**request)
                return self.answered(name, at, response, response.content)
            async with self.client.stream(**request) as response:
                content = b"".join([chunk async for chunk in response.aiter_bytes()])
                return self.answered(name, at, response, content)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is what was seen
            return self.failed(name, at, error)

    async def close(self) -> None:
        """Close the client."""
        await self.client.aclose()


class Threads(Ours):
    """The router under a synchronous client."""

    def __init__(self, config: Config, make: Callable[[Config], Any]) -> None:
        super().__init__(config, make)
        self._threads = ThreadPoolExecutor(THREADS)

    async def send(self, load: Load) -> list[Done]:
        """Send a load, one thread a request under way."""
        loop = asyncio.get_running_loop()
        return await driven(
            load, lambda name: loop.run_in_executor(self._threads, self._one, load, name)
        )

    def _one(self, load: Load, name: str) -> Done:
        at = time.monotonic()
        request = self.request(load, name)
        try:
            if not load.streamed:
                response = self.client.request(**request)
                return self.answered(name, at, response, response.content)
            with self.client.stream(**request) as response:
                return self.answered(name, at, response, b"".join(response.iter_bytes()))
        except Exception as error:  # noqa: BLE001 - whatever it is, it is what was seen
            return self.failed(name, at, error)

    async def close(self) -> None:
        """Close the client and end the threads."""
        await asyncio.to_thread(self._threads.shutdown)
        self.client.close()


def over_aiohttp(client: Callable[[Config], Any], config: Config) -> Any:
    """Return a client over aiohttp."""
    problem = aiohttp_problem()
    if problem is not None:
        raise RuntimeError(problem)
    return client(config)  # `wire: auto` is aiohttp now


def over_httpcore(client: Callable[[Config], Any], config: Config) -> Any:
    """Return a client over the core of httpx."""
    return client(replace(config, wire="httpx"))


OURS: dict[str, tuple[type[Tasks | Threads], Callable[[Config], Any]]] = {
    "tasks": (Tasks, router.AsyncClient),
    "tasks aiohttp": (Tasks, partial(over_aiohttp, router.AsyncClient)),
    "tasks httpcore": (Tasks, partial(over_httpcore, router.AsyncClient)),
    "tasks httpx2": (Tasks, router.httpx2.AsyncClient),
    "threads": (Threads, router.Client),
    "threads aiohttp": (Threads, partial(over_aiohttp, router.Client)),
    "threads httpcore": (Threads, partial(over_httpcore, router.Client)),
    "threads httpx2": (Threads, router.httpx2.Client),
}
"""The router's clients by what they are."""
