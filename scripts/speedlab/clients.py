"""The clients, each made by a function of its library: python's own, no trick but its documents'.

Rule 1: libraries are imported where they are used: each process has those of its own row only.
Rule 2: a Client sends one request at a time when called, in a task or a thread, and reads all of
        the answer. It raises where that is not what was asked for.
Rule 3: all have the defaults of their makers, but no end of time that a slow machine could reach.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

from speedlab.answers import PATH, hold, message, model, question
from speedlab.routes import config

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from speedlab.cells import Cell

    Send = Callable[[Cell], Any]
    Hold = Callable[[int], Awaitable[Any]]
    """Sends a request to a region, whose answer waits a while."""

__all__ = ["KINDS", "Client"]

JSON = {"Content-Type": "application/json"}
TIMEOUT = 60.0
MODULES = {"httpx": "router", "httpx2": "router.httpx2"}
TRANSPORTS = {
    "aiohttp": ("httpx_aiohttp", "AiohttpTransport"),
    "retries": ("httpx_retries", "RetryTransport"),
}
GROUPS = (1000, 100_000)


@dataclass(frozen=True, slots=True)
class Client:
    """What a row is measured by.

    Attributes:
        send: sends one request; returns an awaitable unless it is of threads.
        threads: whether it is.
        hold: opens connections to a region, where the row has that.
        close: ends it; returns an awaitable unless it is of threads.
    """

    send: Send
    close: Callable[[], Any]
    threads: bool = False
    hold: Hold | None = None


def checked(length: int, cell: Cell) -> None:
    """See if an answer is whole.

    Raises:
        RuntimeError: it is not.
    """
    if length < cell.size - 4:
        raise RuntimeError(f"{length} bytes came of {cell.size}")


# -- httpx and its like


def _like_httpx(client: Any, url: str, urls: list[str], extensions: Any) -> Client:
    async def send(cell: Cell) -> None:
        body = question(cell.size, streamed=cell.streamed)
        if cell.streamed:
            length = 0
            async with client.stream("POST", url, content=body, headers=JSON) as response:
                async for chunk in response.aiter_bytes():
                    length += len(chunk)
        else:
            response = await client.post(url, content=body, headers=JSON)
            length = len(response.content)
        checked(length, cell)

    async def held(number: int) -> None:
        base = "" if extensions(number) else urls[number]
        await client.post(
            base + PATH, content=hold(), headers=JSON, extensions=extensions(number) or None
        )

    return Client(send, client.aclose, hold=held)


def _threads_like_httpx(client: Any, url: str) -> Client:
    def send(cell: Cell) -> None:
        body = question(cell.size, streamed=cell.streamed)
        if cell.streamed:
            with client.stream("POST", url, content=body, headers=JSON) as response:
                length = sum(map(len, response.iter_bytes()))
        else:
            length = len(client.post(url, content=body, headers=JSON).content)
        checked(length, cell)

    return Client(send, client.close, threads=True)


def _no_extensions(_: int) -> dict[str, Any]:
    return {}


def httpx(urls: list[str], transport: str | None = None, kept: int = 20) -> Client:
    """Return an httpx client, bare or over somebody's transport; 20 it keeps by default."""
    library: Any = import_module("httpx")
    made: Any = None
    if transport is not None:
        module, name = TRANSPORTS[transport]
        made = getattr(import_module(module), name)()
    limits = library.Limits(max_connections=max(100, kept), max_keepalive_connections=kept)
    client = library.AsyncClient(transport=made, limits=limits, timeout=TIMEOUT)
    return _like_httpx(client, urls[0] + PATH, urls, _no_extensions)


def httpx2(urls: list[str]) -> Client:
    """Return a bare httpx2 client."""
    client = import_module("httpx2").AsyncClient(timeout=TIMEOUT)
    return _like_httpx(client, urls[0] + PATH, urls, _no_extensions)


