"""A client of the API for TypeScript and JavaScript, made from the OpenAPI document: one module and its types.

No package and no build tool is needed to make or to use it: what all operations share is written by hand in `client/`,
and one typed method for each operation is added here. A method takes the parts of the path, `query`, `headers` and
`body`, and promises what the document says of the answer.
"""

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

MODULE: Final = "rollcall.js"
TYPES: Final = "rollcall.d.ts"
JSON_TYPE: Final = "application/json"
IF_NONE_MATCH: Final = "if-none-match"
STREAM_TYPE: Final = "text/event-stream"
# What begins, keeps up and ends a session: the runtime has methods for it.
BY_THE_RUNTIME: Final = frozenset({"/api/v1/auth/token", "/api/v1/auth/refresh", "/api/v1/auth/log-out"})
_FOLDER: Final = Path(__file__).parent / "client"
_PRIMITIVES: Final = {"string": "string", "integer": "number", "number": "number", "boolean": "boolean", "null": "null"}
_NAME: Final = re.compile(r"[A-Za-z_$][A-Za-z0-9_$]*")

Document = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class _Operation:
    """One operation of the document, and the method that it becomes."""

    method: str
    path: str
    name: str
    said: Document


def typed_client(document: Document) -> dict[str, str]:
    """Give the files of a client for an OpenAPI 3.1 document, by name.

    Raises:
        ValueError: two operations would have one method.

    """
    operations = list(_operations(document))
    names = Counter(one.name for one in operations)
    if twice := sorted(name for name, count in names.items() if count > 1):
        raise ValueError(f"Two operations have one name: {', '.join(twice)}")
    head = (
        f"// Made from the API of {document['info']['title']} {document['info']['version']}; do not change it here.\n"
    )
    methods = "".join(f"\n  {_method(one)}\n" for one in operations)
    declared = "".join(f"\n{_declaration(one)}\n" for one in operations)
    schemas = "".join(f"\n{_schema(name, said)}\n" for name, said in sorted(document["components"]["schemas"].items()))
    return {
        MODULE: f"{head}{_read('runtime.js')}\nexport class Rollcall extends Client {{{methods}}}\n",
        TYPES: f"{head}{_read('runtime.d.ts')}\nexport declare class Rollcall extends Client {{{declared}}}\n{schemas}",
    }


def _read(name: str) -> str:
    return (_FOLDER / name).read_text("utf-8")


def _operations(document: Document) -> Iterator[_Operation]:
    found = [
        (method, path, said)
        for path, methods in document["paths"].items()
        for method, said in methods.items()
        if path not in BY_THE_RUNTIME
    ]
    short = Counter(_short(said) for _, _, said in found)
    for method, path, said in found:
        name = _short(said)
        if short[name] > 1:
            parts = (part for part in path.removeprefix("/api/v1").split("/") if part and part[0] != "{")
            name = "_".join((name, *parts))
        yield _Operation(method.upper(), path, _camel(name), said)


def _short(said: Document) -> str:
    """What the operation's function is called: FastAPI puts the address behind it."""
    return str(said["operationId"]).partition("_api_v1_")[0]


def _camel(name: str) -> str:
    first, *rest = re.split(r"[^A-Za-z0-9]+", name.strip("_"))
    return first + "".join(part[:1].upper() + part[1:] for part in rest)


def _method(one: _Operation) -> str:
    return (
        f"{one.name}(args, options) {{\n"
        f"    return this.call({json.dumps(one.method)}, {json.dumps(one.path)}, args, options);\n  }}"
    )


def _declaration(one: _Operation) -> str:
    """The method; a second time before it for whoever says what they have, and may hear that nothing is new."""
    doc = _doc(str(one.said.get("description", "")), "  ")
    ways = [_signature(_without(one, IF_NONE_MATCH), _answer(one))]
    if "304" in one.said["responses"]:
        ways.insert(0, _signature(_with(one, IF_NONE_MATCH), f"{_answer(one)} | null"))
    return "\n".join(f"{doc}{way}" for way in ways)


