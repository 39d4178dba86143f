"""One process of a fleet: does the job that its argument names, and prints JSON."""

from __future__ import annotations

import asyncio
import contextlib
import json
import ssl
import sys
import threading
import time
from random import Random
from typing import Any

from sharing_bench import bench, spend_for
from sharing_bench import until as until_true

import router
from router.auth.grant import Grant, TokenForm
from router.auth.oauth import OAuthFetcher
from router.auth.token import TokenManager
from router.config import Config
from router.config.settings import Limits, ShareSettings, TokenSettings
from router.endpoint import Endpoint
from router.options import Options
from router.secret import Secret
from router.units import parse_rate


def say(thing: Any) -> None:
    sys.stdout.write(json.dumps(thing) + "\n")
    sys.stdout.flush()


def rate(url: str, rate: str, burst: int, seconds: float, timeout: float = 0.05) -> None:
    """Spend all that is given."""
    with bench(url, timeout=timeout) as made:
        shared = made.sharing.rate(parse_rate(rate), burst)
        made.start()
        say("ready")
        sys.stdin.readline()
        began = time.monotonic()
        alone: list[float] = []
        spent = [began + at for at in spend_for(shared, seconds, alone=alone)]
        told = {"count": len(spent), "spent": spent, "alone": len(alone), "notes": made.notes}
        say({**told, "wall": time.time()})


def permits(url: str, most: int, hold: int, lease: float) -> None:
    """Take permits and keep them until the end, or until killed."""
    with bench(url, lease=lease) as made:
        shared = made.sharing.permits(most)
        made.start()
        got = 0
        while got < hold:
            if shared.take(time.monotonic(), waiting=hold - got) == 0:
                got += 1
            else:
                time.sleep(0.002)
        say("ready")
        sys.stdin.readline()


def token(url: str, key: str, server: str, client_id: str, client_secret: str) -> None:
    """Ask for the token."""
    settings = TokenSettings(url=server, client_id=client_id, client_secret=Secret(client_secret))
    fetcher = OAuthFetcher(settings, ssl_context=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))
    with bench(url, key=Secret(key)) as made:
        shared = made.sharing.token(settings)
        assert shared is not None
        spawn = made.background.spawn
        manager = TokenManager(
            settings, fetch=fetcher, spawn=spawn, random=Random(1), exchange=shared
        )
        made.start()
        say("ready")
        sys.stdin.readline()
        got = manager.request(time.monotonic()).result(30)
        say({"token": got.value.reveal(), "left": got.expires - time.monotonic()})


def turn(url: str, key: str, seconds: float) -> None:
    """Take the turn to fetch a token, and be slow."""
    settings = TokenSettings(url="https://x.test/token", client_id="c", client_secret=Secret("s"))
    with bench(url, key=Secret(key)) as made:
        shared = made.sharing.token(settings)
        assert shared is not None
        made.start()

        async def slow(_: TokenForm) -> Grant:
            say("ready")
            await asyncio.sleep(seconds)
            return Grant(Secret("late"), 60.0)

        form = TokenForm(grant="client_credentials")
        made.background.spawn(shared.obtain(form, slow)).result(60)


def routed(
    url: str,
    endpoint: str,
    *,
    limits: Any,
    token: Any,
    threads: int,
    seconds: float,
    enough: int | None = None,
) -> None:
    """Send requests through a Router of its own, until `enough`; say how many were answered."""
    config = Config(
        endpoints=(Endpoint(url=endpoint),),
        limits=Limits(**limits),
        token=None if token is None else TokenSettings(**token),
        share=ShareSettings(url=Secret(url), key=Secret("the fleet's"), timeout=1.0),
    )
    answered: list[int] = []

    def work(client: router.Client, until: float) -> None:
        with contextlib.suppress(router.LimitError, router.DeadlineError):
            while (left := until - time.monotonic()) > 0 and len(answered) != enough:
                client.get("/", extensions={"router": Options(deadline=left)}).raise_for_status()
                answered.append(1)

    with router.Client(config) as client:
        sharing = client.router.start().sharing
        assert sharing is not None
        until_true(lambda: sharing.store.up)
        say("ready")
        sys.stdin.readline()
        until = time.monotonic() + seconds
        workers = [threading.Thread(target=work, args=(client, until)) for _ in range(threads)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        say({"answered": len(answered), "shared": client.router.snapshot()["shared"]})


if __name__ == "__main__":
    job = json.loads(sys.argv[1])
    jobs: dict[str, Any] = {"rate": rate, "permits": permits, "token": token, "turn": turn}
    jobs["routed"] = routed
    jobs[job.pop("job")](**job)
