"""Unquoted words mean what the core schema of YAML 1.2 says, and nothing else."""

from __future__ import annotations

import pytest

from router.config.scalars import resolve


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", None),
        ("~", None),
        ("null", None),
        ("NULL", None),
        ("nULL", "nULL"),
        ("true", True),
        ("True", True),
        ("FALSE", False),
        ("tRUE", "tRUE"),
        ("NO", "NO"),
        ("no", "no"),
        ("yes", "yes"),
        ("on", "on"),
        ("off", "off"),
        ("y", "y"),
        ("0", 0),
        ("-12", -12),
        ("+7", 7),
        ("007", 7),
        ("0o17", 15),
        ("0x1F", 31),
        ("-0x1F", "-0x1F"),
        ("0b11", "0b11"),
        ("1_000", "1_000"),
        ("1.5", 1.5),
        (".5", 0.5),
        ("5.", 5.0),
        ("-1e3", -1000.0),
        ("1e", "1e"),
        ("12:30:45", "12:30:45"),
        ("2026-11-22", "2026-11-22"),
        ("192.0.2.1", "192.0.2.1"),
        ("+", "+"),
        (".", "."),
        ("-", "-"),
        (".info", ".info"),
        ("١٢", "١٢"),
        ("frankfurt", "frankfurt"),
    ],
)
def test_a_plain_word_resolves_by_the_core_schema(text: str, value: object) -> None:
    resolved = resolve(text)
    assert resolved == value
    assert type(resolved) is type(value)


@pytest.mark.parametrize("text", [".inf", "-.INF", "+.Inf", ".nan", ".NaN", "1e999", "-1e999"])
def test_a_number_that_is_not_finite_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"^write a finite number$"):
        resolve(text)


@pytest.mark.parametrize("text", ["9" * 31, "0x" + "f" * 5000, "-" + "1" * 100_000])
def test_a_number_of_many_digits_is_refused_before_it_is_computed(text: str) -> None:
    with pytest.raises(ValueError, match="at most 30 digits"):
        resolve(text)
