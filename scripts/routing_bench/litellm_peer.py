"""LiteLLM's latency strategy in a process of its own, so that its heap and threads are its own.

`Peer` is the near end of the pipe; run as a program, this file is the far one: for each line with
a number of deployments it writes the seconds of one decision as JSON.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from functools import partial
from importlib import import_module, metadata, util
from statistics import fmean
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["ROUTER", "STRATEGY", "Peer", "is_here"]

STRATEGY, ROUTER = "LiteLLM's latency strategy", "LiteLLM's Router with it"
GROUP = "model"
SAMPLES = 10
QUICKEST = 0.05
TTL = 3600.0
MESSAGES = [{"role": "user", "content": "hello"}]


def is_here() -> bool:
    """Return whether LiteLLM can be imported."""
    return util.find_spec("litellm") is not None


class Peer:
    """LiteLLM's decisions, measured on demand."""

    def __init__(self) -> None:
        environment = os.environ | {"LITELLM_LOCAL_MODEL_COST_MAP": "True"}  # fetch nothing
        self._process = subprocess.Popen(
            [sys.executable, __file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
        )
        self.version = metadata.version("litellm")

    def seconds(self, count: int, length: float) -> dict[str, float]:
        """Return by name what one decision among so many deployments takes, over such a time."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(json.dumps([count, length]), file=self._process.stdin, flush=True)
        seconds: dict[str, float] = json.loads(self._process.stdout.readline())
        return seconds

    def close(self) -> None:
        """End the process."""
        self._process.communicate()


def serve() -> None:
    """Answer until standard input ends; what LiteLLM prints goes to standard error."""
    out, sys.stdout = sys.stdout, sys.stderr
    calls: dict[int, dict[str, Callable[[], Any]]] = {}
    for line in sys.stdin:
        count, length = json.loads(line)
        if count not in calls:
            calls[count] = decisions(count)
        figures = {name: one(call, length) for name, call in calls[count].items()}
        print(json.dumps(figures), file=out, flush=True)


def decisions(count: int) -> dict[str, Callable[[], Any]]:
    """Return the strategy's decision by itself, and as the Router asks for it."""
    deployments = [deployment(number) for number in range(count)]
    router = import_module("litellm").Router(
        model_list=deployments, routing_strategy="latency-based-routing"
    )
    handler = router.lowestlatency_logger
    teach(handler, count)
    strategy = partial(handler.get_available_deployments, GROUP, deployments, MESSAGES)
    full = partial(router.get_available_deployment, GROUP, MESSAGES)
    for choice in strategy(), full():
        assert choice["model_info"]["id"] == "0", choice  # the quickest: the latencies are used
    return {STRATEGY: strategy, ROUTER: full}


def deployment(number: int) -> dict[str, Any]:
    """Return one entry of LiteLLM's list of models."""
    return {
        "model_name": GROUP,
        "litellm_params": {
            "model": "openai/gpt-4o",
            "api_key": "none",
            "api_base": f"https://e{number}.api.example.com/v1",
        },
        "model_info": {"id": str(number)},
    }


def teach(handler: Any, count: int) -> None:
    """Have ten answers of each deployment in its cache: of the first one the quickest.

    One answer is reported to it; the others are written in the form that it keeps this one in,
    since ten reports for each of a thousand take it 20 s.
    """
    about = {"metadata": {"model_group": GROUP}, "model_info": {"id": "0"}}
    handler.log_success_event({"litellm_params": about}, None, 0.0, QUICKEST)
    key, cache = f"{GROUP}_map", handler.router_cache
    kept = cache.get_cache(key=key)["0"].items()
    value = {
        str(number): {
            name: [QUICKEST + number / 1e3] * SAMPLES if isinstance(seen, list) else dict(seen)
            for name, seen in kept
        }
        for number in range(count)
    }
    cache.set_cache(key=key, value=value, ttl=TTL)


def one(call: Callable[[], Any], length: float) -> float:
    """Return seconds of one call, the mean over such a time; the first is not counted."""
    call()
    until = time.perf_counter() + length
    figures: list[float] = []
    while not figures or time.perf_counter() < until:
        began = time.perf_counter()
        call()
        figures.append(time.perf_counter() - began)
    return fmean(figures)


if __name__ == "__main__":
    serve()
