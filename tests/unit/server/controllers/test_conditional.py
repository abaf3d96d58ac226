"""ETag and 304 on answers to a GET: whole JSON is tagged, and nothing that is streamed is held back."""

from typing import Any

import pytest
from starlette.types import Message, Receive, Scope, Send

from server.controllers.conditional import ConditionalReads

JSON = [(b"content-type", b"application/json"), (b"content-length", b"2")]
END: Message = {"type": "http.response.body", "body": b"{}"}


async def ask(
    begun: dict[str, Any], *, known: str = "", method: str = "GET", path: str = "/api/v1/x"
) -> list[dict[str, Any]]:
    """What is sent on of an answer; after its beginning nothing more may be held."""
    sent: list[Any] = []

    async def app(_scope: Scope, _receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [], **begun})
        await send(dict(END))

    async def send(message: Message) -> None:
        sent.append({**message, "headers": dict(message.get("headers", ()))})

    async def receive() -> Message:
        return {"type": "http.disconnect"}

    headers = [(b"if-none-match", known.encode())] if known else []
    scope = {"type": "http", "method": method, "path": path, "headers": headers}
    await ConditionalReads(app, "/api/v1")(scope, receive, send)
    return sent


async def test_whole_json_has_a_tag_and_is_not_sent_to_whoever_has_it() -> None:
    start, body = await ask({"headers": JSON})
    tag = start["headers"][b"etag"].decode()
    assert (start["status"], body["body"], start["headers"][b"cache-control"]) == (200, b"{}", b"private, no-cache")
    start, body = await ask({"headers": JSON}, known=f'"other", W/{tag}')
    assert (start["status"], body["body"]) == (304, b"")
    assert start["headers"] == {b"etag": tag.encode(), b"cache-control": b"private, no-cache"}
    assert (await ask({"headers": JSON}, known='"other"'))[0]["status"] == 200


async def test_the_tag_of_a_route_and_its_word_on_caches_stay() -> None:
    own = [*JSON, (b"etag", b'W/"3"'), (b"cache-control", b"no-store")]
    start, _ = await ask({"headers": own}, known='"3"')
    assert (start["status"], start["headers"]) == (304, {b"etag": b'W/"3"', b"cache-control": b"no-store"})


@pytest.mark.parametrize(
    "asked",
    [{"method": "POST"}, {"path": "/dashboard"}, {"begun": {"status": 404, "headers": JSON}},
     {"begun": {"headers": [(b"content-type", b"application/json")]}},
     {"begun": {"headers": [(b"content-type", b"text/event-stream"), (b"content-length", b"2")]}}],
)  # fmt: skip
async def test_everything_else_goes_on_as_it_comes(asked: dict[str, Any]) -> None:
    start, body = await ask(asked.pop("begun", {"headers": JSON}), known='"other"', **asked)
    assert (b"etag" in start["headers"], body["body"]) == (False, b"{}")
