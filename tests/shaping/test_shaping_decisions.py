"""What an endpoint changes of a request: paths, queries, headers, bodies; and nothing else."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Any
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

import router
from router.call import Body, Call, Timeouts
from router.errors import CallerError, ConfigError
from router.shaping import Content

JSON = (b"Content-Type", b"application/json")


def endpoint(**fields: Any) -> router.Endpoint:
    return router.Endpoint(**{"url": "https://eu.example/v1", **fields})


def call(path: bytes = b"/m", headers: Any = (), body: bytes | None = b"") -> Call:
    stream: Any = Content(b"") if body is None else Content(body)
    return Call(
        method="POST",
        path=path,
        headers=list(headers),
        body=Body(stream, replayable=body is not None),
        timeouts={},
        extensions={},
        started=0.0,
        deadline=9.0,
        repeat="safe",
    )


def sent(to: router.Endpoint, request: Call) -> tuple[bytes, list[tuple[bytes, bytes]], bytes]:
    """Return target, headers without Host, and body as an endpoint would get them."""
    timeouts = Timeouts({}, until=1.0, pause=1.0, now=lambda: 0.0)
    made = request.addressed_to(to, [], timeouts)
    headers = [*made.headers]
    assert headers[0][0] == b"Host"
    return made.target, headers[1:], b"".join(made.body.stream)


def test_an_endpoint_without_shaping_sends_what_the_caller_wrote() -> None:
    plain, request = endpoint(region="aws:us-east-1"), call(b"/%7Bregion%7D?a=b", [JSON], b"{}")
    assert plain.shaping is None
    assert sent(plain, request) == (b"/v1/%7Bregion%7D?a=b", [JSON], b"{}")
    assert request.shaped is None


# -- placeholders


def test_a_urls_placeholders_are_filled_and_are_variables_from_then_on() -> None:
    made = endpoint(
        url="https://{region}-aiplatform.googleapis.com/v1/projects/{project}/locations/{region}",
        region="gcp:europe-west4",
        variables={"project": "my project"},
    )
    host = "europe-west4-aiplatform.googleapis.com"
    assert made.url == f"https://{host}/v1/projects/my%20project/locations/europe-west4"
    assert (made.name, made.origin.host) == (host, host)
    assert dict(made.variables) == {"project": "my project", "region": "europe-west4"}
    assert replace(made, tier=2).shaping is not None


def test_a_requests_path_is_filled_with_each_endpoints_own_values() -> None:
    request = call(b"/p/%7Bregion%7D/{zone}/%7Bother%7D?q={region}")
    east = endpoint(region="aws:us-east-1", variables={"zone": 1})
    west = endpoint(region="aws:us-west-2", variables={"zone": "b/c", "region": "far"})
    assert sent(east, request)[0] == b"/v1/p/us-east-1/1/%7Bother%7D?q={region}"
    assert sent(west, request)[0] == b"/v1/p/far/b%2Fc/%7Bother%7D?q={region}"
    assert sent(east, request)[0] == b"/v1/p/us-east-1/1/%7Bother%7D?q={region}"


@given(value=st.text(min_size=1, max_size=12), around=st.sampled_from(["/{x}", "/a{x}b/", "/.{x}"]))
def test_no_value_leaves_its_place_in_a_path(value: str, around: str) -> None:
    template = f"https://eu.example/v1{around}"
    if not value.isprintable() or not value.strip("."):
        with pytest.raises(ConfigError, match=r"^variables\.x: "):
            endpoint(url=template, variables={"x": value})
        return
    made = endpoint(url=template, variables={"x": value})
    base, target = made.origin.base_path, sent(made, call(around.encode()))[0].decode()
    assert (base.count("/"), target.count("/")) == (2, around.count("/") + 2)
    for written in (base, target):
        assert written.isascii()
        assert written.isprintable()
        assert not {" ", "?", "#", "\\"} & set(written)
        assert ".." not in written.split("/")
        assert value in unquote(written)


@given(value=st.text(min_size=1, max_size=12))
def test_no_value_leaves_its_place_in_a_host(value: str) -> None:
    try:
        made = endpoint(url="https://{x}.eu.example/v1", variables={"x": value})
    except ConfigError:
        return
    assert made.origin.host == f"{value.lower()}.eu.example"
    assert (made.origin.port, made.origin.base_path) == (443, "/v1")


@pytest.mark.parametrize(
    "value", ["a\r\nb", "a\nb", "a\0b", "", ".", "..", "a\x85b", "a\u2028b", None]
)
def test_a_variable_is_one_line_and_leads_nowhere(value: object) -> None:
    with pytest.raises(ConfigError, match=r"variables\.x: "):
        endpoint(variables={"x": value})


def test_an_endpoint_without_variables_fills_no_path() -> None:
    shaped = endpoint(region="aws:us-east-1", headers={"X-A": "b"}, models={"m": "{region}"})
    assert sent(shaped, call(b"/{region}/models/m"))[0] == b"/v1/{region}/models/%7Bregion%7D"
    filled = endpoint(variables={"model": "m"}, models={"m": "n"})
    assert sent(filled, call(b"/models/{model}"))[0] == b"/v1/models/n"


# -- query


@pytest.mark.parametrize(
    ("path", "made"),
    [
        (b"/m", b"/m?v=1%202&k=%26"),
        (b"/m?", b"/m?v=1%202&k=%26"),
        (b"/m?a=b&&c", b"/m?a=b&&c&v=1%202&k=%26"),
        (b"/m?v=9&a=%2B&v=8", b"/m?v=1%202&a=%2B&k=%26"),
        (b"/m?%76=9&x=1", b"/m?v=1%202&k=%26"),
        (b"?x", b"?v=1%202&k=%26"),
    ],
)
def test_parameters_are_set_in_their_place_and_taken_out(path: bytes, made: bytes) -> None:
    shaped = endpoint(query={"v": "1 2", "k": "&"}, remove={"query": ["x"]})
    assert sent(shaped, call(path))[0] == b"/v1" + made


def test_a_query_that_loses_its_last_parameter_loses_its_mark() -> None:
    assert sent(endpoint(remove={"query": ["x"]}), call(b"/m?x=1&x=2"))[0] == b"/v1/m"


# -- headers


def test_headers_are_set_replaced_and_removed_whatever_their_case() -> None:
    shaped = endpoint(headers={"api-key": "k", "X-N": 7}, remove={"headers": ["x-debug"]})
    theirs = [(b"A", b"1"), (b"API-KEY", b"old"), (b"X-Debug", b"1"), (b"A", b"2")]
    assert sent(shaped, call(headers=theirs))[1] == [
        (b"A", b"1"),
        (b"A", b"2"),
        (b"api-key", b"k"),
        (b"X-N", b"7"),
    ]


@pytest.mark.parametrize(
    "name",
    [
        "Host",
        "authorization",
        "Content-Length",
        "Transfer-Encoding",
        "Idempotency-Key",
        "connection",
    ],
)
def test_what_is_made_for_each_attempt_is_set_nowhere_here(name: str) -> None:
    for fields in ({"headers": {name: "hunter2"}}, {"remove": {"headers": [name]}}):
        with pytest.raises(ConfigError, match=name) as refused:
            endpoint(**fields)
        assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize("value", ["a\r\nX: b", "a\nb", "\0", " a", "ü", True, 1.5, ["a"]])
def test_a_headers_value_is_one_line_of_ascii(value: object) -> None:
    with pytest.raises(ConfigError, match=r"^headers\.X-A: "):
        endpoint(headers={"X-A": value})


def test_no_value_is_shown() -> None:
    made = endpoint(
        headers={"a": "hunter2"}, query={"a": "hunter2"}, json={"a": "hunter2"}, models={"m": "n"}
    )
    assert "hunter2" not in repr(made)
    assert made.shaping is not None
    assert made.shaping.target("/x?a=1") == "/x?a=..."
    timeouts = Timeouts({}, until=1.0, pause=1.0, now=lambda: 0.0)
    assert "hunter2" not in repr(call().addressed_to(made, [], timeouts))
    assert made == replace(made)
    assert hash(made) == hash(replace(made))


# -- bodies


def test_members_are_set_and_the_length_follows() -> None:
    shaped = endpoint(
        json={"model": "gpt-4o-eu", "metadata.region": "eu", "n": None},
        remove={"json": ["logit_bias", "a.b"]},
    )
    body = b'{"model":"gpt-4o","logit_bias":{},"t":0.70,"a":{"b":1}}'
    request = call(headers=[(b"content-length", b"55"), JSON], body=body)
    _, headers, made = sent(shaped, request)
    assert made == (
        b'{"model":"gpt-4o-eu","t":0.70,"a":{}, "metadata": {"region": "eu"}, "n": null}'
    )
    assert headers == [JSON, (b"Content-Length", str(len(made)).encode())]
    assert sent(endpoint(), request) == (b"/v1/m", request.headers, body)


def test_a_model_is_renamed_in_the_body_and_in_the_path() -> None:
    shaped = endpoint(models={"gpt-4o": "my%deployment", "claude:0": "eu.claude:0"})

    def at(path: str, body: bytes) -> tuple[str, bytes]:
        target, _, made = sent(shaped, call(path.encode(), [JSON], body))
        return target.decode().removeprefix("/v1"), made

    assert at("/chat", b'{"model": "gpt-4o"}') == ("/chat", b'{"model": "my%deployment"}')
    assert at("/chat", b'{"model": "other"}') == ("/chat", b'{"model": "other"}')
    assert at("/chat", b'{"model": ["gpt-4o"]}') == ("/chat", b'{"model": ["gpt-4o"]}')
    assert at("/openai/deployments/gpt-4o/chat", b"{}")[0] == (
        "/openai/deployments/my%25deployment/chat"
    )
    assert at("/models/gpt-4o:stream?x=/models/gpt-4o", b"")[0] == (
        "/models/my%25deployment:stream?x=/models/gpt-4o"
    )
    assert at("/model/claude%3A0/invoke", b"")[0] == "/model/eu.claude:0/invoke"
    assert at("/model/gpt-4o-mini/x", b"")[0] == "/model/gpt-4o-mini/x"


@pytest.mark.parametrize(
    ("headers", "body", "words"),
    [
        ([JSON], None, "is streamed"),
        ([JSON, (b"Content-Encoding", b"gzip")], b"\x1f\x8b", "is compressed"),
        ([JSON], b"[1]", "is no JSON object"),
        ([JSON], b'{"a": 1', "is no JSON object"),
        ([JSON], b'{"metadata": 1}', "none where a member belongs"),
        ([JSON], b"\xff\xfe{", "is not UTF-8"),
    ],
)
def test_json_that_cannot_be_changed_is_refused(
    headers: Any, body: bytes | None, words: str
) -> None:
    shaped = endpoint(name="eu", json={"metadata.region": "eu"})
    with pytest.raises(CallerError, match=rf"^the endpoint eu changes members.*{words}") as refused:
        sent(shaped, call(headers=headers, body=body))
    assert not refused.value.maybe_processed


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        ([], b'{"a": 1}'),
        ([(b"Content-Type", b"multipart/form-data; boundary=x")], b"--x"),
        ([(b"Content-Type", b"application/jsonl")], b'{"a": 1}\n{}'),
        ([(b"Content-Type", b"application/octet-stream")], None),
        ([JSON], b""),
    ],
)
def test_what_is_no_json_is_left_alone(headers: Any, body: bytes | None) -> None:
    shaped = endpoint(json={"a": 2}, models={"a": "b"})
    assert sent(shaped, call(headers=headers, body=body)) == (b"/v1/m", headers, body or b"")


@pytest.mark.parametrize(
    "kind", [b"application/json; charset=utf-8", b"Application/JSON", b"application/vnd.api+json"]
)
def test_json_has_several_names(kind: bytes) -> None:
    request = call(headers=[(b"content-type", kind)], body=b"{}")
    assert sent(endpoint(json={"a": 2}), request)[2] == b'{"a": 2}'


def test_a_body_is_made_once_for_each_endpoint_and_headers_anew(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    east, west = (endpoint(name=n, json={"model": n}) for n in ("east", "west"))
    request = call(headers=[JSON], body=b'{"model": "m"}')
    bodies = [sent(to, request)[2] for to in (east, west)]
    assert bodies == [b'{"model": "east"}', b'{"model": "west"}']
    monkeypatch.setattr("router.shaping.set_member", None)
    request.headers.append((b"X-Request-Id", b"1"))
    assert sent(east, request)[2] == bodies[0]
    assert (b"X-Request-Id", b"1") in sent(west, request)[1]


# -- nothing else

names = st.sampled_from(["a", "b", "api-key", "X-Debug", "accept", "v"])
texts = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=8)
headers = st.lists(st.tuples(names, texts), max_size=6)
pairs = st.lists(st.tuples(names, texts.map(lambda t: re.sub("[&#=?]", "_", t))), max_size=6)
members = st.dictionaries(names | st.just("model"), st.integers() | texts | st.none(), max_size=5)


@given(
    theirs=headers,
    asked=pairs,
    body=members,
    sets=st.fixed_dictionaries(
        {
            "headers": st.dictionaries(names, texts, max_size=2),
            "query": st.dictionaries(names, texts, max_size=2),
            "json": st.dictionaries(names, texts | st.integers(), max_size=2),
        }
    ),
    removes=st.fixed_dictionaries(
        {kind: st.lists(names, max_size=2) for kind in ("headers", "query", "json")}
    ),
)
def test_shaping_never_changes_anything_else(
    theirs: list[tuple[str, str]],
    asked: list[tuple[str, str]],
    body: dict[str, Any],
    sets: dict[str, dict[str, Any]],
    removes: dict[str, list[str]],
) -> None:
    shaped = endpoint(**sets, remove=removes)
    raw = [JSON, *((n.encode(), v.encode()) for n, v in theirs)]
    query = "&".join(f"{n}={v}" for n, v in asked)
    request = call(f"/m?{query}".encode(), raw, json.dumps(body).encode())
    target, got, made = sent(shaped, request)

    def untouched(kind: str, name: str) -> bool:
        return name not in sets[kind] and name not in removes[kind]

    assert [
        p for p in got if untouched("headers", p[0].decode()) and p[0] != b"Content-Length"
    ] == [p for p in raw if untouched("headers", p[0].decode())]
    for name, value in sets["headers"].items():
        assert [p for p in got if p[0] == name.encode()] == [(name.encode(), value.encode())]
    parts = [p.partition("=") for p in target.decode().partition("?")[2].split("&") if p]
    assert [(n, v) for n, _, v in parts if untouched("query", n)] == [
        (n, v) for n, v in asked if untouched("query", n)
    ]
    assert {n: unquote(v) for n, _, v in parts if n in sets["query"]} == sets["query"]
    kept = {n: v for n, v in body.items() if n not in removes["json"]}
    assert json.loads(made) == {**kept, **sets["json"]}
    assert target.startswith(b"/v1/m")
    assert (request.headers, b"".join(request.body.stream)) == (raw, json.dumps(body).encode())
