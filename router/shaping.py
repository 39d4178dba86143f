"""How one endpoint's requests differ from what the caller wrote: prepared once per endpoint.

Rule 1: this decides and sends nothing. Each attempt is shaped from the caller's own request, so
        that a failover elsewhere starts anew.
Rule 2: what is not named here stays as it is, byte for byte: other headers and their order, other
        parameters, the rest of the body.
Rule 3: a body is edited where it is JSON, by its Content-Type, and bytes. JSON that is streamed or
        compressed is refused before a byte leaves, since it would go out as another endpoint's.
        What is no JSON has no members, and is left alone.
Rule 4: a model is renamed wherever APIs write its name: in the body's `model`, and in the path
        behind `models/`, `model/` or `deployments/`, up to a colon.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import quote, quote_plus, unquote, unquote_plus

from router.errors import CallerError
from router.jsontext import NotAnObjectError, members, remove_member, set_member, whole
from router.placeholders import fill_path

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence

    from router.endpoint import Endpoint

    Header = tuple[bytes, bytes]

__all__ = ["Content", "Shaped", "Shaping"]

CONTENT_LENGTH = b"content-length"
JSON_TYPE = re.compile(rb"\s*application/(?:[\w.+-]+\+)?json\s*(?:;.*)?", re.IGNORECASE)
IN_PATH = re.compile(rb"(?<=/)(models?|deployments)/([^/?]+)")
SAFE_IN_MODEL = "-._~:@"


class Content:
    """A body of bytes, for threads and for tasks."""

    __slots__ = ("_bytes",)

    def __init__(self, content: bytes) -> None:
        self._bytes = content

    def __iter__(self) -> Iterator[bytes]:
        yield self._bytes

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield self._bytes

    def __len__(self) -> int:
        return len(self._bytes)


@dataclass(frozen=True, slots=True)
class Shaped:
    """A request's target and body at one endpoint; `content` is None where it is the caller's."""

    path: bytes = field(repr=False)
    content: Content | None = field(repr=False)


class Shaping:
    """What one endpoint changes of its requests."""

    __slots__ = ("_headers", "_json", "_models", "_name", "_query", "_remove", "_taken", "_values")

    def __init__(self, endpoint: Endpoint) -> None:
        self._name = endpoint.name
        values = endpoint.values if endpoint.variables else {}
        self._values = {
            name.encode("ascii"): quote(value, safe="").encode("ascii")
            for name, value in values.items()
        }
        self._models = dict(endpoint.models)
        self._json = [(tuple(n.split(".")), value.reveal()) for n, value in endpoint.json]
        self._remove = [tuple(name.split(".")) for name in endpoint.remove.json]
        self._query: dict[str, bytes | None] = dict.fromkeys(endpoint.remove.query)
        for name, value in endpoint.query:
            written = f"{quote_plus(name)}={quote(value.reveal(), safe='-._~')}"
            self._query[name] = written.encode("ascii")
        self._headers = [
            (name.encode("ascii"), value.reveal().encode("ascii"))
            for name, value in endpoint.headers
        ]
        self._taken = frozenset(name.lower() for name, _ in self._headers) | frozenset(
            name.lower().encode("ascii") for name in endpoint.remove.headers
        )

    @property
    def edits_bodies(self) -> bool:
        """Whether a body has to be looked at."""
        return bool(self._json or self._remove or self._models)

    def shaped(
        self, path: bytes, headers: Sequence[Header], content: Callable[[], bytes | None]
    ) -> Shaped:
        """Return target and body at this endpoint; `content` returns the body if it is bytes.

        Raises:
            CallerError: the body is JSON that cannot be edited.
        """
        edited = None
        if self.edits_bodies and _is_json(headers):
            edited = self._edited(headers, content())
        body = None if edited is None else Content(edited)
        return Shaped(self._target(path, self._query), body)

    def headers(self, headers: Sequence[Header], length: int | None) -> list[Header]:
        """Return a request's headers at this endpoint; `length` is that of a body made anew."""
        taken = self._taken if length is None else self._taken | {CONTENT_LENGTH}
        made = [pair for pair in headers if pair[0].lower() not in taken]
        if length is not None:
            made.append((b"Content-Length", b"%d" % length))
        return made + self._headers

    # -- path and query

    def _target(self, path: bytes, values: Mapping[str, bytes | None]) -> bytes:
        before, mark, query = path.partition(b"?")
        if self._values:
            before = fill_path(before, self._values)
        if self._models:
            before = IN_PATH.sub(self._renamed, before)
        if values:
            query = _with_values(query, values)
            mark = b"?" if query else b""
        return before + mark + query

    def target(self, path: str) -> str:
        """Return path and query as they would be sent here, without the values set in the query."""
        hidden = {
            name: pair and pair.partition(b"=")[0] + b"=..." for name, pair in self._query.items()
        }
        return self._target(path.encode("ascii"), hidden).decode("ascii")

    def _renamed(self, found: re.Match[bytes]) -> bytes:
        """Return a path's model under its name here, whole or up to a colon (`:streamContent`)."""
        segment = found[2].decode("latin-1")
        model, colon, verb = segment.rpartition(":")
        for written, rest in ((segment, ""), (model, colon + verb)):
            renamed = self._models.get(unquote(written))
            if renamed is not None:
                return found[1] + f"/{quote(renamed, safe=SAFE_IN_MODEL)}{rest}".encode("latin-1")
        return found[0]

    # -- body

    def _edited(self, headers: Sequence[Header], content: bytes | None) -> bytes | None:
        """Return the body made anew, or None where nothing of it changes."""
        if content is None:
            raise self._refusal("is streamed: give it as bytes")
        if not content:
            return None
        if any(n.lower() == b"content-encoding" and v.strip() for n, v in headers):
            raise self._refusal("is compressed: give it as it is")
        try:
            text = content.decode("utf-8")
            whole(text)
            made = self._with_members(text)
        except UnicodeDecodeError:
            raise self._refusal("is not UTF-8") from None
        except NotAnObjectError:
            raise self._refusal("is no JSON object, or has none where a member belongs") from None
        return None if made == text else made.encode("utf-8")

    def _with_members(self, text: str) -> str:
        if self._models:
            text = self._with_model(text)
        for path in self._remove:
            text = remove_member(text, path)
        for path, value in self._json:
            text = set_member(text, path, value)
        return text

    def _with_model(self, text: str) -> str:
        for member in reversed(members(text)[0]):
            if member.key != "model" or text[member.value] != '"':
                continue
            renamed = self._models.get(json.loads(text[member.value : member.end], strict=False))
            if renamed is not None:
                text = text[: member.value] + json.dumps(renamed) + text[member.end :]
        return text

    def _refusal(self, words: str) -> CallerError:
        return CallerError(
            f"the endpoint {self._name} changes members of JSON bodies, and this one {words}; "
            "nothing was sent there"
        )


def _is_json(headers: Sequence[Header]) -> bool:
    return any(n.lower() == b"content-type" and JSON_TYPE.fullmatch(v) for n, v in headers)


def _with_values(query: bytes, values: Mapping[str, bytes | None]) -> bytes:
    """Return a query with parameters set, where the first of a name stands; None takes them out."""
    waiting = dict(values)
    kept: list[bytes] = []
    for part in query.split(b"&") if query else ():
        name = unquote_plus(part.partition(b"=")[0].decode("latin-1"))
        ours = waiting.pop(name, None) if name in values else part
        if ours is not None:
            kept.append(ours)
    kept += [pair for pair in waiting.values() if pair is not None]
    return b"&".join(kept)
