"""The frozen settings: what `routes.yaml` says, as dataclasses.

Rule 1: settings are data. They check themselves when made, from YAML or from Python alike, and do
        nothing else.
Rule 2: the default is what most users want; where thought is due (a header's name, a token's
        URL) there is none.
Rule 3: a part is handed its own section, never the whole `Config`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import Literal

from router.config.allow import Allow
from router.config.fields import (
    Factor,
    FilePath,
    HeaderName,
    Here,
    Hosts,
    OptionalCount,
    OptionalText,
    Percentile,
    SecretField,
    Servers,
    SkewErrors,
    Statuses,
    Target,
    Text,
)
from router.config.section import Section
from router.config.shaped import shaping_problems
from router.config.signing import SignSettings, sign_problems
from router.config.skew_errors import KNOWN
from router.config.streams import OptionalDuration, Stall
from router.config.timescale import mixture
from router.config.tokens import SigningAlgorithm, TokenUrls, Word, token_problems
from router.endpoint import Endpoint, WireName
from router.errors import ConfigError
from router.rates import Bound, Rates, parse_rates
from router.units import Count, Duration, Flag, PositiveDuration, Share

__all__ = [
    "Allow",
    "Backoff",
    "ClockSettings",
    "Config",
    "Failover",
    "GeoSettings",
    "Hedge",
    "Limits",
    "Precondition",
    "Probe",
    "ShareSettings",
    "SignSettings",
    "TlsSettings",
    "TokenSettings",
]

MOST_ENDPOINTS = 100_000
KEY_NAME = re.compile(r"[A-Za-z0-9._:-]{1,100}")

# Four operators, one timescale (UTC without a leap smear). Polled at most every 64 s.
PUBLIC_SERVERS = ("time.cloudflare.com", "ntp.se", "ptbtime1.ptb.de", "time.nist.gov")


@dataclass(frozen=True, slots=True, kw_only=True)
class GeoSettings(Section):
    """Where this host is, and which database places addresses.

    Attributes:
        database: a GeoLite2-City, GeoLite2-Country or flat mmdb file; never shipped.
        here: this host's place: a cloud region code, an IP address or a Location.
    """

    database: FilePath = None
    here: Here = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockSettings(Section):
    """How the timestamp is kept true, and how it is written on a request.

    Attributes:
        servers: NTP servers, each `host` or `host:port`; an empty list: none is asked.
        timescale: how the servers show a leap second: `utc` as a step, `smeared` spread over a day;
            `auto` knows the public ones and takes others for utc. The two are never mixed.
        max_error: seconds; above it `when_unsure` decides.
        header: the request header that carries the time; none: requests are not stamped.
        format: how the time is written there.
        stamp: `utc` for the true time, `server` for that of the endpoint's own clock, as its
            answers' Date headers tell it.
        when_unsure: stamp and warn, refuse the request, or omit the header.
        skew_errors: answers that say that a timestamp was wrong, each a status and a regular
            expression for the body; such a request is stamped anew and sent once more.
    """

    servers: Servers = PUBLIC_SERVERS
    timescale: Literal["auto", "utc", "smeared"] = "auto"
    max_error: PositiveDuration = 0.5
    header: HeaderName = None
    format: Literal["unix", "unix_ms", "rfc3339", "http_date"] = "unix_ms"
    stamp: Literal["utc", "server"] = "utc"
    when_unsure: Literal["warn", "refuse", "omit"] = "warn"
    skew_errors: SkewErrors = KNOWN

    def check(self) -> None:
        problem = mixture(self.servers, self.timescale)
        if problem is not None:
            raise ConfigError(f"servers: {problem}")


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenSettings(Section):
    """Where the one shared access token comes from (OAuth 2.0, RFC 6749), or which key it is.

    Attributes:
        grant: `client_credentials` or `refresh_token`; `static` for a key that is at hand,
            `callable` for what `Router(token=…)` returns.
        url: the token endpoint, or a list of them in order of preference.
        client_id: the client's public name.
        client_secret: its secret, sent as `auth` says.
        refresh_token: the first one, for the grant of that name; rotated ones are kept in memory.
        scope: words asked for, separated by spaces.
        audience: asked for where the server wants it.
        auth: how the client proves itself: HTTP Basic, fields in the form, or a signed assertion.
        private_key: the key of `private_key_jwt`: a JWK, or PEM whose lines end in backslash n.
        private_key_file: a PEM or JWK file in its place; it is read for each token request.
        key_id: which of the client's keys it is, where the server wants to be told.
        algorithm: how assertions are signed, such as RS256; left out: as the key suggests.
        assertion_audience: whom assertions are for; left out: the token endpoint that is asked.
        file: a file with the static key and nothing else; a change is noticed within a minute, and
            at once where an endpoint answers 401.
        value: the static key itself.
        refresh_before: seconds before expiry at which a new token is fetched in the background.
        timeout: seconds one token request may take, at each of the endpoints.
    """

    grant: Literal["client_credentials", "refresh_token", "static", "callable"] = (
        "client_credentials"
    )
    url: TokenUrls = ()
    client_id: Word = ""
    client_secret: SecretField = None
    refresh_token: SecretField = None
    scope: OptionalText = None
    audience: OptionalText = None
    auth: Literal["client_secret_basic", "client_secret_post", "private_key_jwt"] = (
        "client_secret_basic"
    )
    private_key: SecretField = None
    private_key_file: FilePath = None
    key_id: OptionalText = None
    algorithm: SigningAlgorithm = None
    assertion_audience: OptionalText = None
    file: FilePath = None
    value: SecretField = None
    refresh_before: Duration = 60.0
    timeout: PositiveDuration = 10.0

    @property
    def urls(self) -> tuple[str, ...]:
        """The token endpoints, the preferred one first."""
        return (self.url,) if isinstance(self.url, str) else self.url

    @property
    def sources(self) -> tuple[str, ...]:
        """What a token can come from: the endpoints, or the one place of a key."""
        if self.grant == "static":
            return ("token.value" if self.file is None else str(self.file),)
        return ("Router(token=…)",) if self.grant == "callable" else self.urls

    def check(self) -> None:
        problems = [*token_problems(self)]
        if problems:
            raise ConfigError(*problems)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits(Section):
    """One limit for all regions together.

    Attributes:
        concurrency: requests under way at once, bodies included.
        rate: requests in a time, or a list of rates, each of requests or of another cost, such as
            `{of: tokens, rate: 40000/minute}`; spread by GCRA.
        burst: how many of them may start at once; a tenth of the rate's events by default.
        queue: how many requests may wait; one more is refused at once.
        adaptive: fewer under way when the service refuses (429, 503), more again when it answers;
            never more than `concurrency`.
        learn: hold back when an answer's headers say that less is left than is thought here.
        share: URL of the Redis that shares the limit among processes: short for `share: {url: …}`.
    """

    concurrency: OptionalCount = None
    rate: Rates = ()
    burst: OptionalCount = None
    queue: Count = 10_000
    adaptive: Flag = False
    learn: Flag = True
    share: SecretField = None

    def check(self) -> None:
        bounds = parse_rates(self.rate)
        if self.burst is not None and (len(bounds) > 1 or any(b.burst for b in bounds)):
            raise ConfigError(
                "burst: write it beside the rate that it belongs to: {rate: 20/minute, burst: 2}"
            )

    @property
    def bounds(self) -> tuple[Bound, ...]:
        """The rates, each with its burst."""
        bounds = parse_rates(self.rate)
        if self.burst is None:
            return bounds
        return tuple(replace(bound, burst=self.burst) for bound in bounds)


@dataclass(frozen=True, slots=True, kw_only=True)
class ShareSettings(Section):
    """What makes many processes one: a Redis or Valkey that they all reach.

    Attributes:
        url: `redis://`, `rediss://`, `unix://`, `redis+cluster://` or `redis+sentinel://`; options
            of TLS and others in its query.
        key: a secret text by which tokens are encrypted there; left out: tokens are not shared.
        name: begins all keys: processes with the same name share.
        vantage: processes with the same one share probes and outages; left out: those whose
            `geo.here` is the same, or those of one host.
        lease: seconds after which a process that fell silent loses what it held.
        every: seconds between exchanges while there is traffic; less where the burst is short.
        timeout: seconds that a request may wait for an answer of the store, once.
        processes: how many to assume until the store tells.
    """

    url: SecretField
    key: SecretField = None
    name: Text = "router"
    vantage: OptionalText = None
    lease: PositiveDuration = 1.0
    every: PositiveDuration = 0.1
    timeout: PositiveDuration = 0.05
    processes: Count = 1

    def check(self) -> None:
        if self.url is None:
            raise ConfigError("url: write the URL of a Redis, such as redis://127.0.0.1:6379")
        if not KEY_NAME.fullmatch(self.name):
            raise ConfigError("name: write letters, digits, dots and dashes")


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe(Section):
    """How endpoints are measured in the background; no credentials are sent.

    Attributes:
        path: what is asked for, put behind the endpoint's own path.
        method: HEAD, or GET where the server does not know HEAD.
        every: seconds between looks at the schedule; not every endpoint is probed each time.
        timeout: seconds for one probe, from name lookup to the last byte.
        enabled: false leaves ranking to the prior and to live traffic.
    """

    path: Target = "/"
    method: Literal["HEAD", "GET"] = "HEAD"
    every: PositiveDuration = 10.0
    timeout: PositiveDuration = 2.0
    enabled: Flag = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Backoff(Section):
    """Full-jitter exponential backoff: a random wait up to base times factor^n, at most cap.

    Attributes:
        base: seconds of the longest first wait.
        factor: how much longer each further wait may be.
        cap: seconds that no wait exceeds.
    """

    base: PositiveDuration = 1.0
    factor: Factor = 2.0
    cap: PositiveDuration = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Hedge(Section):
    """A second request when the first is late; only for what may be sent twice.

    Attributes:
        after: the percentile of answer times, such as p95, after which an answer is late. It is
            learned from traffic, against what was expected of each endpoint.
        at_most: the share of requests that may be sent twice.
    """

    after: Percentile = 0.95
    at_most: Share = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Precondition(Section):
    """What is looked at when a server answers 428 Precondition Required, before one more try.

    Attributes:
        request_id: the header that has to carry an id; where the caller sets none, one is made.
        max_age: seconds that a conversation may last; who begins it says when (`Options`).
        wait: seconds before the second try; it comes after this time to twice as much.
    """

    request_id: HeaderName = "X-Request-Id"
    max_age: PositiveDuration = 7 * 86400.0
    wait: PositiveDuration = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Failover(Section):
    """When and how a request is tried again.

    Attributes:
        attempts: how many tries one request has; above 2 it goes beyond what RFC 9110 9.2.2 asks
            of clients, so that one bad region more costs nobody an error; the budget bounds it.
        repeat: what may be repeated: `safe` (idempotent methods, keyed requests, what was never
            sent), `rejected` (also what the server says it did not process), `always`.
        statuses: what a status means where this API differs from others: `delivered` (the caller's
            to read), `rejected` (not processed), `failed` (perhaps processed).
        retry_budget: tokens for further attempts, all requests together: a success gives 1, a retry
            or a hedge takes 14, one of what was refused or never sent 5, one while every endpoint
            fails alike 100. It grows with the traffic.
        precondition: what is looked at before a request is repeated after a 428.
        backoff: the wait when no other endpoint can take the request now.
        attempt_timeout: seconds one try may take to its response headers.
        connect_timeout: seconds of these for the connection.
        deadline: seconds for the request as a whole: to the last byte of an answer that is read at
            once, to the headers of one that is streamed.
        deadline_header: a header that tells the server how many milliseconds are left.
        stall: when a streamed body that is silent is given up: `auto` learns what is usual, `off`
            leaves it to the read timeout.
        stream_deadline: seconds for a streamed body as a whole, after its headers; left out: none.
        hedge: a second request when the first is late.
        standby: whether a connection to the next best endpoint is kept open, by what probes ask.
        eject_after: failures in a row that take an endpoint out of the choice.
        eject_for: seconds of the first ejection; each further one doubles it.
        eject_cap: seconds of the longest ejection.
    """

    attempts: Count = 5
    repeat: Literal["safe", "rejected", "always"] = "rejected"
    statuses: Statuses = ()
    retry_budget: Count = 500
    precondition: Precondition = field(default_factory=Precondition)
    backoff: Backoff = field(default_factory=Backoff)
    attempt_timeout: PositiveDuration = 10.0
    connect_timeout: PositiveDuration = 5.0
    deadline: PositiveDuration = 30.0
    deadline_header: HeaderName = None
    stall: Stall = "auto"
    stream_deadline: OptionalDuration = None
    hedge: Hedge | None = None
    standby: Flag = True
    eject_after: Count = 5
    eject_for: PositiveDuration = 5.0
    eject_cap: PositiveDuration = 300.0


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsSettings(Section):
    """Whom to trust.

    Attributes:
        ca: a PEM file of certificate authorities, in place of the system's.
        cert: a PEM file with this client's certificate, for mutual TLS.
        key: its private key, where it is not in the same file.
    """

    ca: FilePath = None
    cert: FilePath = None
    key: FilePath = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Config(Section):
    """A whole configuration; an endpoint may be given as its URL alone.

    Attributes:
        version: of this file's format.
        endpoints: where the API is served: at least one URL, or keys for each.
        hosts: other host names whose requests are routed, such as an SDK's default host.
        allow: which endpoints any request may use, such as those in one jurisdiction.
        geo: where this host is, and which database places addresses.
        clock: how requests are stamped with the time; left out: they are not stamped.
        token: where the shared access token comes from; left out: none is sent.
        sign: what else proves a request: a key in a header, or a signature; left out: nothing.
        limits: one limit for all regions together.
        share: what processes share over Redis; left out: each is for itself.
        probe: how endpoints are measured.
        failover: when and how a request is tried again.
        tls: whom to trust.
        http2: speak HTTP/2 with https endpoints that offer it; needs `region-router[http2]`.
        wire: what requests go over: `httpx` is the core of the caller's library, `aiohttp` the
            faster one over HTTP/1.1, `auto` the fastest that can serve.
    """

    version: Literal[1] = 1
    endpoints: tuple[Endpoint, ...]
    hosts: Hosts = ()
    allow: Allow = field(default_factory=Allow)
    geo: GeoSettings = field(default_factory=GeoSettings)
    clock: ClockSettings | None = None
    token: TokenSettings | None = None
    sign: SignSettings | None = None
    limits: Limits = field(default_factory=Limits)
    share: ShareSettings | None = None
    probe: Probe = field(default_factory=Probe)
    failover: Failover = field(default_factory=Failover)
    tls: TlsSettings = field(default_factory=TlsSettings)
    http2: Flag = False
    wire: WireName = "auto"

    def __post_init__(self) -> None:
        made = tuple(Endpoint(url=e) if isinstance(e, str) else e for e in self.endpoints)
        object.__setattr__(self, "endpoints", made)
        Section.__post_init__(self)  # super() does not find a class remade with slots

    def check(self) -> None:
        if not self.endpoints:
            raise ConfigError("endpoints: list at least one, such as - https://eu.api.example.com")
        if len(self.endpoints) > MOST_ENDPOINTS:
            raise ConfigError(f"endpoints: at most {MOST_ENDPOINTS}")
        problems = [*_same_names(self.endpoints), *self.allow.problems(self.endpoints)]
        problems += shaping_problems(self)
        if self.limits.share is not None and self.share is not None:
            problems.append("limits.share: it is short for share.url: leave one of the two out")
        problems += sign_problems(self)
        problems += _wires_without_http2(self)
        if problems:
            raise ConfigError(*problems)

    @property
    def asks_for_aiohttp(self) -> bool:
        """Whether any request has to go over aiohttp."""
        return "aiohttp" in {self.wire, *(endpoint.wire for endpoint in self.endpoints)}

    @property
    def shared(self) -> ShareSettings | None:
        """What processes share, in either form."""
        if self.limits.share is not None:
            return ShareSettings(url=self.limits.share)
        return self.share


def _wires_without_http2(config: Config) -> list[str]:
    if not config.http2:
        return []
    wires = {"wire": config.wire}
    for index, endpoint in enumerate(config.endpoints):
        wires[f"endpoints.{index}.wire"] = endpoint.wire or "auto"
    places = [place for place, wire in wires.items() if wire == "aiohttp"]
    said = "aiohttp speaks HTTP/1.1 alone: leave it out, or http2"
    return [f"{place}: {said}" for place in places]


def _same_names(endpoints: tuple[Endpoint, ...]) -> list[str]:
    seen: set[str] = set()
    problems = []
    for index, endpoint in enumerate(endpoints):
        if endpoint.name in seen:
            problems.append(
                f"endpoints.{index}.name: another endpoint has this name: "
                "give each a name of its own"
            )
        seen.add(endpoint.name)
    return problems
