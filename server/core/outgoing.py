"""The one way in which the server sends something to an address that people named: to where they may, and bounded.

A name is resolved once, every address judged (`core.addresses`), and the connection made to one that was judged: a
second answer of the name server changes nothing. No redirect is followed, no proxy asked, no cookie kept.
"""

import asyncio
import ipaddress
import socket
import ssl
from dataclasses import dataclass
from typing import Final

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

from server.core.addresses import may_reach, read_target
from server.core.errors import InvalidInput

DEADLINE_S: Final = 10.0
# Of an answer only the status counts; so much is read, so that a receiver which says "ok" is not cut off.
ANSWER_BYTES_MAX: Final = 4096
NOT_ALLOWED: Final = "the address is none that may be reached"
NO_ANSWER: Final = "no answer within 10 s"


@dataclass(frozen=True, slots=True)
class Answered:
    """What came of a request: the status, or None and why there is none, in words of ours."""

    status: int | None
    reason: str = ""


class _Refused(OSError):
    """A host has no address that may be reached."""


class _JudgedResolver(AbstractResolver):
    """Gives the addresses of a name that may be reached, and no others."""

    def __init__(self, *, private: bool) -> None:
        self._private = private

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """Resolve a name. Raises OSError when there is no address, or none that may be reached."""
        loop = asyncio.get_running_loop()
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM, family=family)
        good: list[ResolveResult] = []
        for kind, _, protocol, _, place in found:
            address = str(place[0])
            if may_reach(ipaddress.ip_address(address), private=self._private):
                flags = socket.AI_NUMERICHOST | socket.AI_NUMERICSERV
                good.append(
                    ResolveResult(hostname=host, host=address, port=port, family=kind, proto=protocol, flags=flags)
                )
        if not good:
            raise _Refused(NOT_ALLOWED)
        return good

    async def close(self) -> None:
        """Hold nothing."""


class Outgoing:
    """Posts to addresses that people named."""

    def __init__(self, *, private: bool, deadline_s: float = DEADLINE_S, trust: ssl.SSLContext | None = None) -> None:
        """Let `private` addresses be reached; `trust`: whose certificates are believed, in place of the system's."""
        self._private = private
        self._deadline_s = deadline_s
        self._trust = trust

    async def post(self, url: str, body: bytes, headers: dict[str, str]) -> Answered:
        """Post a body and give what came of it; takes `DEADLINE_S` at most, and raises nothing."""
        try:
            async with asyncio.timeout(self._deadline_s):
                return await self._post(url, body, headers)
        except TimeoutError:
            return Answered(None, NO_ANSWER)
        except InvalidInput:
            return Answered(None, NOT_ALLOWED)
        except (aiohttp.ClientError, OSError, ValueError) as error:
            return Answered(None, _reason(error))

    async def _post(self, url: str, body: bytes, headers: dict[str, str]) -> Answered:
        # Again, and not only when it was typed: the setting may be another one by now.
        read_target(url, private=self._private)
        connector = aiohttp.TCPConnector(
            resolver=_JudgedResolver(private=self._private), use_dns_cache=False, force_close=True, limit=1,
            ssl=self._trust or True,
        )  # fmt: skip
        async with (
            aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar(), trust_env=False) as session,
            session.post(
                url, data=body, headers=headers, allow_redirects=False, skip_auto_headers=("User-Agent",),
            ) as answer,
        ):  # fmt: skip
            await _read_some(answer)
            return Answered(answer.status)


async def _read_some(answer: aiohttp.ClientResponse) -> None:
    """Read the beginning of an answer, and let the rest be: the connection is closed."""
    left = ANSWER_BYTES_MAX
    while left > 0:
        some = await answer.content.read(left)
        if not some:
            return
        left -= len(some)
    answer.close()


def _reason(error: Exception) -> str:
    """Say why there was no answer, without what the other side said."""
    causes = (error, getattr(error, "os_error", None), error.__cause__)
    if any(isinstance(one, _Refused) for one in causes):
        return NOT_ALLOWED
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return "the certificate is not good"
    if isinstance(error, aiohttp.ClientSSLError):
        return "no encrypted connection"
    if any(isinstance(one, socket.gaierror) for one in causes):
        return "there is no such host"
    if isinstance(error, aiohttp.ClientConnectorError):
        return "no connection"
    if isinstance(error, aiohttp.ClientPayloadError | aiohttp.ClientResponseError | ValueError):
        return "the answer is no HTTP"
    return "the connection was lost"
