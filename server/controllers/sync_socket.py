"""The door of the devices: `GET /api/v1/sync`, a WebSocket that is authenticated before it is accepted.

For the composition root: include `SyncSocket(SyncParts(tokens, store, followers, clock)).router()`, run
`followers.run()` and `store.run()` as tasks beside it, and call `followers.drain(delay_ms)` before it stops.
uvicorn's `ws_max_size` must be `sync.limits.FRAME_BYTES_MAX`; it closes the link of a larger message itself.
"""

import asyncio
from dataclasses import dataclass
from typing import Any, Final

import structlog
from fastapi import APIRouter, WebSocket
from fastapi.responses import JSONResponse
from starlette.websockets import WebSocketDisconnect, WebSocketState

from server.core.clock import Clock
from server.core.errors import (
    InvalidInput,
    NotEntitled,
    RollcallError,
    Unauthenticated,
    Unavailable,
)
from server.core.failures import facts_of
from server.core.tokens import TokenClaims, TokenPurpose, Tokens
from server.services.followers import Followers
from server.services.journal_intake import DeviceKey
from server.services.sync_store import ServerStore
from sync.driver import Driver, LinkLost, StoreUnavailable
from sync.effects import (
    CloseLink,
    LoadDevice,
    LoadPage,
    LoadSnapshot,
    RecordApplied,
    SendFrame,
    ServerEffect,
    StoreBatch,
)
from sync.errors import CloseCode
from sync.events import LinkClosed, LinkOpened, RightsLost
from sync.limits import SUBPROTOCOL
from sync.server_session import ServerSession

ROUTE: Final = "/api/v1/sync"
# At about 100 KiB each with its buffers, 2 GiB for one process.
SOCKETS_MAX: Final = 20_000
SEND_DEADLINE_S: Final = 10.0
CLOSE_DEADLINE_S: Final = 5.0
CLOSE_REASON_BYTES_MAX: Final = 123  # RFC 6455 section 5.5: a control frame carries 125 bytes, two of them the code
RETRY_AFTER_S: Final = 5

_STATUS: Final[tuple[tuple[type[RollcallError], int], ...]] = (
    (InvalidInput, 400),
    (Unauthenticated, 401),
    (NotEntitled, 403),
    (Unavailable, 503),
)

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class SyncParts:
    """What the door needs from the rest of the server; `sockets_max` bounds the sockets of this process."""

    tokens: Tokens
    store: ServerStore
    followers: Followers
    clock: Clock
    sockets_max: int = SOCKETS_MAX


class SyncSocket:
    """Lets devices in and runs one session for each."""

    def __init__(self, parts: SyncParts) -> None:
        """Hold the parts; nothing runs before a device comes."""
        self._parts = parts

    def router(self) -> APIRouter:
        """Give the router with the one route."""
        router = APIRouter()
        router.add_api_websocket_route(ROUTE, self.serve, name="sync")
        return router

    async def serve(self, websocket: WebSocket) -> None:
        """Serve one device from its upgrade request to the end of its link."""
        try:
            claims, device = await self._admit(websocket)
        except RollcallError as error:
            _log.info("device_turned_away", code=error.code)
            await _deny(websocket, error)
            return
        await websocket.accept(subprotocol=SUBPROTOCOL)
        await self._run(websocket, device, claims)

    async def _admit(self, websocket: WebSocket) -> tuple[TokenClaims, DeviceKey]:
        followers = self._parts.followers
        if followers.is_draining or len(followers) >= self._parts.sockets_max:
            raise Unavailable("This server has no room for another device; come back in a moment.")
        if SUBPROTOCOL not in websocket.scope.get("subprotocols", ()):
            raise InvalidInput(f"Offer the WebSocket subprotocol {SUBPROTOCOL}.")
        scheme, _, token = websocket.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            raise Unauthenticated("Send the device's access token as Authorization: Bearer.")
        claims = self._parts.tokens.verify(TokenPurpose.DEVICE, token.strip())
        return claims, await self._parts.store.find_active_device(claims.subject)

    async def _run(self, websocket: WebSocket, device: DeviceKey, claims: TokenClaims) -> None:
        clock = self._parts.clock
        link = _Link(websocket, self._parts.store, device)
        session = ServerSession(now_ms=clock.monotonic_ms())
        driver: Driver[ServerEffect] = Driver(session, link.perform, clock.monotonic_ms)
        leave = self._parts.followers.join(device, driver.deliver)
        left_s = max(0.0, claims.expires_at_s - clock.wall_ms() / 1000)
        expiry = asyncio.get_running_loop().call_later(left_s, driver.deliver, RightsLost(CloseCode.UNAUTHENTICATED))
        reader = asyncio.create_task(_read(websocket, driver))
        _log.info("device_connected", device=device.device_id)
        try:
            driver.deliver(LinkOpened())
            await driver.run()
        except Exception as error:  # noqa: BLE001 - whatever the defect, the other sockets go on
            _log.error("sync_session_failed", device=device.device_id, **facts_of(error))
        finally:
            expiry.cancel()
            leave()
            reader.cancel()
            await asyncio.gather(reader, return_exceptions=True)
            await link.close(CloseCode.INTERNAL, "internal error")
            _log.info("device_disconnected", device=device.device_id, code=link.closed_with)


