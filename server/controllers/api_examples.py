"""Examples for the document of the API, made from its schemas: what a shape says of itself is what its example shows.

An example that somebody writes beside a shape is wrong after the next change of it. These are made from types, formats,
bounds and the `examples` of fields, and a test holds each to its own schema.
"""

from collections.abc import Mapping
from typing import Any, Final

Schema = Mapping[str, Any]

DEPTH_MAX: Final = 12
_ID: Final = "0192f0c1-7a3e-7abc-8def-0123456789ab"
_BY_FORMAT: Final = {
    "uuid": _ID,
    "date": "2026-09-21",
    "date-time": "2026-09-21T08:13:00+01:00",
    "time": "08:00:00",
    "binary": "",
}
# What a field of this name shows, where its type is text; by the whole name first, then by its end.
_BY_NAME: Final = {
    "given_name": "Zoë",
    "family_name": "O'Neill-Ünal",
    "preferred_name": "Zo",
    "display_name": "Ruth Appiah",
    "center_name": "North House",
    "room_name": "Bumblebees",
    "name": "Bumblebees",
    "email": "ruth@example.org",
    "phone": "+351 210 000 000",
    "time_zone": "Europe/Lisbon",
    "currency": "EUR",
    "next_cursor": "",
    "reason": "Seen by the whole team",
    "code": "C-1042",
    "etag": '"0f3a5c7e9b1d2f4a6c8e0b2d4f6a8c1e"',
    "password": "a long sentence of your own",
    "pin": "839204",
    "kind": "note",
    "text": "Carries an adrenaline pen",
    "relationship": "aunt",
    "token_type": "bearer",
}
# Where a pattern has no example beside it.
_PLAIN: Final = {"entry": "a" * 64, "grant_type": "password"}
_BY_END: Final = {
    "_id": _ID,
    "_password": "another long sentence of yours",
    "_at": "2026-09-21T08:13:00+01:00",
    "_name": "North House",
    "_token": "a token of yours, as it was given",
    "price": "25.50",
    "amount": "25.50",
}


def example_of(schema: Schema, schemas: Mapping[str, Schema], name: str = "", depth: int = 0) -> Any:
    """Give a value that a schema allows. `schemas` are those that it refers to, `name` is that of the field."""
    for told in ("example", "const"):
        if told in schema:
            return schema[told]
    for several in ("examples", "enum"):
        if schema.get(several):
            return schema[several][0]
    if "$ref" in schema:
        return example_of(schemas[schema["$ref"].rsplit("/", 1)[-1]], schemas, name, depth + 1)
    for several in ("anyOf", "oneOf", "allOf"):
        if schema.get(several):
            return _of_alternatives(schema[several], schemas, name, depth)
    return _of_type(schema, schemas, name, depth)


def _of_alternatives(options: list[Schema], schemas: Mapping[str, Schema], name: str, depth: int) -> Any:
    """The first alternative that is something, or nothing where it would go on for ever."""
    something = [one for one in options if one.get("type") != "null"]
    if not something or (depth > DEPTH_MAX and len(something) < len(options)):
        return None
    return example_of(something[0], schemas, name, depth + 1)


def _of_type(schema: Schema, schemas: Mapping[str, Schema], name: str, depth: int) -> Any:
    match schema.get("type"):
        case "object":
            return _of_object(schema, schemas, depth)
        case "array":
            count = 0 if depth > DEPTH_MAX else max(1, schema.get("minItems", 0))
            return [example_of(schema.get("items", {}), schemas, name.removesuffix("s"), depth + 1)] * count
        case "string":
            return _text(schema, name)
        case "integer" | "number":
            return _number(schema)
        case "boolean":
            return True
        case _:
            return None


def _of_object(schema: Schema, schemas: Mapping[str, Schema], depth: int) -> dict[str, Any]:
    fields = schema.get("properties", {})
    values = {name: example_of(field, schemas, name, depth + 1) for name, field in fields.items()}
    more = schema.get("additionalProperties")
    if not fields and isinstance(more, Mapping):
        return {"reference": example_of(more, schemas, "", depth + 1)}
    return values


def _number(schema: Schema) -> float:
    """One where that is allowed, or else the least that is; `default` says what is usual."""
    usual = schema.get("default")
    if isinstance(usual, int | float):
        return usual
    above = schema.get("exclusiveMinimum")
    least: float = schema.get("minimum", above + 1 if above is not None else 0)
    most: float = schema.get("maximum", least + 1)
    return max(least, min(1, most))


def _text(schema: Schema, name: str) -> str:
    if schema.get("format") in _BY_FORMAT:
        return _BY_FORMAT[str(schema["format"])]
    found = _BY_NAME.get(name) or next((text for end, text in _BY_END.items() if name.endswith(end)), None)
    text = name.replace("_", " ") if found is None and name != "next_cursor" else found or ""
    if schema.get("pattern"):
        text = _PLAIN.get(name, name)
    least: int = schema.get("minLength", 0)
    most: int = schema.get("maxLength", len(text) or 1)
    return (text + "A" * max(0, least - len(text)))[: max(most, least)]
