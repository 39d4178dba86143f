"""The JSON Schema of routes.yaml, for editors and for checks outside of this package.

Rule 1: it is made from the settings by pydantic and completed here: what a key does comes from the
        `Attributes:` of its section, and a default stands as one would write it (`500ms`, `p95`).
Rule 2: it describes what is good to write. A key without a value is read as left out, but the
        schema, like an editor's user, would rather see the key gone.
Rule 3: where a value is not any text, `${VAR}` may stand in its place.
"""

from __future__ import annotations

from typing import Any

from router.config.settings import Config
from router.config.shape import Shape, shapes

__all__ = ["schema"]

DIALECT = "https://json-schema.org/draft/2020-12/schema"
VARIABLE = {
    "type": "string",
    "pattern": r"\$\{[A-Za-z_]",
    "description": "an environment variable: ${NAME} or ${NAME:-default}",
}
SECRET = [
    {"type": "string", "description": "better as ${NAME} than as the secret itself"},
    *(
        {
            "type": "object",
            "properties": {form: {"type": "string", "description": text}},
            "required": [form],
            "additionalProperties": False,
        }
        for form, text in (
            ("env", "the name of an environment variable"),
            ("file", "a file that holds the secret and nothing else"),
        )
    ),
]
HERE = [
    {"type": "string"},
    {
        "type": "object",
        "properties": {"ip": {"type": "string"}},
        "required": ["ip"],
        "additionalProperties": False,
    },
    {"type": "array", "items": {"type": "number"}, "minItems": 2, "maxItems": 2},
]


def schema() -> dict[str, Any]:
    """Return the JSON Schema (2020-12) of a configuration file."""
    from pydantic import TypeAdapter  # noqa: PLC0415 - loaded when used

    made = TypeAdapter(Config).json_schema()
    definitions = made.pop("$defs")
    _complete(made, Config, definitions)
    return {
        "$schema": DIALECT,
        **made,
        "title": "routes.yaml",
        "$defs": {**definitions, "Variable": VARIABLE},
    }


def _complete(made: dict[str, Any], section: type, definitions: dict[str, Any]) -> None:
    """Finish the schema of a section and of the sections under it, in place."""
    made["description"] = _first_paragraph(section)
    for name, shape in shapes(section).items():
        made["properties"][name] = _property(made["properties"][name], shape)
        if shape.section is not None:
            _complete(definitions[shape.section.__name__], shape.section, definitions)


def _property(made: dict[str, Any], shape: Shape) -> dict[str, Any]:
    help_text = "; ".join(filter(None, (shape.help, made.get("description"))))
    described = {"description": help_text, **_default(made, shape)}
    if shape.section is None:
        return {**_value(made, shape), **described}
    reference = {"$ref": f"#/$defs/{shape.section.__name__}"}
    if shape.many:
        url = {"type": "string", "description": "the endpoint's URL alone"}
        items = {"anyOf": [url, reference]}
        return {"type": "array", "items": items, "minItems": 1, **described}
    return {**reference, **described}


def _value(made: dict[str, Any], shape: Shape) -> dict[str, Any]:
    """Return what a key without a section takes: a secret, text, or a value or its variable."""
    bare = {k: v for k, v in made.items() if k not in ("title", "default", "description")}
    if shape.secret:
        return {"oneOf": SECRET}
    if not bare:
        return {"anyOf": HERE}
    if bare == {"type": "string"} or bare.get("type") in ("array", ["string", "number"]):
        return bare
    return {"anyOf": [bare, {"$ref": "#/$defs/Variable"}]}


def _default(made: dict[str, Any], shape: Shape) -> dict[str, Any]:
    default = made.get("default")
    if default in (None, "", []):
        return {}
    if made.get("type") != "string" or isinstance(default, str):
        return {"default": default}
    written = (f"{default:g}s", f"p{default * 100:g}")
    return {"default": next(text for text in written if shape.accepts(text))}


def _first_paragraph(section: type) -> str:
    return " ".join((section.__doc__ or "").partition("\n\n")[0].split())
