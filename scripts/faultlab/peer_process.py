"""A peer's process: it reads loads, sends them with another library, and tells what it saw.

    python peer_process.py httpx_retries SECONDS URL…

Rule 1: each peer has what its documentation says, with the page's times and number of attempts: a
        timeout of 300 ms a try, three tries, and waits between them of 25 to 250 ms at most.
Rule 2: httpx-retries repeats at one URL, so it is given the nearest region; LiteLLM's Router has
        all, and goes to the one that was the quickest.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from importlib import import_module
from typing import TYPE_CHECKING, Any

from faultlab.load import Done, Load, driven

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    One = Callable[[Load, str], Awaitable[Done]]

__all__ = ["serve"]

TRIES = 3
GROUP = "model"


def httpx_retries(urls: list[str], timeout: float) -> One:
    """Return a request of a plain httpx client with RetryTransport."""
    httpx, retries = import_module("httpx"), import_module("httpx_retries")
    retry = retries.Retry(total=TRIES - 1, backoff_factor=0.025, max_backoff_wait=0.25)
    client = httpx.AsyncClient(
        transport=retries.RetryTransport(retry=retry),
        base_url=urls[0],
        timeout=timeout,
    )

    async def one(load: Load, name: str) -> Done:
        at = time.monotonic()
        request = {
            "method": load.method,
            "url": f"/chat/completions?id={name}",
            "headers": dict(load.headers),
            "json": None if load.method == "GET" else {"id": name},
        }
        try:
            if load.streamed:
                async with client.stream(**request) as response:
                    content = await response.aread()
            else:
                response = await client.request(**request, follow_redirects=load.follow)
                content = response.content
        except Exception as error:  # noqa: BLE001 - whatever it is, it is what was seen
            return Done(name, at, time.monotonic() - at, error=type(error).__name__)
        took, status = time.monotonic() - at, response.status_code
        region = response.headers.get("X-Region")
        return Done(name, at, took, status, region, whole=not content or content.endswith(b"}"))

    return one


def litellm(urls: list[str], timeout: float) -> One:
    """Return a request of LiteLLM's Router, which knows chat completions only."""
    library: Any = import_module("litellm")
    library.suppress_debug_info = True
    library.telemetry = False
    router = library.Router(
        model_list=[_deployment(number, url, timeout) for number, url in enumerate(urls)],
        routing_strategy="latency-based-routing",
        num_retries=TRIES - 1,
        timeout=timeout,
    )

    async def one(_: Load, name: str) -> Done:
        at = time.monotonic()
        try:
            answer = await router.acompletion(
                model=GROUP, messages=[{"role": "user", "content": name}]
            )
        except Exception as error:  # noqa: BLE001 - whatever it is, it is what was seen
            status = getattr(error, "status_code", None)
            told = status if status and status < 500 and status != 408 else None  # noqa: PLR2004
            return Done(
                name, at, time.monotonic() - at, told, whole=True, error=type(error).__name__
            )
        said: str = answer.choices[0].message.content
        region = said.removeprefix("hello from ").partition(",")[0]
        return Done(name, at, time.monotonic() - at, 200, region, whole=True)

    return one


def _deployment(number: int, url: str, timeout: float) -> dict[str, Any]:
    return {
        "model_name": GROUP,
        "litellm_params": {
            "model": "openai/gpt-4o",
            "api_key": "none",
            "api_base": url,
            "timeout": timeout,
            "max_retries": 0,
        },
        "model_info": {"id": str(number)},
    }


PEERS: dict[str, Callable[[list[str], float], One]] = {
    "httpx_retries": httpx_retries,
    "litellm": litellm,
}


async def serve(kind: str, timeout: float, urls: list[str]) -> None:
    """Answer until standard input ends; what the library prints goes to standard error."""
    out, sys.stdout = sys.stdout, sys.stderr
    one, loop = PEERS[kind](urls, timeout), asyncio.get_running_loop()
    print("[]", file=out, flush=True)
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        load = Load(*json.loads(line))
        done = await driven(load, lambda name, load=load: one(load, name))  # type: ignore[misc]
        print(json.dumps(done), file=out, flush=True)


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1], float(sys.argv[2]), sys.argv[3:]))
