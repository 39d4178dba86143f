"""Bad input gets one typed error with a sentence that says what to do."""

from __future__ import annotations

import re
import traceback
from typing import TYPE_CHECKING, Any

import httpx
import pytest

import router
from router.config import loads
from router.geo.locator import Locator

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

DOCUMENTS = {
    "no endpoints": ("endpoints: []", "list at least one"),
    "no endpoints at all": ("version: 1", "endpoints"),
    "two with one name": (
        "endpoints: [{name: a, url: https://a.test}, {name: a, url: https://b.test}]",
        "give each a name of its own",
    ),
    "URL without host": ("endpoints: ['https:///v1']", "the URL has no host"),
    "URL with credentials": (
        "endpoints: ['https://me:hunter2@a.test']",
        "take the credentials out of the URL",
    ),
    "URL with a fragment": ("endpoints: ['https://a.test/#x']", "no query and no fragment"),
    "port out of range": ("endpoints: ['https://a.test:65536']", "a port lies between 1 and 65535"),
    "negative duration": (
        "endpoints: ['https://a.test']\nfailover: {deadline: -1s}",
        "a duration is not negative",
    ),
    "unknown region": (
        "endpoints: [{url: 'https://a.test', region: 'aws:eu-centrl-1'}]",
        "did you mean aws:eu-central-1",
    ),
    "missing environment variable": (
        """\
endpoints: ["https://a.test"]
token: {url: "https://t.test", client_id: x, client_secret: "${NOWHERE_SET}"}
""",
        "NOWHERE_SET",
    ),
}


@pytest.mark.parametrize("name", DOCUMENTS)
def test_a_configuration_is_refused(name: str) -> None:
    text, sentence = DOCUMENTS[name]
    with pytest.raises(router.ConfigError) as caught:
        loads(text, environ={})
    (problem,) = caught.value.problems
    assert problem.startswith("routes.yaml:")
    assert sentence in problem
    assert "hunter2" not in "".join(traceback.format_exception(caught.value))


def config() -> router.Config:
    endpoint = router.Endpoint(url="https://a.test/v1", name="a", tags=("eu",))
    return router.Config(endpoints=(endpoint,), probe=router.Probe(enabled=False))


REQUESTS: dict[str, tuple[str, Any, type[router.RouterError], str]] = {
    "unknown tag": ("/", router.Options(tags="eux"), router.OptionsError, "did you mean eu?"),
    "unknown tier": ("/", router.Options(tiers=7), router.OptionsError, "known: 1"),
    "unknown region": ("/", router.Options(regions="b"), router.OptionsError, "known: a"),
    "not Options": ("/", {"tags": "eu"}, router.OptionsError, "router.Options"),
    "a host that is not served": (
        "https://elsewhere.test/",
        router.Options(),
        router.UnknownHostError,
        "hosts:",
    ),
    "a path outside": (
        "https://a.test/other",
        router.Options(),
        router.UnknownHostError,
        "below /v1",
    ),
}


@pytest.mark.parametrize("name", REQUESTS)
def test_a_request_is_refused_before_anything_is_sent(name: str) -> None:
    url, options, kind, sentence = REQUESTS[name]
    with (
        router.Client(config()) as client,
        pytest.raises(kind, match=re.escape(sentence)) as caught,
    ):
        client.get(url, extensions={"router": options})
    assert isinstance(caught.value, httpx.TransportError)
    assert caught.value.blame == "caller"
    assert caught.value.attempts == ()
    assert isinstance(caught.value.request, httpx.Request)


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: router.Options(idempotency_key="two\r\nlines"), "idempotency_key"),
        (lambda: router.Options(deadline=-1.0), "deadline"),
        (lambda: router.Options(repeat="sometimes"), "safe, rejected, always"),  # type: ignore[arg-type]
        (lambda: router.Options(cost=float("nan")), "cost"),
    ],
)
def test_options_check_themselves(make: Callable[[], object], sentence: str) -> None:
    with pytest.raises(router.OptionsError, match=sentence):
        make()


def test_an_unreadable_database_is_a_geo_error_and_one_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    database = tmp_path / "GeoLite2-City.mmdb"
    database.write_bytes(b"not a database")
    with pytest.raises(router.GeoError, match="GeoLite2-City"):
        Locator.open(database)
    geo = router.GeoSettings(database=database, here="192.0.2.1")
    with router.Router(router.Config(endpoints=("https://a.test",), geo=geo)) as it:  # type: ignore[arg-type]
        assert [ranked.source for ranked in it.rank(client_ip="192.0.2.1")] == ["prior"]
    assert [record.name for record in caplog.records].count("router.geo") == 1


@pytest.mark.parametrize("value", [-1.0, 0.0, float("nan"), "5", [1.0], {}])
def test_a_timeout_is_seconds(value: Any) -> None:
    config = loads("endpoints: [{name: a, url: 'https://a.test'}]\nprobe: {enabled: false}")
    with router.Client(config) as client:
        for _ in range(2):
            with pytest.raises(router.OptionsError, match="give seconds, more than 0, or None"):
                client.get("/", extensions={"timeout": {"connect": 1.0, "read": value}})


def test_what_only_a_transport_could_honour_is_refused() -> None:
    with pytest.raises(TypeError, match="set tls: in the configuration"):
        router.Client(config(), verify=False)


def test_a_closed_router_says_so() -> None:
    client = router.Client(config())
    client.router.close()
    with pytest.raises(router.ClosedError, match="make a new one"):
        client.get("/")
