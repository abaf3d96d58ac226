"""`ETag` on every JSON answer to a GET of the API, and 304 for whoever has it already (RFC 9110 sections 8.8, 13.1.2).

A route that knows the state of a thing says it itself, for `If-Match`. Every other answer gets the hash of its bytes:
that saves the way and not the work, and no route can forget it.
"""

from typing import Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from server.controllers.preconditions import is_known
from server.core.etags import etag_of_bytes

# Of no use without the body they tell of.
_OF_BODY: Final = ("content-length", "content-type")


class ConditionalReads:
    """A layer around the routes under a prefix."""

    def __init__(self, app: ASGIApp, prefix: str) -> None:
        """Lie around `app`; what is not under `prefix` passes through."""
        self._app = app
        self._prefix = prefix

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http" or scope["method"] != "GET" or not scope["path"].startswith(self._prefix):
            await self._app(scope, receive, send)
            return
        await self._app(scope, receive, _Tagging(send, Headers(scope=scope).get("if-none-match", "")).send)


class _Tagging:
    """Holds the beginning of a JSON answer back until its body is there; whatever is streamed goes on as it comes."""

    def __init__(self, send: Send, if_none_match: str) -> None:
        self._send = send
        self._if_none_match = if_none_match
        self._begun: Message | None = None

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start" and _is_whole_json(message):
            self._begun = message
        elif self._begun is not None:
            begun, self._begun = self._begun, None
            await self._finish(begun, message)
        else:
            await self._send(message)

    async def _finish(self, begun: Message, body: Message) -> None:
        headers = MutableHeaders(raw=list(begun["headers"]))
        if "etag" not in headers:
            headers["etag"] = f'"{etag_of_bytes(body.get("body", b""))}"'
        headers.setdefault("cache-control", "private, no-cache")
        if is_known(headers["etag"], self._if_none_match):
            for name in _OF_BODY:
                del headers[name]
            begun, body = {**begun, "status": 304}, {**body, "body": b""}
        await self._send({**begun, "headers": headers.raw})
        await self._send(body)


def _is_whole_json(begun: Message) -> bool:
    """Whether an answer is JSON that comes as one piece."""
    headers = Headers(raw=begun["headers"])
    is_json = headers.get("content-type", "").startswith("application/json")
    return begun["status"] == 200 and is_json and "content-length" in headers  # noqa: PLR2004 - a status
