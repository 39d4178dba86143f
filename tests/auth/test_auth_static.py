"""Static keys through a whole router: a file that changes, the user's own code, a value."""

from __future__ import annotations

import asyncio
import math
import os
import time
from typing import TYPE_CHECKING, Any

import pytest

import router
from router.auth import Grant
from router.auth.static import Asked, KeyFile, KeyValue
from router.config.settings import TokenSettings
from router.testing import Received, Regions, Reply

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

QUIET = router.Probe(enabled=False)
CALLABLE = TokenSettings(grant="callable", timeout=0.2)
FORM: Any = None


class Doors:
    """A region that lets in whoever brings the present key."""

    def __init__(self, regions: Regions) -> None:
        self.regions = regions
        self.key = "first"
        regions["only"].respond = self.answer

    def answer(self, request: Received) -> Reply:
        right = request.headers.get("authorization") == f"Bearer {self.key}"
        return Reply(200 if right else 401)

    def config(self, **token: Any) -> router.Config:
        made = TokenSettings(grant="static", **token) if token else None
        return self.regions.config(probe=QUIET, token=made)


@pytest.fixture
def doors() -> Iterator[Doors]:
    with Regions(only=0.0) as regions:
        yield Doors(regions)


def test_a_key_that_changes_in_its_file_is_taken_up_at_the_first_401(
    doors: Doors, tmp_path: Path
) -> None:
    file = tmp_path / "key"
    file.write_text("first\n")
    with router.Client(doors.config(file=file)) as client:
        assert client.get("/").status_code == 200
        doors.key = "second"
        swapped = tmp_path / "new"
        swapped.write_text("second\n")
        swapped.replace(file)
        assert client.get("/").status_code == 200
        assert len(doors.regions.received) == 3
        file.unlink()
        doors.key = "third"
        time.sleep(1.05)  # a second rejection within a second is not believed
        assert client.get("/").status_code == 401
        doors.key = "second"
        assert client.get("/").status_code == 200  # the old key is all there is, and it serves


@pytest.mark.parametrize("kind", ["text", "secret", "grant", "coroutine", "async function"])
def test_the_users_own_code_brings_the_token(doors: Doors, kind: str) -> None:
    async def later() -> str:
        await asyncio.sleep(0)
        return "first"

    sources: dict[str, Any] = {
        "text": lambda: "first",
        "secret": lambda: router.Secret("first"),
        "grant": lambda: Grant(router.Secret("first"), 60.0),
        "coroutine": lambda: asyncio.sleep(0, "first"),
        "async function": later,
    }
    with (
        router.Router(doors.config(), token=sources[kind]) as shared,
        router.Client(shared, headers={"Authorization": "old"}) as client,
    ):
        assert client.get("/").status_code == 200


def hush() -> str:
    raise ValueError("planted")


def late() -> str:
    time.sleep(0.5)
    return "late"


@pytest.mark.parametrize(
    ("source", "words"),
    [
        (hush, r"^Router\(token=…\) raised ValueError$"),
        (late, r"^Router\(token=…\) returned nothing within 0\.2 s$"),
        (lambda: None, r"^Router\(token=…\) returned no text, Secret or Grant$"),
        (lambda: b"planted", r"^Router\(token=…\) returned no text, Secret or Grant$"),
        (lambda: "", r"^what Router\(token=…\) returned is empty$"),
        (lambda: "planted\r\nX: y", r"no header can carry$"),
        (lambda: Grant("planted\r\nX: y"), r"no header can carry$"),  # type: ignore[arg-type]
        (lambda: Grant(router.Secret("planted\r\nX: y")), r"no header can carry$"),
        (lambda: Grant(b"planted"), r"no text, Secret or Grant$"),  # type: ignore[arg-type]
        (lambda: Grant(router.Secret("planted"), math.nan), r"lifetime is no number of seconds$"),
        (lambda: Grant(router.Secret("planted"), "9"), r"no number of seconds$"),  # type: ignore[arg-type]
    ],
)
def test_user_code_that_fails_is_one_sentence_without_its_words(source: Any, words: str) -> None:
    with pytest.raises(router.TokenError, match=words) as caught:
        asyncio.run(Asked(source, CALLABLE)(FORM))
    assert "planted" not in str(caught.value)
    assert caught.value.__context__ is None


def test_a_grant_of_a_plain_text_is_taken_as_one_of_a_secret() -> None:
    async def source() -> Grant:
        return Grant("planted", 30)  # type: ignore[arg-type]  # as users write it

    grant = asyncio.run(Asked(source, CALLABLE)(FORM))
    assert (grant.access_token.reveal(), grant.lifetime) == ("planted", 30)
    assert "planted" not in repr(grant)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is empty"),
        (b"\n", "is empty"),
        (b"two\nlines planted", "no header can carry"),
        (b"\xff\xfe planted", "is not UTF-8 text"),
        (b"planted" * 20_000, "is larger than 65536 bytes"),
        (None, "cannot be read"),
    ],
)
def test_a_file_without_a_key_is_one_sentence(
    content: bytes | None, words: str, tmp_path: Path
) -> None:
    file = tmp_path / "key"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(router.TokenError, match=words) as caught:
        asyncio.run(KeyFile(file)(FORM))
    assert "planted" not in str(caught.value)
    assert caught.value.__context__ is None


def test_a_directory_and_a_pipe_in_the_file_s_place_hang_nobody(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for path in (tmp_path, pipe):
        with pytest.raises(router.TokenError, match="is not a file"):
            asyncio.run(KeyFile(path)(FORM))


def test_a_value_is_sent_as_it_is(doors: Doors) -> None:
    with router.Client(doors.config(value=router.Secret("first"))) as client:
        assert client.get("/").status_code == 200
    with pytest.raises(router.TokenError, match=r"^token\.value has characters"):
        asyncio.run(KeyValue(router.Secret("é"))(FORM))


@pytest.mark.parametrize(
    ("section", "source"),
    [
        (TokenSettings(grant="callable"), None),
        (TokenSettings(grant="static", value=router.Secret("x")), lambda: "y"),
    ],
)
def test_a_callable_and_its_section_belong_together(section: TokenSettings, source: Any) -> None:
    config = router.Config(endpoints=(router.Endpoint(url="https://a.example"),), token=section)
    with pytest.raises(router.ConfigError, match=r"^token\.grant: .*Router\(token=…\)"):
        router.Router(config, token=source)
