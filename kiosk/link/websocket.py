"""The WebSocket of one link, by the websockets library; tells failures of trust from failures of reach."""

import asyncio
from collections.abc import AsyncIterator
from typing import Final

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus, InvalidURI
from websockets.typing import Subprotocol

from kiosk.link.client import NotRollcall, ServerUnreachable, TokenRefused
from kiosk.settings import LinkSettings
from sync.driver import LinkLost
from sync.errors import CloseCode
from sync.limits import FRAME_BYTES_MAX, SILENCE_MAX_MS, SUBPROTOCOL

_UNTRUSTED: Final = frozenset({401, 403})


class _Connect(connect):
    """As the library's, but follows no redirect: the token is for this server only."""

    def process_redirect(self, exc: Exception) -> Exception | str:
        """Every redirect is a failure."""
        return exc


class Socket:
    """One open connection."""

    def __init__(self, connection: ClientConnection) -> None:
        self._connection = connection

    @classmethod
    async def open(cls, url: str, token: str, settings: LinkSettings) -> "Socket":
        """Dial `url` (ws or wss) and shake hands.

        Raises:
            TokenRefused: the server answered 401 or 403.
            NotRollcall: it answered something else than our protocol.
            ServerUnreachable: no connection in time.

        """
        try:
            connection = await _Connect(
                url,
                additional_headers={"Authorization": f"Bearer {token}"},
                subprotocols=[Subprotocol(SUBPROTOCOL)],
                user_agent_header=None,
                compression=None,
                proxy=None,
                max_size=FRAME_BYTES_MAX,
                open_timeout=settings.open_timeout_ms / 1000,
                close_timeout=settings.close_timeout_ms / 1000,
                ping_interval=None,
            )
        except InvalidStatus as error:
            raise _refusal(error.response.status_code) from error
        except (InvalidHandshake, InvalidURI) as error:
            raise NotRollcall(type(error).__name__) from error
        except (OSError, TimeoutError, EOFError) as error:
            raise ServerUnreachable(type(error).__name__) from error
        if connection.subprotocol != SUBPROTOCOL:
            await connection.close(CloseCode.PROTOCOL_VIOLATION)
            raise NotRollcall("it does not speak our protocol")
        return cls(connection)

    async def send(self, frame: bytes) -> None:
        """Send one frame.

        Raises:
            LinkLost: the connection is closed, or takes nothing more for as long as silence is borne.

        """
        try:
            async with asyncio.timeout(SILENCE_MAX_MS / 1000):
                await self._connection.send(frame)
        except (ConnectionClosed, TimeoutError) as error:
            raise LinkLost("the connection is closed") from error

    async def frames(self) -> AsyncIterator[bytes]:
        """Frames until the connection ends; a text frame comes as its bytes, and is no valid message."""
        try:
            async for frame in self._connection:
                yield frame if isinstance(frame, bytes) else frame.encode()
        except ConnectionClosed:
            return

    async def close(self, code: int, reason: str) -> None:
        """Close with a code; never fails, and takes no longer than the close timeout."""
        await self._connection.close(code, reason[:100])

    @property
    def close_code(self) -> int:
        """With which code the other side closed; 1006 when it just went away."""
        return self._connection.close_code or 1006


def _refusal(status: int) -> Exception:
    if status in _UNTRUSTED:
        return TokenRefused(str(status))
    if status >= 500:  # noqa: PLR2004 - RFC 9110: the server's own trouble
        return ServerUnreachable(f"it answers with status {status}")
    return NotRollcall(f"it answers with status {status}")