def _signature(one: _Operation, answer: str) -> str:
    members, is_needed = _arguments(one)
    args = "args" if is_needed else "args?"
    given = f"{args}: {{ {'; '.join(members)} }}" if members else "args?: Record<string, never>"
    return f"  {one.name}({given}, options?: CallOptions): Promise<{answer}>;"


def _without(one: _Operation, header: str) -> _Operation:
    kept = [said for said in one.said.get("parameters", ()) if said["name"].lower() != header.lower()]
    return replace(one, said={**one.said, "parameters": kept})


def _with(one: _Operation, header: str) -> _Operation:
    said: Document = {"name": header, "in": "header", "required": True, "schema": {"type": "string"}}
    return replace(one, said={**one.said, "parameters": [*_without(one, header).said["parameters"], said]})


def _arguments(one: _Operation) -> tuple[list[str], bool]:
    """The members of a method's argument, and whether there is one that must be given."""
    members, is_needed = [], False
    parameters = one.said.get("parameters", ())
    for said in parameters:
        if said["in"] == "path":
            members.append(f"{_key(said['name'])}: {_type(said['schema'])}")
            is_needed = True
    for where, group in (("query", "query"), ("header", "headers")):
        inner = [said for said in parameters if said["in"] == where]
        if inner:
            must = any(said.get("required") for said in inner)
            is_needed |= must
            listed = "; ".join(
                f"{_key(said['name'])}{'' if said.get('required') else '?'}: {_type(said['schema'])}" for said in inner
            )
            members.append(f"{group}{'' if must else '?'}: {{ {listed} }}")
    if content := one.said.get("requestBody", {}).get("content"):
        members.append(f"body: {_type(content[JSON_TYPE]['schema']) if JSON_TYPE in content else 'Blob | ArrayBuffer'}")
        is_needed = True
    return members, is_needed


def _answer(one: _Operation) -> str:
    """What the method promises when something is new: the answer itself when it is no JSON."""
    found: dict[str, None] = {}
    for status, said in one.said["responses"].items():
        if status.startswith("2"):
            content = said.get("content", {})
            others = content.keys() - {JSON_TYPE}
            if JSON_TYPE in content and STREAM_TYPE not in content:
                found[_type(content[JSON_TYPE].get("schema", {}))] = None
            if others:
                found["Response"] = None
            if not content:
                found["void"] = None
    return " | ".join(found)


def _schema(name: str, said: Document) -> str:
    doc = _doc(str(said.get("description", "")), "")
    if said.get("type") == "object" and "properties" in said:
        return f"{doc}export interface {name} {_object(said, '')}"
    return f"{doc}export type {name} = {_type(said)};"


def _object(said: Document, indent: str) -> str:
    required = said.get("required", ())
    lines = []
    for key, inner in said["properties"].items():
        lines.append(f"{indent}  {_key(key)}{'' if key in required else '?'}: {_type(inner)};")
    return "{\n" + "\n".join(lines) + f"\n{indent}}}"


def _type(said: Document) -> str:
    if "$ref" in said:
        return str(said["$ref"]).rsplit("/", 1)[-1]
    if "const" in said:
        return json.dumps(said["const"])
    if "enum" in said:
        return " | ".join(json.dumps(one) for one in said["enum"])
    for word in ("anyOf", "oneOf"):
        if word in said:
            return " | ".join(dict.fromkeys(_type(one) for one in said[word]))
    kind = said.get("type")
    if kind == "array":
        inner = _type(said.get("items", {}))
        return f"({inner})[]" if "|" in inner else f"{inner}[]"
    if kind == "object":
        if "properties" in said:
            return " ".join(_object(said, "").split())
        more = said.get("additionalProperties", True)
        return f"Record<string, {_type(more) if isinstance(more, dict) else 'unknown'}>"
    return _PRIMITIVES.get(str(kind), "unknown")


def _key(name: str) -> str:
    return name if _NAME.fullmatch(name) else json.dumps(name)


def _doc(text: str, indent: str) -> str:
    if not text:
        return ""
    lines = text.replace("*/", "* /").strip().splitlines()
    return "\n".join([f"{indent}/**", *(f"{indent} * {line}".rstrip() for line in lines), f"{indent} */"]) + "\n"
