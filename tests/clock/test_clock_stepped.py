"""A wall clock that is stepped under a running router: a real process, real NTP servers.

libfaketime moves what the process takes for the wall clock, and nothing else: boot time, the
monotonic clocks and the servers are this machine's, so every stamp can be checked from outside.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
import stepped_process
from chrony_peer import FAKETIME, chronies

from router.clock.host import THIS_HOST
from router.testing import Received, Region, Regions, Reply, TokenServer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="libfaketime is preloaded, as Linux does it"
)

NS, MS = 10**9, 10**6
STEPS: dict[str, tuple[str, ...]] = {
    "two seconds ahead": ("2",),
    "two seconds back": ("-2",),
    "an hour ahead": ("3600",),
    "an hour back": ("-3600",),
    "250 ms either way at 100 Hz": ("0.25", "jitter"),
}
INTERVAL = 0.3
COOLED = 1.0
ROUTES = """\
version: 1
clock: {{servers: {servers}, header: X-Timestamp}}
token: {{url: "{token}", client_id: demo, client_secret: demo-secret}}
limits: {{rate: 200/m, burst: 1}}
failover: {{attempts: 1, deadline: 5s}}
probe: {{enabled: false}}
endpoints: ["{url}"]
"""


@dataclass
class Stepped:
    """A process that has ended: what it says itself, and what its peers saw of it."""

    story: dict[str, Any]
    received: list[Received]
    token_requests: int


class Running:
    """A process under libfaketime, with a region and a token server of its own."""

    def __init__(
        self, home: Path, servers: list[str], region: Region, tokens: TokenServer, *step: str
    ) -> None:
        self._home = home
        self._region = region
        self._tokens = tokens
        region.respond = answer
        home.mkdir()
        routes, faked = home / "routes.yaml", home / "faked"
        routes.write_text(
            ROUTES.format(servers=json.dumps(servers), token=tokens.url, url=region.url)
        )
        faked.write_text("+0")
        with (home / "told").open("wb") as told, (home / "complaints").open("wb") as complaints:
            self._process = subprocess.Popen(
                [sys.executable, stepped_process.__file__, routes, faked, *step],
                env=os.environ
                | {"LD_PRELOAD": str(FAKETIME), "FAKETIME_TIMESTAMP_FILE": str(faked)}
                | {"FAKETIME_DONT_FAKE_MONOTONIC": "1", "FAKETIME_NO_CACHE": "1"},
                stdout=told,
                stderr=complaints,
            )

    def end(self) -> Stepped:
        """Wait for its last word."""
        status = self._process.wait(timeout=30)
        assert status == 0, (self._home / "complaints").read_text()
        story = json.loads((self._home / "told").read_text())
        return Stepped(story, self._region.received, self._tokens.requests)

    def stop(self) -> None:
        self._process.kill()
        self._process.wait()


def answer(request: Received) -> Reply:
    return Reply(429, {"Retry-After": "1"}) if request.target == "/busy" else Reply()


@pytest.fixture(scope="module")
def ended(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Stepped]]:
    """Run all processes at once, since each of them mostly waits."""
    home = tmp_path_factory.mktemp("stepped")
    with contextlib.ExitStack() as stack:
        servers = stack.enter_context(chronies(home, 0, 0, 0, 0))
        running = {}
        for number, (name, step) in enumerate(STEPS.items()):
            tokens = stack.enter_context(TokenServer())
            region = stack.enter_context(Regions(only=0.0))["only"]
            process = Running(home / str(number), servers, region, tokens, *step)
            stack.callback(process.stop)
            running[name] = process
        yield {name: process.end() for name, process in running.items()}


@pytest.fixture
def stepped(ended: dict[str, Stepped], request: pytest.FixtureRequest) -> Stepped:
    found: Stepped = ended[request.param]
    return found


every_step = pytest.mark.parametrize("stepped", STEPS, indirect=True)


LATE = 0.24
"""Seconds: what a busy machine may make of a look at two clocks."""


def offset() -> float:
    """Return the wall clock's seconds ahead of boot time, as everybody else sees it."""
    hands = THIS_HOST.hands()
    return hands.wall - hands.boot


@pytest.mark.parametrize(
    ("stepped", "seen"),
    [
        ("two seconds ahead", {4.0}),
        ("two seconds back", {-4.0}),
        ("an hour ahead", {7200.0}),
        ("an hour back", {-7200.0}),
        ("250 ms either way at 100 Hz", {0.25, -0.25}),
    ],
    indirect=["stepped"],
)
def test_the_wall_clock_of_the_process_was_really_moved(stepped: Stepped, seen: set[float]) -> None:
    here = offset()
    moved = [wall - here for wall in stepped.story["wall"]]  # a look may be late, by a little
    assert all(min(abs(by - step) for step in seen) < LATE for by in moved)
    assert all(min(abs(by - step) for by in moved) < LATE for step in seen)


@every_step
def test_from_a_second_after_the_step_every_stamp_is_right_and_knows_it(stepped: Stepped) -> None:
    stamps = stepped.story["stamps"]
    here = offset()
    errors = [abs(ns - boot - here * NS) for boot, ns, _ in stamps]
    assert len(stamps) >= stepped_process.STAMPS
    assert max(errors) <= 500 * MS
    assert all(error <= bound for error, (_, _, bound) in zip(errors, stamps, strict=True))


@every_step
def test_every_request_carries_the_true_time_right_after_a_step_as_well(stepped: Stepped) -> None:
    assert len(stepped.received) == 5
    for request in stepped.received:
        late = request.at - int(request.headers["x-timestamp"]) / 1000
        assert -0.5 < late < 1.5  # on a busy machine the way takes a while


@pytest.mark.parametrize("stepped", [name for name in STEPS if "Hz" not in name], indirect=True)
def test_a_clock_stepped_once_is_soon_synchronised_again(stepped: Stepped) -> None:
    assert stepped.story["status"] == "synchronised"
    assert stepped.story["stamps"][-1][2] < 2 * stepped_process.SURE_NS  # a busy host adds doubt


@every_step
def test_limiter_and_backoff_and_token_do_not_notice(stepped: Stepped) -> None:
    assert stepped.story["limited"] >= INTERVAL
    assert stepped.story["cooled"] >= COOLED
    assert stepped.token_requests == 1
    assert len({request.headers["authorization"] for request in stepped.received}) == 1
