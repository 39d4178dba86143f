"""The headers of one attempt as they leave: the time, and what is signed together with it.

Rule 1: the time is taken when the wire iterates over the headers, which it does when it writes
        them, not when the attempt begins: a request may wait for a connection for seconds. Measured
        with 1.5 s of waiting: a stamp set earlier arrived 1.4 s old.
Rule 2: a signer that covers the time runs at the same moment.
Rule 3: a signature may stand in the query, so the request's target is made at the same moment too:
        target and headers are of one making, whichever is looked at first.
Rule 4: a wire that looks again at once (HTTP/2 does) gets the same headers. One that looked too
        early, and looks again when they are older than FRESH, gets new ones.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from router.errors import SigningError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import Any

    from router.call import Header, Outgoing
    from router.clock.keeper import Keeper
    from router.clock.reading import Stamp

    Countdown = tuple[bytes, float, Callable[[], float]]
    """A header of the whole milliseconds for which a client still waits: its name, until when, and
    what tells the time, in the same seconds."""

__all__ = ["Departure", "LateUrl", "Signed", "Signer", "Signing"]

FRESH = 0.05
NS = 1e9
HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
QUERY = re.compile(r"[!-~]*", re.ASCII)


@dataclass(frozen=True, slots=True)
class Signing:
    """What a signer sees of an attempt whose headers leave now.

    Attributes:
        endpoint: the endpoint's name.
        method: the request's method.
        url: scheme, host, path and query as they are sent.
        headers: name and value of those so far, the timestamp among them.
        body: the body, or None if it is a stream that can be read only once.
        stamp: the time of this attempt, with its bound.
        region: the endpoint's cloud region, such as `aws:us-east-1`, if it has one.
    """

    endpoint: str
    method: str
    url: str = field(repr=False)
    headers: tuple[tuple[str, str], ...] = field(repr=False)
    body: bytes | None = field(repr=False)
    stamp: Stamp
    region: str | None = None

    @property
    def target(self) -> str:
        """Path and query, as they stand in the request line."""
        return "/" + self.url.partition("://")[2].partition("/")[2]


@dataclass(frozen=True, slots=True)
class Signed:
    """What a signer returns that puts its proof into the query: it replaces the request's."""

    query: str = field(repr=False)
    headers: Iterable[tuple[str, str]] = field(default=(), repr=False)


class Signer(Protocol):
    """Makes the headers that prove a request; it is called for each attempt, and must be quick."""

    def __call__(self, signing: Signing, /) -> Iterable[tuple[str, str]] | Signed:
        """Return headers to add; one of a name that is there already takes its place."""
        ...


