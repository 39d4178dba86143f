"""The JSON Schema names every setting, with its help and its default as one writes it."""

from __future__ import annotations

import dataclasses
import json
import re
from typing import Any

import pytest

from router.config import (
    Backoff,
    ClockSettings,
    Config,
    Failover,
    GeoSettings,
    Hedge,
    Limits,
    Probe,
    ShareSettings,
    TlsSettings,
    TokenSettings,
    loads,
    schema,
)
from router.endpoint import Endpoint

SECTIONS = (
    Backoff,
    ClockSettings,
    Endpoint,
    Failover,
    GeoSettings,
    Hedge,
    Limits,
    Probe,
    ShareSettings,
    TlsSettings,
    TokenSettings,
)


def section_schema(section: type) -> dict[str, Any]:
    made = schema()
    found = made if section is Config else made["$defs"][section.__name__]
    assert isinstance(found, dict)
    return found


def test_it_is_a_schema_of_the_current_dialect_in_plain_json() -> None:
    made = schema()
    assert made["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert made["title"] == "routes.yaml"
    assert json.loads(json.dumps(made)) == made


@pytest.mark.parametrize("section", [Config, *SECTIONS])
def test_every_key_is_there_with_help_and_no_other_key_is_allowed(section: type) -> None:
    made = section_schema(section)
    assert list(made["properties"]) == [field.name for field in dataclasses.fields(section)]
    assert made["additionalProperties"] is False
    assert "Attributes:" not in made["description"]
    for name, described in made["properties"].items():
        assert described["description"], name
        assert described.get("default", "written") is not None, name


def test_what_is_required_in_python_is_required_in_the_file() -> None:
    required = {section.__name__: section_schema(section).get("required") for section in SECTIONS}
    assert {name: keys for name, keys in required.items() if keys} == {
        "Endpoint": ["url"],
        "ShareSettings": ["url"],
    }
    assert schema()["required"] == ["endpoints"]


def test_every_reference_leads_somewhere() -> None:
    made = schema()
    references = set(re.findall(r'"#/\$defs/(\w+)"', json.dumps(made)))
    assert references == set(made["$defs"])


def test_an_endpoint_is_a_url_or_a_mapping() -> None:
    endpoints = schema()["properties"]["endpoints"]
    assert endpoints["items"]["anyOf"][0]["type"] == "string"
    assert endpoints["items"]["anyOf"][1] == {"$ref": "#/$defs/Endpoint"}
    assert endpoints["minItems"] == 1


@pytest.mark.parametrize(
    ("section", "key"),
    [
        (TokenSettings, "client_secret"),
        (TokenSettings, "refresh_token"),
        (Limits, "share"),
        (ShareSettings, "url"),
        (ShareSettings, "key"),
    ],
)
def test_a_secret_is_text_or_says_where_it_is_kept(section: type, key: str) -> None:
    text, env, file = section_schema(section)["properties"][key]["oneOf"]
    assert text["type"] == "string"
    assert (env["required"], file["required"]) == (["env"], ["file"])
    assert env["additionalProperties"] is file["additionalProperties"] is False


@pytest.mark.parametrize(
    ("section", "key", "default"),
    [
        (ClockSettings, "max_error", "0.5s"),
        (ClockSettings, "format", "unix_ms"),
        (Failover, "deadline", "30s"),
        (Failover, "attempts", 5),
        (Hedge, "after", "p95"),
        (Hedge, "at_most", 0.05),
        (Probe, "enabled", True),
    ],
)
def test_a_default_stands_as_one_writes_it(section: type, key: str, default: object) -> None:
    assert section_schema(section)["properties"][key]["default"] == default


def test_writing_every_default_out_changes_nothing() -> None:
    """A default that the loader refused, or read as another value, would mislead an editor."""
    written: dict[str, Any] = {"endpoints": ["https://a.example"]}
    for section, key in ((Probe, "probe"), (Failover, "failover"), (Limits, "limits")):
        properties = section_schema(section)["properties"]
        written[key] = {k: v["default"] for k, v in properties.items() if "default" in v}
    assert loads(json.dumps(written)) == loads("endpoints: [https://a.example]")


@pytest.mark.parametrize(
    ("section", "key"),
    [(Endpoint, "tier"), (Endpoint, "url"), (Probe, "enabled"), (Probe, "method")],
)
def test_a_variable_may_stand_for_what_is_not_any_text(section: type, key: str) -> None:
    made = section_schema(section)["properties"][key]
    assert made["anyOf"][1] == {"$ref": "#/$defs/Variable"}
    assert re.search(schema()["$defs"]["Variable"]["pattern"], "${NAME:-5}")
