"""Against Canaille, a whole OAuth server (pytest-iam), over a real socket.

It takes client_secret_post for refresh_token only, and grants no refresh token to a client without
a user, hence `random_token`.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Literal

import pytest

import router
from router.auth.grant import TokenForm
from router.auth.oauth import OAuthFetcher
from router.config.settings import TokenSettings
from router.errors import TokenError
from router.secret import Secret

if TYPE_CHECKING:
    from collections.abc import Iterator

    from router.auth.grant import Grant

SECRET = "s3cret: with %, + and spaces"
Auth = Literal["client_secret_basic", "client_secret_post"]


def register(iam: Any, auth: Auth) -> Any:
    client = iam.models.Client(
        client_id=f"service+{auth}",
        client_secret=SECRET,
        client_name="region-router",
        grant_types=["client_credentials", "refresh_token"],
        token_endpoint_auth_method=auth,
        scope=["openid", "profile"],
    )
    iam.backend.save(client)
    return client


@pytest.fixture
def client(iam_server: Any, request: pytest.FixtureRequest) -> Iterator[Any]:
    with iam_server.app.app_context():
        made = register(iam_server, request.param)
        yield made
        iam_server.backend.delete(made)


def settings(iam: Any, client: Any, **changes: Any) -> TokenSettings:
    values: dict[str, Any] = {
        "url": f"{iam.url}oauth/token",
        "client_id": client.client_id,
        "client_secret": Secret(SECRET),
        "auth": client.token_endpoint_auth_method,
    }
    return TokenSettings(**(values | changes))


def fetch(wanted: TokenSettings) -> Grant:
    form = TokenForm.of(wanted, wanted.refresh_token)
    return asyncio.run(OAuthFetcher(wanted)(form))


@pytest.mark.parametrize("client", ["client_secret_basic"], indirect=True)
def test_a_real_server_grants_client_credentials(iam_server: Any, client: Any) -> None:
    grant = fetch(settings(iam_server, client))
    stored = iam_server.backend.get(
        iam_server.models.Token, access_token=grant.access_token.reveal()
    )
    assert stored.client == client
    assert grant.lifetime > 0


@pytest.mark.parametrize("client", ["client_secret_basic", "client_secret_post"], indirect=True)
def test_a_real_server_rotates_the_refresh_token(iam_server: Any, client: Any) -> None:
    token = iam_server.random_token(iam_server.random_user(), client)
    wanted = settings(
        iam_server, client, grant="refresh_token", refresh_token=Secret(token.refresh_token)
    )
    grant = fetch(wanted)
    assert grant.access_token.reveal() != token.access_token
    assert grant.refresh_token is not None


@pytest.mark.parametrize("client", ["client_secret_basic"], indirect=True)
def test_a_real_server_grants_one_token_to_64_threads_and_64_tasks(
    iam_server: Any, client: Any, router_regions: Any
) -> None:
    regions = router_regions(near=0.0, far=0.001)
    token = settings(iam_server, client)
    config = regions.config(token=token, probe=router.Probe(enabled=False))

    async def tasks(shared: router.Router) -> None:
        async with router.httpx2.AsyncClient(shared) as suspending:
            await asyncio.gather(*(suspending.get("/") for _ in range(64)))

    with (
        router.Router(config) as shared,
        router.Client(shared) as blocking,
        ThreadPoolExecutor(64) as pool,
    ):
        threads = [pool.submit(blocking.get, "/") for _ in range(64)]
        asyncio.run(tasks(shared))
        assert {thread.result(20).status_code for thread in threads} == {200}
    brought = {request.headers["authorization"] for request in regions.received}
    granted = iam_server.backend.query(iam_server.models.Token, client=client)
    assert brought == {f"Bearer {token.access_token}" for token in granted}
    assert (len(brought), len(regions.received)) == (1, 128)


@pytest.mark.parametrize("client", ["client_secret_basic"], indirect=True)
def test_a_real_server_refuses_a_wrong_secret_in_one_sentence(iam_server: Any, client: Any) -> None:
    with pytest.raises(TokenError, match=r"answered 401 \(invalid_client\)$"):
        fetch(settings(iam_server, client, client_secret=Secret("wrong")))