class _Link:
    """Performs the effects of one session on its socket and on the store."""

    def __init__(self, websocket: WebSocket, store: ServerStore, device: DeviceKey) -> None:
        self._websocket = websocket
        self._store = store
        self._device = device
        self.closed_with: int | None = None

    async def perform(self, effect: ServerEffect) -> object | None:
        match effect:
            case SendFrame(frame):
                await self._send(frame)
            case CloseLink(code, reason):
                await self.close(code, reason)
            case RecordApplied():
                self._store.record_applied(self._device, effect)
            case _:
                return await self._ask_store(effect)
        return None

    async def close(self, code: CloseCode, reason: str) -> None:
        """Close the socket unless it is closed already."""
        states = {self._websocket.application_state, self._websocket.client_state}
        if states != {WebSocketState.CONNECTED} or self.closed_with is not None:
            return
        self.closed_with = int(code)
        short = reason.encode()[:CLOSE_REASON_BYTES_MAX].decode("utf-8", "ignore")
        try:
            async with asyncio.timeout(CLOSE_DEADLINE_S):
                await self._websocket.close(int(code), short)
        except (TimeoutError, OSError, RuntimeError, WebSocketDisconnect):
            _log.info("link_was_gone", device=self._device.device_id)

    async def _send(self, frame: bytes) -> None:
        try:
            async with asyncio.timeout(SEND_DEADLINE_S):
                await self._websocket.send_bytes(frame)
        except (TimeoutError, OSError, RuntimeError, WebSocketDisconnect) as error:
            raise LinkLost from error

    async def _ask_store(self, effect: LoadDevice | StoreBatch | LoadPage | LoadSnapshot) -> object:
        try:
            match effect:
                case LoadDevice():
                    return await self._store.load_device(self._device, effect)
                case StoreBatch(entries):
                    return await self._store.store_batch(self._device, entries)
                case LoadPage(after_version):
                    return await self._store.load_page(self._device, after_version)
                case LoadSnapshot():
                    return await self._store.load_snapshot(self._device)
        except Unavailable as error:
            raise StoreUnavailable(error.detail) from error


async def _read(websocket: WebSocket, driver: Driver[ServerEffect]) -> None:
    """Hand frames to the driver, which makes this wait when it has enough of them."""
    try:
        while True:
            message: Any = await websocket.receive()
            if message["type"] == "websocket.disconnect":
                return
            # A text frame is no message of this protocol, and no bytes are none either.
            await driver.deliver_frame(message.get("bytes") or b"")
    finally:
        driver.deliver(LinkClosed())


async def _deny(websocket: WebSocket, error: RollcallError) -> None:
    """Answer the upgrade request with problem details (RFC 9457) in place of a WebSocket."""
    status = next((status for kind, status in _STATUS if isinstance(error, kind)), 500)
    problem = {
        "type": f"/problems/{error.code}",
        "title": error.title,
        "status": status,
        "detail": error.detail,
        "code": error.code,
    }
    headers = {}
    if isinstance(error, Unauthenticated):
        headers["www-authenticate"] = "Bearer"
    if isinstance(error, Unavailable):
        headers["retry-after"] = str(RETRY_AFTER_S)
    response = JSONResponse(problem, status, headers, media_type="application/problem+json")
    if "websocket.http.response" in websocket.scope.get("extensions", {}):
        await websocket.send_denial_response(response)
    else:
        await websocket.close()
