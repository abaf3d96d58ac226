"""What happens around every HTTP request: an id, a log line, a bound on the body, safe headers."""

import re
from collections.abc import Callable
from typing import Final

import structlog
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from server.controllers.api_router import route_of
from server.controllers.problems import error_response, internal_error, too_large
from server.controllers.rate_limits import noted_limit
from server.core.asking import NOBODY, Asking, asks
from server.core.clock import Clock
from server.core.errors import InvalidInput

BODY_BYTES_MAX: Final = 1024 * 1024
REQUEST_ID_HEADER: Final = "x-request-id"
_REQUEST_ID_SHAPE: Final = re.compile(rb"[A-Za-z0-9._-]{8,64}")
_PROBES: Final = frozenset({"/livez", "/readyz"})
SAFE_HEADERS: Final = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    # To others nothing; with `no-referrer` browsers would send our own forms as from nowhere (`Origin: null`).
    (b"referrer-policy", b"same-origin"),
)
# RFC 6797: browsers come back over https only, for half a year after each visit.
HTTPS_ONLY: Final = (b"strict-transport-security", b"max-age=15552000")

_log = structlog.get_logger(__name__)


class RequestFrame:
    """The outermost layer of the app; sockets pass through, and nobody asks until a door knows who."""

    def __init__(
        self,
        app: ASGIApp,
        clock: Clock,
        new_id: Callable[[], str],
        headers: tuple[tuple[bytes, bytes], ...] = SAFE_HEADERS,
    ) -> None:
        """Measure with `clock`, name requests by `new_id` when their sender did not; `headers` go with every answer."""
        self._app = app
        self._clock = clock
        self._new_id = new_id
        self._headers = headers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            with asks(NOBODY):
                await self._app(scope, receive, send)
            return
        request_id = self._request_id(scope)
        own = (REQUEST_ID_HEADER.encode(), request_id.encode())
        answer = _Answer(scope, send, (own, *self._headers))
        started_ms = self._clock.monotonic_ms()
        with structlog.contextvars.bound_contextvars(request_id=request_id), asks(Asking(request_id=request_id)):
            await self._serve(scope, receive, answer)
            route = route_of(scope) or "none"
            # Probes come every few seconds and would drown the rest.
            log = _log.debug if route in _PROBES else _log.info
            log(
                "request_answered",
                method=scope["method"],
                route=route,
                status=answer.status,
                took_ms=self._clock.monotonic_ms() - started_ms,
            )

    async def _serve(self, scope: Scope, receive: Receive, answer: "_Answer") -> None:
        if _announced_length(scope) > BODY_BYTES_MAX:
            await too_large()(scope, receive, answer.send)
            return
        if _has_nul(scope):
            await error_response(InvalidInput("The address holds a NUL"))(scope, receive, answer.send)
            return
        try:
            await self._app(scope, _BoundedBody(receive).receive, answer.send)
        except Exception:  # noqa: BLE001 - the last one to see it: logged, and never shown
            _log.exception("request_failed")
            if not answer.status:
                await internal_error()(scope, receive, answer.send)

    def _request_id(self, scope: Scope) -> str:
        given = dict(scope["headers"]).get(REQUEST_ID_HEADER.encode(), b"")
        return given.decode("ascii") if _REQUEST_ID_SHAPE.fullmatch(given) else self._new_id()


class _BoundedBody:
    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._taken = 0

    async def receive(self) -> Message:
        message = await self._receive()
        self._taken += len(message.get("body", b""))
        if self._taken > BODY_BYTES_MAX:
            raise HTTPException(413)
        return message


class _Answer:
    """Sends the answer on and remembers its status; 0 while there is none."""

    def __init__(self, scope: Scope, send: Send, headers: tuple[tuple[bytes, bytes], ...]) -> None:
        self._scope = scope
        self._send = send
        self._headers = headers
        self.status = 0

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = (*message.get("headers", ()), *noted_limit(self._scope), *self._headers)
            message = {**message, "headers": list(headers)}
        await self._send(message)


def _announced_length(scope: Scope) -> int:
    text = dict(scope["headers"]).get(b"content-length", b"0")
    return int(text) if text.isdigit() else 0


def _has_nul(scope: Scope) -> bool:
    """Whether the address holds what no table and no name can; of bodies the shapes say it (`schemas/base.py`)."""
    return "\0" in scope["path"] or b"%00" in scope["query_string"] or b"\0" in scope["query_string"]
