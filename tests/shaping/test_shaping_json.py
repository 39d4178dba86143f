"""Members of a JSON text: what is named changes, and not a byte beside it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.jsontext import NotAnObjectError, members, remove_member, set_member, whole

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=8,
)
objects = st.dictionaries(st.text(max_size=3), values, max_size=5)
styles: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {
        "indent": st.sampled_from([None, 0, 2]),
        "separators": st.sampled_from([None, (",", ":"), (" ,", " : ")]),
        "ensure_ascii": st.booleans(),
    }
)


@pytest.mark.parametrize(
    ("text", "path", "value", "made"),
    [
        ('{"model": "a", "n": 1.0}', ["model"], '"b"', '{"model": "b", "n": 1.0}'),
        ('{"n":1.50,"x":[1e400]}', ["m"], "2", '{"n":1.50,"x":[1e400], "m": 2}'),
        ("{ }", ["a"], "1", '{ "a": 1}'),
        ("{}", ["a", "b", "c"], "1", '{"a": {"b": {"c": 1}}}'),
        ('{"a": {"b": 1, "c": 2}}', ["a", "c"], "3", '{"a": {"b": 1, "c": 3}}'),
        ('{"a": {}}', ["a", "c"], "3", '{"a": {"c": 3}}'),
        ('{"a": 1, "a": 22}', ["a"], "3", '{"a": 3, "a": 3}'),
        (r'{"\u0061": 1}', ["a"], "3", r'{"\u0061": 3}'),
        ('{"b": {"a": 1}, "a": 2}', ["a"], "3", '{"b": {"a": 1}, "a": 3}'),
        ('{"x": "a\\"}"}', ["a"], "3", '{"x": "a\\"}", "a": 3}'),
    ],
)
def test_a_member_is_set_where_it_stands(text: str, path: list[str], value: str, made: str) -> None:
    assert set_member(text, path, value) == made


@pytest.mark.parametrize(
    ("text", "path", "made"),
    [
        ('{"a": 1, "b": 2}', ["a"], '{"b": 2}'),
        ('{"a": 1, "b": 2}', ["b"], '{"a": 1}'),
        ('{"a": 1}', ["a"], "{}"),
        ('{"a": 1, "b": 2, "a": 3}', ["a"], '{"b": 2}'),
        ('{"x": 0, "a": 1, "a": 3}', ["a"], '{"x": 0}'),
        ('{"a": {"b": 1}, "a": {"b": 2, "c": 3}}', ["a", "b"], '{"a": {}, "a": {"c": 3}}'),
        ('{"a": [1]}', ["a", "b"], '{"a": [1]}'),
        ('{"a": 1}', ["b"], '{"a": 1}'),
    ],
)
def test_a_member_is_taken_out_with_its_comma(text: str, path: list[str], made: str) -> None:
    assert remove_member(text, path) == made


@pytest.mark.parametrize(
    "text",
    [
        *("", "[]", "1", "{", '{"a"', '{"a":', '{"a": 1', '{"a": 1,', '{"a": 1,}', "{1: 2}"),
        *("{} {}", "\ufeff{}", '{"a" 1}', "{'a': 1}", '{"a": 1 "b": 2}', '{"a": ' + "[" * 100_000),
    ],
)
def test_what_is_no_object_is_refused(text: str) -> None:
    with pytest.raises(NotAnObjectError) as refused:
        whole(text)
    assert str(refused.value) == "the text is no JSON object"
    assert refused.value.__cause__ is None


def test_a_path_through_what_is_no_object_is_refused() -> None:
    with pytest.raises(NotAnObjectError):
        set_member('{"a": [1]}', ["a", "b"], "2")


@given(found=objects, style=styles, key=st.text(max_size=3), value=values)
def test_setting_a_member_changes_nothing_else(
    found: dict[str, Any], style: dict[str, Any], key: str, value: Any
) -> None:
    text = json.dumps(found, **style)
    made = set_member(text, [key], json.dumps(value))
    assert json.loads(made) == {**found, key: value}
    whole(made)
    before = {m.key: text[m.start : m.end] for m in members(text)[0] if m.key != key}
    after = {m.key: made[m.start : m.end] for m in members(made)[0] if m.key != key}
    assert before == after
    assert set_member(made, [key], json.dumps(value)) == made


@given(found=objects, style=styles, key=st.text(max_size=3), value=values)
def test_a_member_that_is_set_and_taken_out_leaves_the_text_as_it_was(
    found: dict[str, Any], style: dict[str, Any], key: str, value: Any
) -> None:
    found.pop(key, None)
    text = json.dumps(found, **style)
    made = remove_member(set_member(text, [key], json.dumps(value)), [key])
    assert json.loads(made) == found
    assert [text[m.start : m.end] for m in members(text)[0]] == [
        made[m.start : m.end] for m in members(made)[0]
    ]
    assert remove_member(text, [key]) == text


@given(text=st.text(alphabet='{}[]",:a1 \\', max_size=20))
def test_an_object_is_what_the_json_module_takes_for_one(text: str) -> None:
    def ours() -> bool:
        try:
            whole(text)
        except NotAnObjectError:
            return False
        return True

    def theirs() -> bool:
        try:
            return isinstance(json.loads(text), dict)
        except ValueError:
            return False

    assert ours() == theirs()
