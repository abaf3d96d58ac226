"""The kiosk's few HTTP requests: enrolment and tokens. What is no Rollcall server's answer counts as offline."""

import asyncio
import contextlib
import functools
import ssl
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

import msgspec

if TYPE_CHECKING:
    import httpx

ANSWER_BYTES_MAX: Final = 64 * 1024
_OK: Final = 200
_CREATED: Final = 201
_REFUSALS: Final = range(400, 500)
_PROBLEM: Final = "application/problem+json"


class ServerUnreachable(Exception):
    """No connection, no answer in time, or the server cannot serve now (5xx)."""


class TokenRefused(Exception):
    """The server did not take this token; a fresh one may do."""


class NotRollcall(ServerUnreachable):
    """Something answered that is no Rollcall server: a captive portal, a proxy, a wrong address."""


class Refused(Exception):
    """The server said no; `code` is the stable code of its problem answer, `status` its HTTP status."""

    def __init__(self, *, status: int, code: str, detail: str) -> None:
        super().__init__(f"{code} ({status})")
        self.status = status
        self.code = code
        self.detail = detail


class _Problem(msgspec.Struct, frozen=True):
    code: str
    detail: str = ""
    title: str = ""


class BadAddress(ValueError):
    """The server's address is no http or https address."""


def base_url(server: str) -> str:
    """The server's address in one form: scheme, host, port and path without a slash at the end.

    Raises:
        BadAddress: it is none.

    """
    try:
        parts = urlsplit(server.strip())
        is_fine = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_fine = False
        parts = urlsplit("")
    if not is_fine or parts.username or parts.query or parts.fragment:
        raise BadAddress(f"{server!r} is no server address; it looks like https://rollcall.example.org")
    return f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/')}"


def socket_url(server: str) -> str:
    """Where the WebSocket of this server is."""
    return "ws" + base_url(server).removeprefix("http") + "/api/v1/sync"


@functools.cache
def trusted_authorities() -> ssl.SSLContext:
    """The certificates this machine trusts, or those of SSL_CERT_FILE: the same for requests and for the socket.

    Read once in a program: it takes 20 to 100 ms.
    """
    return ssl.create_default_context()


async def post(server: str, path: str, body: dict[str, str], answer: type[Any], timeout_ms: int) -> Any:
    """POST JSON and read the answer strictly; no redirect and no proxy, so nothing is sent elsewhere.

    Raises:
        ServerUnreachable: no answer, or one that says "not now".
        NotRollcall: an answer that no Rollcall server gives.
        Refused: the server's own refusal.

    """
    return await _ask("POST", server + path, {"json": body}, answer, timeout_ms)


async def get(server: str, path: str, token: str, answer: type[Any], timeout_ms: int) -> Any:
    """GET with a bearer token, and read the answer as strictly; raises as `post`."""
    headers = {"Authorization": f"Bearer {token}"}
    return await _ask("GET", server + path, {"headers": headers}, answer, timeout_ms)


async def _ask(method: str, url: str, told: dict[str, Any], answer: type[Any], timeout_ms: int) -> Any:
    import httpx

    try:
        async with (
            asyncio.timeout(timeout_ms / 1000),
            httpx.AsyncClient(
                verify=trusted_authorities(), timeout=timeout_ms / 1000, trust_env=False, follow_redirects=False
            ) as client,
            contextlib.aclosing(await client.send(httpx.Request(method, url, **told), stream=True)) as response,
        ):
            content = await _read(response)
    except (httpx.HTTPError, httpx.InvalidURL, TimeoutError) as error:
        raise ServerUnreachable(type(error).__name__) from error
    if response.status_code in (_OK, _CREATED):
        return _decode(content, answer)
    if response.status_code in _REFUSALS:
        raise _refusal(response, content)
    if response.is_redirect:
        raise NotRollcall("it redirects elsewhere")
    raise ServerUnreachable(f"it answers with status {response.status_code}")


async def _read(response: "httpx.Response") -> bytes:
    content = b""
    async for chunk in response.aiter_bytes():
        content += chunk
        if len(content) > ANSWER_BYTES_MAX:
            raise NotRollcall("its answer is too long")
    return content


def _decode(content: bytes, answer: type[Any]) -> Any:
    try:
        return msgspec.json.decode(content, type=answer)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise NotRollcall("its answer is not that of a Rollcall server") from error


def _refusal(response: "httpx.Response", content: bytes) -> Exception:
    if not response.headers.get("content-type", "").startswith(_PROBLEM):
        return NotRollcall(f"it answers with status {response.status_code}")
    problem = _decode(content, _Problem)
    return Refused(status=response.status_code, code=problem.code, detail=problem.detail or problem.title)
