"""Which NTP servers may be asked together, as to leap seconds."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from router.config.settings import PUBLIC_SERVERS, ClockSettings
from router.config.timescale import kind_of, mixture
from router.errors import ConfigError

if TYPE_CHECKING:
    from router.config.timescale import Timescale

KINDS = [
    ("time.google.com", "24 hours"),
    ("time4.google.com:123", "24 hours"),
    ("TIME.Google.COM.", "24 hours"),
    ("216.239.35.12", "24 hours"),
    ("169.254.169.123", "24 hours"),
    ("fd00:ec2::123", "24 hours"),
    ("[fd00:0ec2:0:0::0123]:123", "24 hours"),
    ("time.aws.com", "24 hours"),
    ("time5.facebook.com", "17 hours"),
    ("time.cloudflare.com", "utc"),
    ("pool.ntp.org", "utc"),
    ("2.de.pool.ntp.org", "utc"),
    ("ptbtime1.ptb.de", "utc"),
    ("time-a-g.nist.gov:123", "utc"),
    ("notpool.ntp.org", None),
    ("time.google.com.example.net", None),
    ("evil-time.google.com", None),
    ("169.254.169.12", None),
    ("ntp.example.net:1123", None),
]


@pytest.mark.parametrize(("server", "kind"), KINDS)
def test_a_server_is_known_by_its_exact_name_or_zone(server: str, kind: str | None) -> None:
    assert kind_of(server) == kind


GOOGLE, AWS, META = "time.google.com", "time.aws.com", "time.facebook.com"
PLAIN, POOL, OWN, OTHER = "time.cloudflare.com", "pool.ntp.org", "ntp.lan", "10.0.0.1:1123"

GOOD: list[tuple[Timescale, list[str]]] = [
    ("auto", []),
    ("auto", [GOOGLE, AWS, "169.254.169.123"]),
    ("auto", [META, "time1.facebook.com"]),
    ("auto", [PLAIN, POOL, OWN]),
    ("auto", [OWN, OTHER]),
    ("utc", [PLAIN, OWN]),
    ("smeared", [GOOGLE, OWN]),
    ("smeared", [OWN, OTHER]),
    ("auto", list(PUBLIC_SERVERS)),
    ("utc", list(PUBLIC_SERVERS)),
]


@pytest.mark.parametrize(("timescale", "servers"), GOOD)
def test_servers_of_one_timescale_go_together(timescale: Timescale, servers: list[str]) -> None:
    assert mixture(servers, timescale) is None


BAD: list[tuple[Timescale, list[str], str]] = [
    (
        "auto",
        [GOOGLE, PLAIN],
        (
            "time.google.com spreads a leap second over 24 hours, and time.cloudflare.com does "
            "not: near a leap second they differ by half a second, so ask servers of one kind"
        ),
    ),
    (
        "auto",
        [PLAIN, GOOGLE, OWN, AWS],
        (
            "time.google.com and time.aws.com spread a leap second over 24 hours, and "
            "time.cloudflare.com does not: near a leap second they differ by half a second, "
            "so ask servers of one kind"
        ),
    ),
    (
        "auto",
        [GOOGLE, OWN],
        (
            "time.google.com spreads a leap second over 24 hours, and ntp.lan may not: ask "
            "servers of one kind, or, if it does as well, set timescale to smeared"
        ),
    ),
    (
        "auto",
        [GOOGLE, OWN, OTHER],
        (
            "time.google.com spreads a leap second over 24 hours, and ntp.lan and 10.0.0.1:1123 "
            "may not: ask servers of one kind, or, if they do as well, set timescale to smeared"
        ),
    ),
    (
        "utc",
        [GOOGLE, META, OWN],
        (
            "time.google.com spreads a leap second over 24 hours; time.facebook.com spreads a leap "
            "second over 17 hours, and timescale is utc: leave these out, or ask smeared servers "
            "alone and set timescale to smeared"
        ),
    ),
    (
        "smeared",
        [GOOGLE, PLAIN, POOL],
        (
            "time.cloudflare.com and pool.ntp.org show a leap second as a step, and timescale is "
            "smeared: leave these out, or set timescale to utc"
        ),
    ),
    (
        "smeared",
        [GOOGLE, META],
        (
            "time.google.com spreads a leap second over 24 hours; time.facebook.com spreads a leap "
            "second over 17 hours: near a leap second they differ, so keep to one of these groups"
        ),
    ),
]


@pytest.mark.parametrize(("timescale", "servers", "sentence"), BAD)
def test_a_mixture_is_refused_and_the_sentence_says_what_to_write(
    timescale: Timescale, servers: list[str], sentence: str
) -> None:
    assert mixture(servers, timescale) == sentence


def test_the_settings_refuse_a_mixture() -> None:
    with pytest.raises(ConfigError, match=r"servers: time\.google\.com spreads"):
        ClockSettings(servers=(GOOGLE, PLAIN))
    with pytest.raises(ConfigError, match="timescale is utc"):
        ClockSettings(servers=(GOOGLE, AWS), timescale="utc")
    assert ClockSettings(servers=(GOOGLE, OWN), timescale="smeared").servers == (GOOGLE, OWN)
