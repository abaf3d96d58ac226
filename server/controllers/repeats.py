"""Idempotency-Key: a POST that is sent again is done once (draft-ietf-httpapi-idempotency-key-header-07).

Two halves of one thing. `RepeatableRequests` lies around all routes, keeps what is answered, and holds the last
transaction of the request back until then. `claim_if_keyed` is called where it is known who asks. No route has a part
in it.
"""

import re
from dataclasses import dataclass, field
from typing import Final

from fastapi import Request, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from server.controllers.api_router import route_of
from server.controllers.problems import error_response
from server.core.errors import FieldProblem, InvalidInput, RollcallError
from server.services import repeats
from server.services.access import User
from server.services.bundle import Services
from server.services.repeats import Answer, Claim, HeldCommit, holding

HEADER: Final = "idempotency-key"
REPLAYED_HEADER: Final = "idempotency-replayed"
KEY_CHARACTERS_MAX: Final = 255
# The draft's form is a string of RFC 8941, in quotes; most clients send a bare UUID.
_KEY: Final = re.compile(r'"([!#-\[\]-~]{1,255})"|([!#-+\--~]{1,255})', re.ASCII)
_KEPT_HEADERS: Final = ("cache-control", "content-type", "etag", "location")
_STATE: Final = "repeatable_request"
_GOOD: Final = range(200, 300)
NOT_REPEATABLE: Final = "x-not-repeatable"
"""In `openapi_extra` of a route: a key means nothing there, since its answer is too large or too secret to be kept."""


@dataclass(slots=True)
class _Attempt:
    """One request with a key; `claim` is there once it is known who asks."""

    key: str
    held: HeldCommit
    services: Services | None = None
    claim: Claim | None = None


@dataclass(slots=True)
class _Gathered:
    """An answer on its way out, as a whole."""

    status: int = 0
    headers: list[tuple[bytes, bytes]] = field(default_factory=list)
    body: bytearray = field(default_factory=bytearray)

    async def take(self, message: Message) -> None:
        """Take a part of it."""
        if message["type"] == "http.response.start":
            self.status, self.headers = message["status"], list(message.get("headers", ()))
        elif message["type"] == "http.response.body":
            self.body += message.get("body", b"")

    def kept(self) -> Answer:
        """Give what is kept of it."""
        named = ((name.decode("latin-1").lower(), value.decode("latin-1")) for name, value in self.headers)
        return Answer(self.status, tuple(one for one in named if one[0] in _KEPT_HEADERS), bytes(self.body))

    async def send(self, send: Send) -> None:
        """Send it on."""
        await send({"type": "http.response.start", "status": self.status, "headers": self.headers})
        await send({"type": "http.response.body", "body": bytes(self.body)})


class AnsweredBefore(Exception):
    """The request was answered before; this is the answer."""

    def __init__(self, answer: Answer) -> None:
        """Keep the answer."""
        super().__init__()
        self.answer = answer


class RepeatableRequests:
    """A layer around the routes."""

    def __init__(self, app: ASGIApp) -> None:
        """Lie around `app`."""
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        given = _key_header(scope)
        if given is None:
            await self._app(scope, receive, send)
            return
        try:
            key = read_key(given)
        except InvalidInput as error:
            await error_response(error)(scope, receive, send)
            return
        with holding() as held:
            try:
                await self._serve(_Attempt(key, held), (scope, receive, send))
            finally:
                # Only after a cancellation or a crash of ours there is still something.
                await held.drop()

    async def _serve(self, attempt: _Attempt, request: tuple[Scope, Receive, Send]) -> None:
        scope, receive, send = request
        scope.setdefault("state", {})[_STATE] = attempt
        gathered = _Gathered()

        async def take(message: Message) -> None:
            # What is not to be kept goes on as it comes, however long it is.
            await (send(message) if attempt.claim is None else gathered.take(message))

        try:
            await self._app(scope, receive, take)
        except Exception:
            await _end(attempt, None)
            raise
        if attempt.claim is None:
            return
        try:
            await _end(attempt, gathered)
        except RollcallError as error:
            await error_response(error)(scope, receive, send)
            return
        await gathered.send(send)


async def _end(attempt: _Attempt, gathered: _Gathered | None) -> None:
    """Keep a good answer; a refusal did nothing, and the request may be sent anew."""
    services, claim = attempt.services, attempt.claim
    if services is None or claim is None:
        return
    if gathered is not None and gathered.status in _GOOD:
        await services.repeats.keep(claim, gathered.kept())
    else:
        await services.repeats.give_back(claim)


async def claim_if_keyed(request: Request, user: User, services: Services) -> None:
    """Claim the request if it has a key, and hold its last transaction from here on.

    Raises:
        AnsweredBefore: it was answered before.
        KeyReused, StillRunning, RateLimited: as `Repeats.claim`.

    """
    attempt = getattr(request.state, _STATE, None)
    if not isinstance(attempt, _Attempt) or attempt.claim is not None:
        return
    found_route = request.scope.get("route")
    if (getattr(found_route, "openapi_extra", None) or {}).get(NOT_REPEATABLE):
        return
    route = f"{request.method} {route_of(request.scope)}"
    address = f"{request.url.path}?{request.url.query}".encode()
    sent = (address, request.headers.get("content-type", "").encode(), await request.body())
    found = await services.repeats.claim(user, repeats.Request(attempt.key, route, sent))
    if isinstance(found, Answer):
        raise AnsweredBefore(found)
    attempt.services, attempt.claim = services, found
    attempt.held.begin()


async def answer_again(_request: Request, found: Exception) -> Response:
    """Answer as the first time, and say so."""
    if not isinstance(found, AnsweredBefore):
        raise found
    answer = found.answer
    return Response(answer.body, answer.status, {**dict(answer.headers), REPLAYED_HEADER: "true"})


def read_key(value: str) -> str:
    """Read the header: a key in quotes or bare. Raises InvalidInput for anything else."""
    found = _KEY.fullmatch(value.strip())
    if found is None:
        detail = f"Send 1 to {KEY_CHARACTERS_MAX} visible ASCII characters, such as a UUID"
        raise InvalidInput(detail, (FieldProblem(f"#header/{HEADER}", detail),))
    return found[1] or found[2]


def _key_header(scope: Scope) -> str | None:
    """The header of a POST; a second one makes it no key at all. Elsewhere it means nothing."""
    if scope["type"] != "http" or scope["method"] != "POST":
        return None
    values = [value for name, value in scope["headers"] if name == HEADER.encode()]
    return b", ".join(values).decode("latin-1") if values else None