def httpx_threads(urls: list[str], library: str = "httpx") -> Client:
    """Return a bare client of threads."""
    return _threads_like_httpx(import_module(library).Client(timeout=TIMEOUT), urls[0] + PATH)


def httpx2_threads(urls: list[str]) -> Client:
    """Return a bare httpx2 client of threads."""
    return httpx_threads(urls, "httpx2")


def aiohttp(urls: list[str]) -> Client:
    """Return an aiohttp session."""
    library: Any = import_module("aiohttp")
    session: Any = None
    url = urls[0] + PATH

    async def send(cell: Cell) -> None:
        nonlocal session
        if session is None:  # it wants a running loop
            session = library.ClientSession(timeout=library.ClientTimeout(total=TIMEOUT))
        body, length = question(cell.size, streamed=cell.streamed), 0
        async with session.post(url, data=body, headers=JSON) as response:
            if cell.streamed:
                async for chunk in response.content.iter_any():
                    length += len(chunk)
            else:
                length = len(await response.read())
        checked(length, cell)

    async def close() -> None:
        if session is not None:
            await session.close()

    return Client(send, close)


# -- the router


def routed(urls: list[str], family: str, wire: str) -> Client:
    """Return the router under a family's client, over one of its wires."""
    options = import_module("router").Options
    client = import_module(MODULES[family]).AsyncClient(config(urls, wire=wire))

    def extensions(number: int) -> dict[str, Any]:
        return {"router": options(regions=f"r{number}")}

    return _like_httpx(client, PATH, urls, extensions)


def routed_threads(urls: list[str], family: str, wire: str) -> Client:
    """Return the same for threads."""
    client = import_module(MODULES[family]).Client(config(urls, wire=wire))
    return _threads_like_httpx(client, PATH)


# -- SDKs


def openai(urls: list[str], wire: str | None = None) -> Client:
    """Return openai's SDK, by itself or over the router."""
    library: Any = import_module("openai")
    base, under = f"{urls[0]}/v1", None
    if wire is not None:
        router: Any = import_module("router")
        under = import_module("router.httpx2").AsyncClient(config(urls, wire=wire))
        base = f"{router.BASE_URL}/v1"
    client = library.AsyncOpenAI(
        api_key="none", base_url=base, http_client=under, max_retries=0, timeout=TIMEOUT
    )

    async def send(cell: Cell) -> None:
        await _complete(client.chat.completions.create, model(cell.size), cell)

    return Client(send, client.close)


def litellm(urls: list[str], strategy: str) -> Client:
    """Return LiteLLM's Router among all regions."""
    library: Any = import_module("litellm")
    library.suppress_debug_info = True
    library.telemetry = False
    deployments = [
        {
            "model_name": model(size),
            "litellm_params": {
                "model": f"openai/{model(size)}",
                "api_key": "none",
                "api_base": f"{url}/v1",
                "timeout": TIMEOUT,
            },
            "model_info": {"id": f"{size}-{number}"},
        }
        for size in GROUPS
        for number, url in enumerate(urls)
    ]
    router = library.Router(model_list=deployments, routing_strategy=strategy, num_retries=0)

    async def send(cell: Cell) -> None:
        await _complete(router.acompletion, model(cell.size), cell)

    async def close() -> None:
        """Nothing is held open that would outlive the process."""

    return Client(send, close)


async def _complete(create: Any, name: str, cell: Cell) -> None:
    """Ask for a completion as an SDK's user does, and read it all."""
    answer = await create(model=name, messages=message(), stream=cell.streamed)
    if not cell.streamed:
        length = len(answer.choices[0].message.content)
    else:
        length = 0
        async for chunk in answer:
            if chunk.choices:
                length += len(chunk.choices[0].delta.content or "")
    if not length:
        raise RuntimeError("nothing came")


KINDS: dict[str, Callable[..., Client]] = {
    made.__name__: made
    for made in (
        *(httpx, httpx2, aiohttp, httpx_threads, httpx2_threads),
        *(routed, routed_threads, openai, litellm),
    )
}
