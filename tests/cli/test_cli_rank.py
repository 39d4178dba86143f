"""`router rank`: geography alone, and not a packet."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from cli_runs import DEMO, run, written

if TYPE_CHECKING:
    from pathlib import Path

    from router.testing import Regions

ROUTES = f"""
geo: {{here: aws:eu-central-1, database: {DEMO}}}
endpoints:
- {{name: virginia, url: https://us.api.example.com, region: aws:us-east-1}}
- {{name: berlin, url: https://eu.api.example.com, location: [52.5, 13.4]}}
- {{name: tokyo, url: http://203.0.113.1}}
- {{name: reserve, url: https://eu2.api.example.com, region: aws:eu-central-1, tier: 2}}
"""
TABLE = """\
#  endpoint  place             distance   prior  tier  reason
1  berlin    52.5, 13.4          422 km   17 ms     1  about 17 ms expected: 420 km away
2  virginia  aws:us-east-1     6 549 km   95 ms     1  about 95 ms expected: 6 500 km away
3  tokyo     -                 9 333 km  220 ms     1  about 220 ms expected: 9 300 km away, \
16 000 km by cable
4  reserve   aws:eu-central-1      0 km   12 ms     2  about 12 ms expected: nearby, tier 2
"""


@pytest.mark.parametrize(
    ("client", "order"),
    [
        (None, ["berlin", "virginia", "tokyo", "reserve"]),
        ("203.0.113.2", ["tokyo", "virginia", "berlin", "reserve"]),  # in Tokyo, by cable
        ("198.51.100.2", ["virginia", "berlin", "tokyo", "reserve"]),  # in Ashburn
        ("::ffff:198.51.100.2", ["virginia", "berlin", "tokyo", "reserve"]),
    ],
)
def test_the_nearest_stands_first(client: str | None, order: list[str], tmp_path: Path) -> None:
    asked = [] if client is None else ["--client-ip", client]

    done = run("rank", written(tmp_path, ROUTES), "--json", *asked)

    assert (done.exit_code, done.stderr) == (0, "")
    found = json.loads(done.stdout)
    assert [row["name"] for row in found] == order
    assert [row["rank"] for row in found] == [1, 2, 3, 4]


def test_the_table_says_place_distance_and_why(tmp_path: Path) -> None:
    done = run("rank", written(tmp_path, ROUTES))

    assert done.stdout == TABLE


def test_no_packet_is_sent(regions: Regions, tmp_path: Path) -> None:
    lines = "\n".join(f"- {region.url}" for region in regions)

    done = run("rank", written(tmp_path, f"endpoints:\n{lines}"))

    assert done.exit_code == 0
    assert [region.probes for region in regions] == [0, 0, 0]


def test_an_address_without_a_place_is_ranked_as_this_host_and_told(tmp_path: Path) -> None:
    done = run("rank", written(tmp_path, ROUTES), "--client-ip", "10.0.0.1", "--json")

    assert done.exit_code == 0
    assert json.loads(done.stdout)[0]["name"] == "berlin"
    assert done.stderr == ("warning: no place is known for that address: ranked as for this host\n")


def test_what_is_no_address_is_one_sentence(tmp_path: Path) -> None:
    done = run("rank", written(tmp_path, ROUTES), "--client-ip", "hunter2")

    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr.startswith("that is not an IP address: write one such as 192.0.2.10")
    assert done.stderr.count("\n") == 1
    assert "hunter2" not in done.stderr


def test_a_missing_database_is_one_warning(tmp_path: Path) -> None:
    text = f"geo: {{database: {tmp_path}/none.mmdb}}\nendpoints: [https://a.example]"

    done = run("rank", written(tmp_path, text), "--json")

    assert done.exit_code == 0
    assert json.loads(done.stdout)[0]["distance_km"] is None
    assert done.stderr.startswith(f"warning: location database {tmp_path}/none.mmdb: there is no")
    assert done.stderr.count("\n") == 1
