"""Text to tree: places, aliases, merge keys, syntax, and the bounds that hostile text meets."""

from __future__ import annotations

import os
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml

import router
from router.config.document import DEEPEST, LARGEST, LONGEST_VALUE, parse
from router.config.nodes import Mapping, Node, Refused, Scalar, Sequence, find

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture(params=["libyaml", "pure Python"])
def _either_parser(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run with PyYAML's C parser, and as where it was built without one."""
    if request.param == "libyaml":
        assert yaml.__with_libyaml__
    else:
        monkeypatch.delattr(yaml, "CSafeLoader")


with_either_parser = pytest.mark.usefixtures("_either_parser")


def plain(node: Node | None) -> object:
    if isinstance(node, Mapping):
        return {key: plain(entry.value) for key, entry in node.entries.items()}
    if isinstance(node, Sequence):
        return [plain(item) for item in node.items]
    return None if node is None else node.text


def place_of(root: Node | None, *path: str | int) -> tuple[int, int]:
    node = find(root, path)
    assert node is not None
    return node.place


@with_either_parser
def test_every_key_and_value_knows_its_line_and_column() -> None:
    root = parse("a: 1\nb:\n  - x\n  - {c: 'ü', d: e}\n")
    assert isinstance(root, Mapping)
    assert root.entries["b"].place == (2, 1)
    assert place_of(root, "a") == (1, 4)
    assert place_of(root, "b", 0) == (3, 5)
    assert place_of(root, "b", 1, "c") == (4, 9)
    assert place_of(root, "b", 1, "d") == (4, 17)


@with_either_parser
def test_a_path_that_goes_on_beyond_the_document_ends_at_its_deepest_node() -> None:
    root = parse("token:\n  url: x\n")
    assert place_of(root, "token", "client_id") == (2, 3)
    assert place_of(root, "token", "url", "deeper", 3) == (2, 8)
    assert find(None, ("token",)) is None


@with_either_parser
@pytest.mark.parametrize(
    ("text", "quoted"),
    [("a", False), ("'a'", True), ('"a"', True), ("|\n a", True), (">\n a", True), ("", False)],
)
def test_only_an_unquoted_value_is_plain(text: str, quoted: bool) -> None:  # noqa: FBT001 - a table
    node = find(parse(f"key: {text}"), ("key",))
    assert isinstance(node, Scalar)
    assert node.plain is not quoted


@with_either_parser
@pytest.mark.parametrize("source", ["", "\ufeff", b"\xef\xbb\xbf", "# only a comment\n", "\n\n"])
def test_an_empty_document_has_no_root(source: str | bytes) -> None:
    assert parse(source) is None


@with_either_parser
def test_a_byte_order_mark_is_accepted_and_counts_as_no_column() -> None:
    assert place_of(parse(b"\xef\xbb\xbfa: 1"), "a") == (1, 4)


@with_either_parser
def test_an_alias_stands_for_what_it_names() -> None:
    root = parse("a: &x [1, 2]\nb: *x\nc: {d: *x}")
    assert plain(root) == {"a": ["1", "2"], "b": ["1", "2"], "c": {"d": ["1", "2"]}}
    assert place_of(root, "c", "d", 1) == (1, 11)
    assert root is not None
    assert (root.size, root.height) == (15, 3)


@with_either_parser
@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("- &x {a: 1, b: 2}\n- {<<: *x, b: 3}", {"a": "1", "b": "3"}),
        ("- &x {a: 1, b: 2}\n- {b: 3, <<: *x}", {"a": "1", "b": "3"}),
        ("- {<<: [{a: 1}, {a: 2, c: 4}]}", {"a": "1", "c": "4"}),
        ("- {<<: {a: 1}, <<: {a: 2, b: 2}}", {"a": "1", "b": "2"}),
        ("- {'<<': 1}", {"<<": "1"}),
    ],
)
def test_a_merge_key_fills_in_what_the_mapping_lacks(text: str, value: object) -> None:
    merged = find(parse(text), (1,)) if text.startswith("- &x") else find(parse(text), (0,))
    assert plain(merged) == value


@with_either_parser
def test_a_repeated_key_is_kept_once_with_both_places() -> None:
    root = parse("a: 1\nb: 2\na: 3\n")
    assert isinstance(root, Mapping)
    assert plain(root) == {"a": "1", "b": "2"}
    assert root.repeated == [("a", (3, 1), (1, 1))]


