"""The values everything else speaks of: Endpoint, Region, Location.

Rule: values are frozen and know no state; what changes about an endpoint lives in `balance.pool`.
"""

from __future__ import annotations

import functools
import ipaddress
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, TypeAlias
from urllib.parse import urlsplit

from router.errors import ConfigError
from router.overrides import NOTHING, Headers, Json, Models, Query, Remove, VariablesField
from router.placeholders import fill_url, has_placeholder, names_in
from router.rates import OwnLimits
from router.units import Count, Flag, Parsed, parse_fields

if TYPE_CHECKING:
    from router.shaping import Shaping

__all__ = ["Endpoint", "Location", "Origin", "Reach", "Region", "WireName", "parse_origin"]

WireName: TypeAlias = Literal["auto", "httpx", "aiohttp"]
"""What requests go over: the fastest that can do what is asked, the library's core, or aiohttp."""

Reach: TypeAlias = tuple[str | None, str | None]
"""What a token is good for: an audience and a scope, each None where the settings' own holds."""

DEFAULT_PORTS = {"http": 80, "https": 443}
HIGHEST_PORT = 65535
HOST = re.compile(r"[a-z0-9]([a-z0-9._-]*[a-z0-9])?\.?")
NAME = re.compile(r"[^\s\x00-\x1f\x7f]{1,100}")


@dataclass(frozen=True, slots=True)
class Location:
    """A place on Earth in degrees, known to `accuracy_km` kilometres."""

    latitude: float
    longitude: float
    accuracy_km: float = 0.0

    def __post_init__(self) -> None:
        if not (-90 <= self.latitude <= 90 and -180 <= self.longitude <= 180):  # noqa: PLR2004
            raise ValueError("a location is [latitude -90…90, longitude -180…180] in degrees")


@dataclass(frozen=True, slots=True)
class Region:
    """A cloud provider's region: its code, such as `aws:eu-central-1`, its city and its place."""

    code: str
    city: str
    location: Location