class Departure:
    """The headers of one attempt; iterating over it is what takes the time.

    Attributes:
        endpoint: the name of the endpoint that the request goes to.
        asked: boot time in seconds before which the request has surely not left.
        stamp: the time that they carry, or None.
        header: how it is written there, or None.
    """

    __slots__ = (
        "_countdown",
        "_fixed",
        "_keeper",
        "_made",
        "_signer",
        "_target",
        "_told",
        "_unsigned",
        "asked",
        "endpoint",
        "header",
        "stamp",
    )

    def __init__(
        self,
        request: Outgoing,
        keeper: Keeper,
        signer: Signer | None = None,
        countdown: Countdown | None = None,
    ) -> None:
        """Take the place of the request's headers, if there is anything to make.

        It does not keep the request: the two would hold each other until the collector comes by.

        Args:
            request: what is sent.
            keeper: tells the time, and how it is written.
            signer: proves the request.
            countdown: what tells how long its client still waits.
        """
        self._keeper = keeper
        self._signer = signer
        self._countdown = countdown
        self._fixed = request.headers
        self._made: list[Header] = []
        self._target = request.target
        self._told = False
        self.endpoint = request.endpoint.name
        self.stamp: Stamp | None = None
        self.header: Header | None = None
        if signer is not None:
            self._unsigned = request.endpoint, request.method, request.body, request.target
        if keeper.stamper is None and signer is None and countdown is None:
            self.asked = keeper.boottime()
        else:
            self.asked = 0.0
            request.headers = self

    @property
    def signs(self) -> bool:
        """Whether a signer has a say, and so about the target too."""
        return self._signer is not None

    def __iter__(self) -> Iterator[Header]:
        return iter(self.headers())

    def headers(self) -> list[Header]:
        """Return the headers, made now unless they, or the target above them, were made just now.

        Raises:
            ClockError: the clock became too unsure while the request waited for its connection.
            SigningError: the signer failed.
        """
        told, self._told = self._told, False
        if self.stamp is None:
            return self._make()
        if not told:
            self._refresh()
        return self._made

    def target(self) -> bytes:
        """Return path and query; the headers that are looked at next belong to it."""
        self._refresh()
        self._told = True
        return self._target

    def _refresh(self) -> None:
        stamp = self.stamp
        if stamp is None or self._keeper.boottime() - stamp[0] / NS > FRESH:
            self._make()

    def _make(self) -> list[Header]:
        stamp = self.stamp = self._keeper.stamp(self.endpoint)
        self.asked = self.asked or stamp[0] / NS  # the first time counts
        stamper = self._keeper.stamper
        header = self.header = None if stamper is None else stamper.header(stamp)
        made = list(self._fixed) if header is None else [*self._fixed, header]
        if self._countdown is not None:
            name, until, now = self._countdown
            made.append((name, b"%d" % max(0, int((until - now()) * 1e3))))
        if self._signer is not None:
            made = self._signed(made, self._signer)
        self._made = made
        return made

    def _signed(self, headers: list[Header], signer: Signer) -> list[Header]:
        try:
            returned = signer(self._signing(headers))
            query = returned.query if isinstance(returned, Signed) else None
            pairs = list(returned.headers if isinstance(returned, Signed) else returned)
        except SigningError:
            raise
        except Exception as error:
            raise SigningError(
                f"the signer raised {type(error).__name__}, or returned no list: nothing was sent"
            ) from error
        if query is not None:
            path = self._unsigned[3].partition(b"?")[0]
            self._target = path + b"?" + _checked_query(query)
        made = [_checked(pair) for pair in pairs]
        theirs = {name.lower() for name, _ in made}
        return [pair for pair in headers if pair[0].lower() not in theirs] + made

    def _signing(self, headers: list[Header]) -> Signing:
        (endpoint, method, body, target), stamp = self._unsigned, self.stamp
        assert stamp is not None
        origin = endpoint.origin
        return Signing(
            endpoint=self.endpoint,
            method=method,
            url=f"{origin.scheme}://{origin.authority}{target.decode('ascii')}",
            headers=tuple((n.decode("ascii"), v.decode("latin-1")) for n, v in headers),
            body=b"".join(body.stream) if body.replayable else None,
            stamp=stamp,
            region=endpoint.region,
        )


class LateUrl:
    """A core's URL whose target is made when it is written, as the headers are."""

    __slots__ = ("_departure", "host", "origin", "port", "scheme")

    def __init__(self, url: Any, departure: Departure) -> None:
        self._departure = departure
        self.scheme, self.host, self.port = url.scheme, url.host, url.port
        self.origin = url.origin

    @property
    def target(self) -> bytes:
        """Path and query."""
        return self._departure.target()


def _checked_query(query: object) -> bytes:
    if isinstance(query, str) and QUERY.fullmatch(query) and "#" not in query:
        return query.encode("ascii")
    raise SigningError("the signer has to return a query of printable ASCII: nothing was sent")


def _checked(pair: object) -> Header:
    """Return a signer's header as it is sent.

    Raises:
        SigningError: it cannot be sent; the value is not shown.
    """
    match pair:
        case (str() as name, str() as value) if HEADER_NAME.fullmatch(name):
            written = value.encode("latin-1", "replace")
            if (
                name.lower() != "host"
                and written.decode("latin-1") == value
                and value.isprintable()
            ):
                return name.encode("ascii"), written
    raise SigningError(
        "the signer has to return pairs of text, a header's name (other than Host) and a value of "
        "one line: nothing was sent"
    )
