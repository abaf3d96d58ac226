"""A typed client: every operation is a method, and every type that is named is there."""

import re
from functools import cache
from typing import Any

import pytest

from server.core.settings import load_settings
from server.routes import build_app
from server.web.typed_client import BY_THE_RUNTIME, MODULE, TYPES, typed_client
from tests.support.api import SECRET
from tests.support.clock import FakeClock


@cache
def document() -> dict[str, Any]:
    """The document of the API."""
    return build_app(load_settings(env_file=None, environment="test", secret_key=SECRET), FakeClock()).openapi()


def small(*operations: tuple[str, str, dict[str, Any]], **schemas: Any) -> dict[str, str]:
    """The client of a document with these operations."""
    paths: dict[str, Any] = {}
    for method, path, said in operations:
        paths.setdefault(path, {})[method] = {"responses": {"204": {}}, **said}
    info = {"title": "Small", "version": "1"}
    return typed_client({"info": info, "paths": paths, "components": {"schemas": schemas}})


def test_every_operation_is_one_method_in_both_files() -> None:
    files = typed_client(document())
    calls = re.findall(
        r'^  (\w+)\(args, options\) {\n    return this\.call\("(\w+)", "([^"]+)"', files[MODULE], re.MULTILINE
    )
    wanted = {
        (method.upper(), path)
        for path, methods in document()["paths"].items()
        for method in methods
        if path not in BY_THE_RUNTIME
    }
    assert {(method, path) for _, method, path in calls} == wanted
    names = [name for name, _, _ in calls]
    assert len(names) == len(wanted) == len(set(names))
    declared = re.findall(r"^  (\w+)\(args\??: .*\): Promise<.+>;$", files[TYPES], re.MULTILINE)
    assert list(dict.fromkeys(declared)) == names
    assert {"myChildren", "myStatements", "enterByApp", "myLive"} <= set(names)


def test_every_type_that_is_named_is_there() -> None:
    types = typed_client(document())[TYPES]
    plain = re.sub(r"/\*\*.*?\*/|//[^\n]*|\"[^\"]*\"", "", types, flags=re.DOTALL)
    there = set(re.findall(r"^export (?:interface|type|declare class) (\w+)", plain, re.MULTILINE)) | {"Client", "Data"}
    given = {"Promise", "Record", "Response", "Blob", "ArrayBuffer", "AbortSignal", "AsyncGenerator", "Error"}
    named = set(re.findall(r"(?<![\w$.])[A-Z]\w*(?![\w:?(])", plain))
    assert named - there - given == set()
    assert "unknown;" not in plain.replace("data: unknown;", ""), "a shape that nobody described"


def test_shapes_become_the_types_that_they_are() -> None:
    files = small(
        Child={
            "type": "object",
            "description": "A child; */ is no end.",
            "required": ["id", "kind", "x-y"],
            "properties": {
                "id": {"type": "string"},
                "kind": {"enum": ["in", "out"], "type": "string"},
                "x-y": {"const": 1},
                "ages": {"type": "array", "items": {"anyOf": [{"type": "integer"}, {"type": "null"}]}},
                "more": {"type": "object", "additionalProperties": {"$ref": "#/components/schemas/Kind"}},
                "any": {},
            },
        },
        Kind={"type": "string", "enum": ["a"]},
    )
    assert files[TYPES].endswith(
        """
/**
 * A child; * / is no end.
 */
export interface Child {
  id: string;
  kind: "in" | "out";
  "x-y": 1;
  ages?: (number | null)[];
  more?: Record<string, Kind>;
  any?: unknown;
}

export type Kind = "a";
"""
    )


@pytest.mark.parametrize(
    ("responses", "answer"),
    [
        ({"204": {}}, "void"),
        ({"200": {"content": {"application/json": {"schema": {"type": "string"}}}}}, "string"),
        ({"200": {"content": {"image/jpeg": {}}}}, "Response"),
        ({"200": {"content": {"application/json": {}, "text/event-stream": {}}}}, "Response"),
        ({"200": {"content": {"application/json": {"schema": {}}, "text/csv": {}}}, "4XX": {}}, "unknown | Response"),
    ],
)
def test_an_answer_is_promised_as_the_document_says(responses: dict[str, Any], answer: str) -> None:
    said = {"operationId": "look_api_v1_look_get", "responses": responses}
    assert f"Promise<{answer}>;" in small(("get", "/api/v1/look", said))[TYPES]


def test_only_who_says_what_they_have_may_hear_that_nothing_is_new() -> None:
    header = {"name": "if-none-match", "in": "header", "required": False, "schema": {"type": "string"}}
    content = {"content": {"application/json": {"schema": {"type": "string"}}}}
    said = {
        "operationId": "look_api_v1_look_get", "parameters": [header], "responses": {"200": content, "304": {}},
    }  # fmt: skip
    types = small(("get", "/api/v1/look", said))[TYPES]
    assert re.findall(r"^  (look\(.*)$", types, re.MULTILINE) == [
        'look(args: { headers: { "if-none-match": string } }, options?: CallOptions): Promise<string | null>;',
        "look(args?: Record<string, never>, options?: CallOptions): Promise<string>;",
    ]


def test_two_functions_of_one_name_are_told_apart_by_their_addresses_or_refused() -> None:
    one = {"operationId": "show_api_v1_a_get"}
    types = small(("get", "/api/v1/a/{id}", one), ("get", "/api/v1/b", {"operationId": "show_api_v1_b_get"}))[TYPES]
    assert re.findall(r"^  (\w+)\(", types.partition("class Rollcall ")[2], re.MULTILINE) == ["showA", "showB"]
    with pytest.raises(ValueError, match="showA"):
        small(("get", "/api/v1/a/{id}", one), ("put", "/api/v1/a/{id}", {"operationId": "show_api_v1_a_put"}))
