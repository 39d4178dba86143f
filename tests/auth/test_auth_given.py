"""What a Router is given as code is looked at before the first request."""

from __future__ import annotations

import functools
from dataclasses import replace
from typing import Any

import httpx
import pytest

import router
from router.config.settings import TokenSettings
from router.config.signing import ApiKey, SignSettings, SigV4Settings
from router.testing import Regions, TokenServer

QUIET = router.Probe(enabled=False)
KEY = router.Secret("planted")


def config(**sections: Any) -> router.Config:
    endpoint = router.Endpoint(url="https://a.example", region="aws:eu-central-1")
    return router.Config(endpoints=(endpoint,), probe=QUIET, **sections)


def nothing() -> list[tuple[str, str]]:
    return []


async def waiting(_: router.Signing) -> list[tuple[str, str]]:
    return []


class Waiting:
    async def __call__(self, _: router.Signing) -> list[tuple[str, str]]:
        return []


@pytest.mark.parametrize(
    ("given", "advice"),
    [
        ({"token": "planted"}, "a key that is at hand goes into the file"),
        ({"token": lambda _: "planted"}, "give a function without arguments"),
        ({"signer": httpx.BasicAuth("me", "planted")}, r"signer=router\.auth\.from_httpx\(auth\)"),
        ({"signer": ("me", "planted")}, "give a function of one router.Signing"),
        ({"signer": list}, None),
        ({"signer": nothing}, "give a function of one router.Signing"),
        ({"signer": waiting}, "give a function that is not async"),
        ({"signer": Waiting()}, "give a function that is not async"),
        ({"token": functools.partial(str, "planted")}, None),
        ({"token": dict}, None),
        ({"used": "planted"}, "give a function of one argument"),
        ({"conversation_began": nothing}, "give a function of one argument"),
    ],
)
def test_code_that_could_never_work_is_refused_with_what_to_give(
    given: dict[str, Any], advice: str | None
) -> None:
    if advice is None:
        router.Router(config(), **given).close()
        return
    with pytest.raises(router.ConfigError, match=advice) as caught:
        router.Router(config(), **given)
    assert str(caught.value).startswith(f"Router({next(iter(given))}=…): ")
    assert "planted" not in str(caught.value)


@pytest.mark.parametrize(
    "sign",
    [
        SignSettings(api_key=ApiKey(header="authorization", value=KEY)),
        SignSettings(sigv4=SigV4Settings(service="bedrock", access_key=KEY, secret_key=KEY)),
    ],
)
def test_two_proofs_that_want_the_authorization_header_are_refused(sign: SignSettings) -> None:
    with pytest.raises(router.ConfigError, match=r"^sign\..*: it and token: both write Auth"):
        config(sign=sign, token=TokenSettings(grant="static", value=KEY))
    with pytest.raises(router.ConfigError, match=r"it and Router\(token=…\) both write Auth"):
        router.Router(config(sign=sign), token=lambda: "x")


@pytest.mark.parametrize(
    ("scope", "status"), [(None, 200), ("read", 200), ("read write", 200), ("read admin", None)]
)
def test_the_token_server_for_tests_grants_words_of_its_scopes(
    scope: str | None, status: int | None
) -> None:
    with TokenServer() as server, Regions(near=0.0) as regions:
        server.scopes = frozenset({"read", "write"})
        token = replace(server.settings(), scope=scope)
        with router.Client(regions.config(probe=QUIET, token=token)) as client:
            if status is None:
                with pytest.raises(router.TokenError, match="invalid_scope"):
                    client.get("/")
            else:
                assert client.get("/").status_code == status


def test_a_router_of_a_file_takes_the_hooks_of_a_router_of_a_config(tmp_path: Any) -> None:
    file = tmp_path / "routes.yaml"
    seen: list[object] = []

    def used(answer: object) -> None:
        seen.append(answer)

    with Regions(near=0.0) as regions:
        file.write_text(
            "probe: {enabled: false}\nlimits: {rate: [{of: tokens, rate: 9/s, burst: 9}]}\n"
            f"endpoints: [{regions['near'].url}]\n"
        )
        with (
            router.Router.from_yaml(file, used=used) as shared,
            router.Client(shared) as client,
        ):
            client.get("/")
    assert len(seen) == 1