@with_either_parser
@pytest.mark.parametrize(
    ("source", "place", "sentence"),
    [
        ("a: [1,\n}", (2, 1), "this is not YAML"),
        ("a: 'x\n", (2, 1), "this is not YAML"),
        ("a: b: c", (1, 5), "this is not YAML"),
        ("a:\n\t- x", (2, 1), "indent with spaces"),
        ("a: @x", (1, 4), "this is not YAML"),
        ("%YAML 9.9\n---\na: 1", (1, 1), "this is not YAML"),
        ("{a: ${N}}", (1, 6), "between braces and brackets a variable stands in quotes"),
        ("a: *nothing", (1, 4), "this alias names nothing"),
        ("a: &x [*x]", (1, 8), "this alias names nothing"),
        ("a: 1\n---\nb: 2", (2, 1), "write one document"),
        ("a: !!python/object:os.system x", (1, 4), "tags"),
        ("a: !!str 1", (1, 4), "tags"),
        ("a: !x [1]", (1, 4), "tags"),
        ("a: !x {b: 1}", (1, 4), "tags"),
        ("[a]: 1", (1, 1), "a key is a word"),
        ("? {a: b}\n: 1", (1, 3), "a key is a word"),
        ("a: {<<: 1}", (1, 9), "<< takes mappings"),
        ("a: {<<: [{}, 1]}", (1, 9), "<< takes mappings"),
        ("a: 1\nb: \x00", (2, 4), "take out the control character"),
        ("a: \ud800", (1, 4), "take out the control character"),
        (b"a: 1\nb: \xff", (2, 4), "this is not UTF-8"),
        ("a: 1".encode("utf-16"), (1, 1), "this is not UTF-8"),
        ("a: " + "x" * (LONGEST_VALUE + 1), (1, 4), "a key or value has at most"),
        ("#" * (LARGEST + 1), (1, 1), "a configuration has at most 4 MiB"),
    ],
)
def test_what_cannot_be_read_is_refused_at_its_place(
    source: str | bytes, place: tuple[int, int], sentence: str
) -> None:
    with pytest.raises(Refused) as refused:
        parse(source)
    assert str(refused.value).startswith(sentence)
    assert refused.value.place == place
    assert refused.value.__cause__ is refused.value.__context__ is None


@with_either_parser
@pytest.mark.parametrize(
    ("levels", "alias"), [(DEEPEST, ""), (DEEPEST - 1, "*x"), (DEEPEST - 2, "*y")]
)
def test_nesting_up_to_the_bound_is_read_and_one_more_level_is_not(levels: int, alias: str) -> None:
    def nested(depth: int) -> str:
        anchors = "&y [&x [1]], " if alias else ""
        return "[" + anchors + "[" * (depth - 1) + alias + "]" * depth

    parse(nested(levels))
    with pytest.raises(Refused, match="at most 32 levels"):
        parse(nested(levels + 1))


@with_either_parser
def test_as_many_nodes_as_the_bound_are_read_and_one_more_is_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("router.config.document.MOST_NODES", 12)
    parse("[&x [1, 2], *x, *x, 3, 4]")
    with pytest.raises(Refused, match="at most 12 keys and values, aliases written out"):
        parse("[&x [1, 2], *x, *x, *x]")


def bomb() -> str:
    """A megabyte in which each of nine lines names the line before nine times."""
    lines = ["a: &a [" + ", ".join("x" * 60 for _ in range(9)) + "]"]
    lines += [f"{b}: &{b} [{', '.join([f'*{a}'] * 9)}]" for a, b in pairwise("abcdefghi")]
    return "\n".join(lines).ljust(2**20, "\n")


HOSTILE: dict[str, Callable[[], str]] = {
    "aliases that grow ninefold on each line": bomb,
    "a megabyte of aliases": lambda: "a: &a [1]\nb: [" + "*a, " * 260_000 + "]",
    "10 000 brackets": lambda: "[" * 10_000,
    "10 000 braces": lambda: "{a: " * 10_000,
    "10 000 dashes": lambda: "- " * 10_000,
    "10 000 question marks": lambda: "? " * 10_000,
    "1 000 indented levels": lambda: "\n".join(" " * i + "a:" for i in range(1_000)),
    "a megabyte of brackets": lambda: "[" * 2**20,
    "a megabyte of digits": lambda: "clock: {max_error: " + "1" * 2**20 + "}",
    "as many digits as a value may have": lambda: "clock: {max_error: '" + "1" * 16_000 + "'}",
}
WIDE: dict[str, Callable[[], str]] = {
    "30 000 anchors": lambda: "[" + "".join(f"&a{i} 1," for i in range(30_000)) + "]",
    "merges of merges": lambda: "\n".join(
        ["- &a0 {" + ", ".join(f"k{i}: 1" for i in range(5_000)) + "}"]
        + [f"- &a{i} {{<<: [*a{i - 1}, *a{i - 1}]}}" for i in range(1, 40)]
    ),
    "four megabytes of items": lambda: "[" + "a," * (2**21 - 1),
    "30 000 unknown keys": lambda: "\n".join(f"endpoint{i}: 1" for i in range(30_000)),
    "30 000 repeated keys": lambda: "endpoints: []\n" * 30_000,
    "3 000 wrong endpoints": lambda: "endpoints:\n" + "- {url: 1, regoin: a}\n" * 3_000,
}
CHILD = """
import resource, sys
resource.setrlimit(resource.RLIMIT_CPU, (int(sys.argv[1]),) * 2)
from router.config import loads
from router.errors import ConfigError
try:
    loads(sys.stdin.read())
except ConfigError as error:
    [peak] = [line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")]
    print(len(str(error)), int(peak) // 1024)
"""


def refused_in_a_child(document: str, *, seconds: int) -> tuple[int, int]:
    """Return the length of the error and the peak of memory in MiB; a child that is slow dies."""
    done = subprocess.run(
        [sys.executable, "-c", CHILD, str(seconds)],
        input=document,
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": str(Path(router.__file__).parents[1])},
    )
    length, peak = done.stdout.split()
    return int(length), int(peak)


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_document_is_refused_in_two_seconds_and_100_megabytes(name: str) -> None:
    length, peak = refused_in_a_child(HOSTILE[name](), seconds=2)
    assert peak < 100
    assert length < 200


@pytest.mark.parametrize("name", WIDE)
def test_a_wide_document_has_an_error_of_bounded_size(name: str) -> None:
    length, peak = refused_in_a_child(WIDE[name](), seconds=10)
    assert peak < 100
    assert length < 300_000
