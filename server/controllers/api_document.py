"""The document of the API (OpenAPI 3.1) as it is told: what is the same for every operation is written in here.

FastAPI writes what a route says of itself. What the layers around the routes do (keys of requests, tags, limits,
problems) no route says, and no route can forget to.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from fastapi import FastAPI
from pydantic.json_schema import models_json_schema

from server.controllers import problems, repeats
from server.controllers.api_examples import example_of
from server.core.errors import RollcallError
from server.schemas.base import Problem

Document = dict[str, Any]
Operation = dict[str, Any]

JSON: Final = "application/json"
# Shapes of FastAPI's own refusals, which are never sent.
_UNUSED: Final = ("HTTPValidationError", "ValidationError")
_ALWAYS: Final = (400, 422, 429, 503)
_SIGNED_IN: Final = (401, 403, 404, 409)
_WITH_STATE: Final = (412, 428)
_AT_THE_DOOR: Final = {400: {"bad_request", "json_invalid"}, 401: {"unauthenticated"}}
_KEY: Final = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "A UUID of your own: what is sent again under it within 24 hours is done once",
    "schema": {"type": "string", "minLength": 1, "maxLength": repeats.KEY_CHARACTERS_MAX},
}
_IF_NONE_MATCH: Final = {
    "name": "If-None-Match",
    "in": "header",
    "required": False,
    "description": "The ETag of what you have: 304 when nothing is new",
    "schema": {"type": "string"},
}
_HEADER_WORDS: Final = {
    "if-none-match": _IF_NONE_MATCH["description"],
    "last-event-id": "The id of the last event that you got",
    "content-type": "What kind of picture it is",
}
_ETAG: Final = {"ETag": {"description": "The state that is shown", "schema": {"type": "string"}}}
_NOT_NEW: Final = {"description": "Nothing is new; without a body", "headers": _ETAG}


class ApiApp(FastAPI):
    """The app, whose document tells also what happens around its routes."""

    def openapi(self) -> Document:
        """Give the document; made once."""
        if self.openapi_schema is None:
            self.openapi_schema = complete(super().openapi())
        return self.openapi_schema


def complete(document: Document) -> Document:
    """Write into a document of FastAPI's what holds for all operations, and give it back."""
    components = document.setdefault("components", {})
    schemas = components.setdefault("schemas", {})
    schemas.update(_shapes_of_problems())
    components["schemas"] = schemas = dict(sorted(schemas.items()))
    for name in _UNUSED:
        schemas.pop(name, None)
    components["responses"] = dict(_problems(schemas))
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            _complete_operation(method, operation, schemas)
            _describe(path, operation)
    return document


def _shapes_of_problems() -> dict[str, Any]:
    """The shape of every refusal, which no route names: to say it at each of them is a third of what a route costs."""
    _, told = models_json_schema([(Problem, "serialization")], ref_template="#/components/schemas/{model}")
    shapes: dict[str, Any] = told["$defs"]
    for shape in shapes.values():
        for told_of in shape["properties"].values():
            if told_of.get("default", ...) is None:  # FastAPI leaves it out everywhere else
                del told_of["default"]
    return shapes


def codes_of(status: int) -> list[str]:
    """Give the codes that a problem of a status may have."""
    known = {kind.code for kind in _kinds(RollcallError) if problems.status_of_kind(kind) == status}
    return sorted(known | _AT_THE_DOOR.get(status, set()))


def _kinds(kind: type[RollcallError]) -> Iterator[type[RollcallError]]:
    yield kind
    for child in kind.__subclasses__():
        yield from _kinds(child)


def _problems(schemas: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    shape = {"$ref": "#/components/schemas/Problem"}
    plain = example_of(shape, schemas)
    for status in sorted({*_ALWAYS, *_SIGNED_IN, *_WITH_STATE}):
        codes = codes_of(status)
        example = {**plain, "status": status, "code": codes[0], "type": f"/problems/{codes[0]}", "errors": []}
        content = {problems.MEDIA_TYPE: {"schema": shape, "example": example}}
        yield f"Problem{status}", {"description": f"Refused: {', '.join(codes)}", "content": content}
    for group, words in (("4XX", "Refused; `code` says why"), ("5XX", "Not possible now; `Retry-After` says when")):
        yield f"Problem{group}", {"description": words, "content": {problems.MEDIA_TYPE: {"schema": shape}}}


def _complete_operation(method: str, operation: Operation, schemas: Mapping[str, Any]) -> None:
    parameters = operation.setdefault("parameters", [])
    names = {one["name"].lower() for one in parameters}
    is_known = bool(operation.get("security"))
    if method == "post" and is_known and not operation.get(repeats.NOT_REPEATABLE):
        parameters.append(_KEY)
    answers = operation["responses"]
    whole = answers.get("200", {})
    if method == "get" and JSON in whole.get("content", {}):
        if "if-none-match" not in names:
            parameters.append(_IF_NONE_MATCH)
        whole.setdefault("headers", {}).update(_ETAG)
        answers.setdefault("304", _NOT_NEW)
    if "if-match" in names:
        for status in ("200", "201"):
            answers.get(status, {}).setdefault("headers", {}).update(_ETAG)
    refused = {*_ALWAYS, *(_SIGNED_IN if is_known else (401, 403, 409)), *(_WITH_STATE if "if-match" in names else ())}
    operation["responses"] = {status: one for status, one in answers.items() if status not in ("422", "4XX", "5XX")} | {
        str(status): {"$ref": f"#/components/responses/Problem{status}"} for status in (*sorted(refused), "4XX", "5XX")
    }
    _add_examples(operation, schemas)


def _add_examples(operation: Operation, schemas: Mapping[str, Any]) -> None:
    told = [operation.get("requestBody", {}), *(one for one in operation["responses"].values() if "content" in one)]
    for one in told:
        for media in one.get("content", {}).values():
            if media.get("schema") and not {"example", "examples"} & media.keys():
                media["example"] = example_of(media["schema"], schemas)


def _describe(path: str, operation: Operation) -> None:
    """Say of ids in the address what they are ids of."""
    for one in operation["parameters"]:
        if one.get("description"):
            continue
        name = one["name"]
        of = name.removesuffix("_id").replace("_", " ")
        if name in _HEADER_WORDS:
            one["description"] = _HEADER_WORDS[name]
        elif f"{{{name}}}" in path:
            one["description"] = f"Id of the {of}" if name.endswith("_id") else f"Which {of}"
