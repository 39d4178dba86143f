"""Reading a stream to its end or its error, with every kind of client."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any

import httpx
import httpx2

import router

HTTP: dict[str, Any] = {"httpx": httpx, "httpx2": httpx2}
SYNC: dict[str, Any] = {"httpx": router.Client, "httpx2": router.httpx2.Client}
ASYNC: dict[str, Any] = {"httpx": router.AsyncClient, "httpx2": router.httpx2.AsyncClient}
KINDS = [(way, family) for way in ("sync", "async") for family in HTTP]


@dataclass
class Read:
    """What a reader got."""

    status: int = 0
    chunks: list[bytes] = field(default_factory=list)
    error: Any = None
    idle: bool = False
    health: dict[str, str] = field(default_factory=dict)
    errors: dict[str, float] = field(default_factory=dict)

    @property
    def body(self) -> bytes:
        return b"".join(self.chunks)


def read(kind: tuple[str, str], config: Any, method: str = "GET", **request: Any) -> Read:
    """Stream `/` and read it raw; `options`: for the router; `most`: close after so many chunks."""
    way, family = kind
    options, most = request.pop("options", router.Options()), request.pop("most", 10**9)
    request["extensions"] = {**request.get("extensions", {}), "router": options}
    request.update(method=method, url="/")
    if way == "sync":
        return _read(SYNC[family], config, request, most)
    return asyncio.run(_aread(ASYNC[family], config, request, most))


def _read(make: Any, config: Any, request: dict[str, Any], most: int) -> Read:
    got = Read()
    with make(config) as client:
        try:
            with client.stream(**request) as response:
                got.status = response.status_code
                for chunk in response.iter_raw():
                    got.chunks.append(chunk)
                    if len(got.chunks) >= most:
                        break
        except (router.RouterError, httpx.HTTPError, httpx2.HTTPError) as error:
            got.error = error
        _look(client.router, got)
    return got


async def _aread(make: Any, config: Any, request: dict[str, Any], most: int) -> Read:
    got = Read()
    async with make(config) as client:
        try:
            async with client.stream(**request) as response:
                got.status = response.status_code
                async for chunk in response.aiter_raw():
                    got.chunks.append(chunk)
                    if len(got.chunks) >= most:
                        break
        except (router.RouterError, httpx.HTTPError, httpx2.HTTPError) as error:
            got.error = error
        _look(client.router, got)
    return got


def _look(it: router.Router, got: Read) -> None:
    got.idle = it.limiter.in_use == 0 and not any(it.pool.in_flight().values())
    got.health = {row.name: row.health for row in it.rank()}
    got.errors = {name: state.errors for name, state in it.pool._roster.states.items()}
