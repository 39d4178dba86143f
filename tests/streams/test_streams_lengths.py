"""The rest of a download is as long as was asked for: another length is no whole body."""

from __future__ import annotations

from typing import Any

import pytest
from stream_readers import KINDS, read
from stream_servers import CUT, LAST_CHUNK, Asked, Servers, chunked, head

import router
from router.errors import StreamBrokenError

DATA = b"0123456789"
BEGUN = [head(ETag='"v"', Content_Length="10"), DATA[:5], CUT]
EVIL = b"56789EVILEVILEVILEVI"
SPAN: dict[str, str] = {"ETag": '"v"', "Content_Range": "bytes 5-9/10"}
IN_CHUNKS = {**SPAN, "Transfer_Encoding": "chunked"}


@pytest.mark.parametrize("kind", KINDS, ids="-".join)
@pytest.mark.parametrize(
    ("rest", "delivered"),
    [
        ([head(206, **SPAN), b"5"], 6),
        ([head(206, **IN_CHUNKS), chunked(b"5"), LAST_CHUNK], 6),
        ([head(206, **SPAN, Content_Length="20"), EVIL], 5),
        ([head(206, **SPAN, Content_Length="2"), b"56"], 7),
        ([head(206, **IN_CHUNKS), chunked(EVIL), LAST_CHUNK], 5),
    ],
    ids=["short to its end", "short in chunks", "long", "short", "long in chunks"],
)
def test_a_rest_of_another_length_is_no_whole_body(
    kind: tuple[str, str], rest: list[Any], delivered: int
) -> None:
    def serve(asked: Asked) -> list[Any]:
        return rest if "range" in asked.headers else BEGUN

    with Servers("a") as servers:
        servers.serve = serve
        failover = router.Failover(attempts=2, backoff=router.Backoff(base=0.001, cap=0.001))
        options = router.Options(resume="range")
        got = read(kind, servers.config(failover=failover), options=options)
    assert isinstance(got.error, StreamBrokenError)
    assert (got.body, got.error.delivered) == (DATA[:delivered], delivered)
    assert got.idle
