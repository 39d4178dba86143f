"""Over HTTP/2 too a body that is not whole is an error of the caller's family."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import h2_peer
import pytest
import trustme
from h2.errors import ErrorCodes
from h2_peer import http2_server
from stream_readers import HTTP, KINDS, read

import router
from router.errors import StreamBrokenError

if TYPE_CHECKING:
    from pathlib import Path

    import h2.connection
    import h2.events


class Breaking(h2_peer.Http2Server):
    """Answers with 10 of 100 bytes, and ends that as `how` says."""

    how = "reset"

    async def _answer(
        self,
        connection: h2.connection.H2Connection,
        writer: asyncio.StreamWriter,
        event: h2.events.RequestReceived,
    ) -> None:
        stream = event.stream_id
        assert stream is not None
        connection.send_headers(stream, [(":status", "200"), ("content-length", "100")])
        connection.send_data(stream, b"x" * 10)
        writer.write(connection.data_to_send())
        await asyncio.sleep(0.05)  # the client has read the head by then
        if self.how == "reset":
            connection.reset_stream(stream, ErrorCodes.INTERNAL_ERROR)
        elif self.how == "short":
            connection.end_stream(stream)
        writer.write(connection.data_to_send())
        if self.how == "cut":
            writer.close()


@pytest.mark.parametrize("kind", KINDS, ids="-".join)
@pytest.mark.parametrize("how", ["reset", "cut", "short"])
def test_a_body_that_is_not_whole_is_an_error(
    kind: tuple[str, str], how: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(h2_peer, "Http2Server", Breaking)
    monkeypatch.setattr(Breaking, "how", how)
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    with http2_server(authority, latency=0.0, streams=5) as server:
        config: Any = router.Config(
            endpoints=(router.Endpoint(url=server.url, address="127.0.0.1", name="a"),),
            http2=True,
            probe=router.Probe(enabled=False),
            tls=router.TlsSettings(ca=tmp_path / "ca.pem"),
        )
        got = read(kind, config)
    assert got.body == b"x" * 10
    assert isinstance(got.error, StreamBrokenError)
    assert isinstance(got.error, HTTP[kind[1]].ProtocolError)
    assert got.error.delivered == 10
    assert got.idle
