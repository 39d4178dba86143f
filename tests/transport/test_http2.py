"""HTTP/2, where an endpoint offers it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
import trustme
from h2_peer import http2_server

import router

if TYPE_CHECKING:
    from pathlib import Path

CLIENTS: dict[str, Any] = {"httpx": router.AsyncClient, "httpx2": router.httpx2.AsyncClient}


@pytest.mark.parametrize("family", CLIENTS)
def test_cancelled_requests_do_not_use_up_the_streams_of_a_connection(
    family: str, tmp_path: Path
) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))

    async def main(config: router.Config) -> list[int]:
        async with CLIENTS[family](config) as client:
            (await client.get("/")).raise_for_status()
            for _ in range(2):
                tasks = [asyncio.create_task(client.get("/")) for _ in range(5)]
                await asyncio.sleep(0.05)
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
            answers = await asyncio.gather(*(client.get("/") for _ in range(10)))
            return [answer.status_code for answer in answers]

    with http2_server(authority, latency=0.1, streams=5) as server:
        config = router.Config(
            endpoints=(router.Endpoint(url=server.url, address="127.0.0.1"),),
            http2=True,
            probe=router.Probe(enabled=False),
            tls=router.TlsSettings(ca=tmp_path / "ca.pem"),
        )
        assert asyncio.run(main(config)) == [200] * 10


def test_without_h2_installed_http2_is_refused_in_a_sentence(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    config = router.Config(endpoints=(router.Endpoint(url="https://a.test"),), http2=True)
    with pytest.raises(router.ConfigError, match=r"http2: .* pip install 'region-router\[http2\]'"):
        router.Router(config)