@dataclass(frozen=True, slots=True)
class Origin:
    """Where an endpoint's URL points: scheme, ASCII host, port, and the path all requests share."""

    scheme: str
    host: str
    port: int
    base_path: str

    @property
    def authority(self) -> str:
        """Return the Host header: the port only where it is not the scheme's own."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == DEFAULT_PORTS[self.scheme] else f"{host}:{self.port}"

    def __str__(self) -> str:
        return f"{self.scheme}://{self.authority}{self.base_path}"


def parse_origin(url: object) -> Origin:
    """Take an endpoint's URL apart.

    Raises:
        ValueError: it has no http(s) scheme or host, or carries credentials, a query, a fragment
            or an impossible port. The URL itself is not quoted, since it may hold a password.
    """
    if not isinstance(url, str) or not url.isprintable() or " " in url:
        raise ValueError("write a URL as https://eu.api.example.com/v1")
    try:
        parts = urlsplit(url)
    except ValueError:
        raise ValueError("the URL cannot be parsed: check its brackets") from None
    if parts.scheme not in DEFAULT_PORTS:
        raise ValueError("a URL starts with https:// or http://")
    if parts.username is not None or parts.password is not None:
        raise ValueError("take the credentials out of the URL and put them under token:")
    if "?" in url or "#" in url:
        raise ValueError("an endpoint's URL has no query and no fragment: put them on the request")
    path = parts.path.rstrip("/")
    if not path.isascii():
        raise ValueError("write the URL's path percent-encoded")
    return Origin(parts.scheme, _host(parts.hostname), _port(parts), path)


def _host(name: str | None) -> str:
    if not name:
        raise ValueError("the URL has no host: write https://eu.api.example.com/v1")
    try:
        return ipaddress.ip_address(name).compressed
    except ValueError:
        pass
    try:
        host = name if name.isascii() else name.encode("idna").decode()
    except UnicodeError:
        host = ""
    if not HOST.fullmatch(host):
        raise ValueError("the URL's host is not a host name or an IP address")
    return host


def _port(parts: Any) -> int:
    try:
        port = parts.port
    except ValueError:
        port = 0
    if port is None:
        return DEFAULT_PORTS[parts.scheme]
    if not 1 <= port <= HIGHEST_PORT:
        raise ValueError(f"a port lies between 1 and {HIGHEST_PORT}")
    return int(port)


def _parse_url(value: object) -> str:
    if isinstance(value, str) and has_placeholder(value):
        return value  # it is filled when its values are known
    return str(parse_origin(value))


def _parse_name(value: object) -> str:
    if not isinstance(value, str) or (value and not NAME.fullmatch(value)):
        raise ValueError("a name is 1 to 100 characters without spaces")
    return value


def _parse_region(value: object) -> str | None:
    if value is None or (isinstance(value, str) and re.fullmatch(r"[a-z]+:[a-z0-9-]+", value)):
        return value
    raise ValueError("write a region with its cloud, such as aws:eu-central-1")


def _parse_location(value: object) -> Location | None:
    if value is None or isinstance(value, Location):
        return value
    if isinstance(value, list | tuple) and len(value) == 2:  # noqa: PLR2004 - a pair
        numbers = [v for v in value if isinstance(v, int | float) and not isinstance(v, bool)]
        if len(numbers) == len(value):
            return Location(float(numbers[0]), float(numbers[1]))
    raise ValueError("write a location as [latitude, longitude] in degrees, such as [50.1, 8.7]")


def _parse_tags(value: object) -> tuple[str, ...]:
    if isinstance(value, list | tuple) and all(isinstance(tag, str) and tag for tag in value):
        return tuple(dict.fromkeys(value))
    raise ValueError("write tags as a list of words, such as [eu, gpu]")


def _parse_words(value: object) -> str | None:
    if value is None or (isinstance(value, str) and value and value.isprintable()):
        return value
    raise ValueError("write printable text, or leave the key out")


def _parse_address(value: object) -> str | None:
    if value is None:
        return None
    try:
        return ipaddress.ip_address(str(value)).compressed
    except ValueError:
        raise ValueError("write an IP address, such as 192.0.2.10") from None


def _parse_weight(value: object) -> float:
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 < value <= 1000:  # noqa: PLR2004
        return float(value)
    raise ValueError("a weight is a number over 0, at most 1000")


_PAIR = (
    ("type", "array"),
    ("items", {"type": "number"}),
    ("minItems", 2),
    ("maxItems", 2),
    ("description", "[latitude, longitude] in degrees"),
)
_WORDS = (("type", "array"), ("items", {"type": "string"}))


@dataclass(frozen=True, kw_only=True)
class Endpoint:
    """One place where the API is served; `name` defaults to the URL's host.

    Attributes:
        name: unique word for logs, rankings and drain.
        url: base URL; every request's path is put behind its path.
        region: cloud region code, looked up in the catalogue for the endpoint's place.
        location: the place in degrees, where no region code says it.
        tier: 1 is used first; a higher tier serves when no lower one can.
        tags: words for constraints, such as a jurisdiction.
        weight: how much it is favoured: its cost is divided by this.
        address: connect to this IP address instead of resolving the host; Host and TLS name stay.
        anycast: one address answers in many places, so no place is expected of it.
        repeat: what may be repeated of what was sent here, in place of `failover.repeat`.
        audience: whom its access token is for, in place of `token.audience`.
        scope: what its access token may do, in place of `token.scope`.
        limits: what it takes of its own, such as {concurrency: 10, rate: 50/s}; at its limit it is
            passed over, unless all are.
        variables: what stands for placeholders such as {project}, in the url and in the paths of
            requests; {region} is the region code without its cloud unless it is given here.
        headers: set on each request that is sent here, in place of the caller's of that name.
        query: parameters set on each request that is sent here.
        json: members set in each JSON body that is sent here; dots lead into objects.
        models: what models are called here, such as {gpt-4o: my-deployment}.
        remove: what is taken out of requests, by its kind, such as {headers: [X-Debug]}.
        wire: what its requests go over, in place of the configuration's own `wire`.
    """

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    url: Annotated[str, Parsed(_parse_url, (("type", "string"), ("format", "uri-template")))]
    name: Annotated[str, Parsed(_parse_name)] = ""
    region: Annotated[str | None, Parsed(_parse_region)] = None
    location: Annotated[Location | None, Parsed(_parse_location, _PAIR)] = None
    tier: Count = 1
    tags: Annotated[tuple[str, ...], Parsed(_parse_tags, _WORDS)] = ()
    weight: Annotated[float, Parsed(_parse_weight, (("type", "number"),))] = 1.0
    address: Annotated[str | None, Parsed(_parse_address)] = None
    anycast: Flag = False
    repeat: Literal["safe", "rejected", "always"] | None = None
    audience: Annotated[str | None, Parsed(_parse_words)] = None
    scope: Annotated[str | None, Parsed(_parse_words)] = None
    limits: OwnLimits = None
    variables: VariablesField = ()
    headers: Headers = ()
    query: Query = ()
    json: Json = ()
    models: Models = ()
    remove: Remove = NOTHING
    wire: WireName | None = None

    def __post_init__(self) -> None:
        parse_fields(self)
        if has_placeholder(self.url):
            self._fill_url()
        if not self.name:
            object.__setattr__(self, "name", self.origin.authority)

    def _fill_url(self) -> None:
        values = self.values
        try:
            url = str(parse_origin(fill_url(self.url, values)))
        except ValueError as error:
            raise ConfigError(f"url: {error}") from None
        used = {name: values[name] for name in names_in(self.url)}
        object.__setattr__(self, "url", url)
        object.__setattr__(
            self, "variables", tuple(sorted({**used, **dict(self.variables)}.items()))
        )

    @property
    def values(self) -> dict[str, str]:
        """What placeholders stand for."""
        region = {} if self.region is None else {"region": self.region.partition(":")[2]}
        return {**region, **dict(self.variables)}

    @functools.cached_property
    def shaping(self) -> Shaping | None:
        """How its requests are shaped, prepared once; None: they are sent as they are."""
        shapes = (self.headers, self.query, self.json, self.models, self.remove, self.variables)
        if not any(shapes):
            return None
        from router.shaping import Shaping  # noqa: PLC0415 - few endpoints need it

        return Shaping(self)

    @functools.cached_property
    def origin(self) -> Origin:
        """The URL's parts, parsed once."""
        return parse_origin(self.url)

    @functools.cached_property
    def host_header(self) -> tuple[bytes, bytes]:
        """The Host header, as it is sent."""
        return b"Host", self.origin.authority.encode("ascii")

    @functools.cached_property
    def base_path(self) -> bytes:
        """The path that all its requests share, as it is sent."""
        return self.origin.base_path.encode("ascii")

    @functools.cached_property
    def reach(self) -> Reach:
        """What its access token has to be good for: endpoints of one reach share a token."""
        return self.audience, self.scope

    @functools.cached_property
    def server(self) -> tuple[str, str, int, str | None]:
        """Which server stands behind it: scheme, host, port, and the address if it is set."""
        origin = self.origin
        return origin.scheme, origin.host, origin.port, self.address
