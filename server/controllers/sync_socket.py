"""The door of the devices: `GET /api/v1/sync`, a WebSocket that is authenticated before it is accepted.

For the composition root: include `SyncSocket(SyncParts(tokens, store, followers, clock, luck)).router()`, run
`followers.run()` and `store.run()` as tasks beside it, and call `followers.drain(delay_ms)` before it stops.
uvicorn's `ws_max_size` must be `sync.limits.FRAME_BYTES_MAX`; it closes the link of a larger message itself.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import structlog
from fastapi import APIRouter, WebSocket
from fastapi.responses import JSONResponse
from starlette.websockets import WebSocketDisconnect, WebSocketState

from server.core.asking import Asking, let_ask, within
from server.core.clock import Clock
from server.core.errors import (
    InvalidInput,
    NotEntitled,
    RollcallError,
    Unauthenticated,
    Unavailable,
)
from server.core.failures import facts_of
from server.core.ids import Luck
from server.core.tokens import TokenClaims, TokenPurpose, Tokens
from server.services.followers import Followers
from server.services.sync_store import Admitted, ServerStore
from sync.driver import Driver, LinkLost, StoreUnavailable
from sync.effects import (
    CheckProof,
    CloseLink,
    IssueChallenge,
    LoadBucket,
    LoadDevice,
    LoadPage,
    LoadSnapshot,
    RecordApplied,
    SendFrame,
    ServerEffect,
    StoreBatch,
)
from sync.errors import CloseCode
from sync.events import ChallengeIssued, DeviceLoaded, LinkClosed, LinkOpened, Overloaded, RightsLost
from sync.journal import Entry
from sync.limits import NONCE_BYTES, SUBPROTOCOL
from sync.server_session import ServerSession

ROUTE: Final = "/api/v1/sync"
# At about 100 KiB each with its buffers, 2 GiB for one process.
SOCKETS_MAX: Final = 20_000
SEND_DEADLINE_S: Final = 10.0
CLOSE_DEADLINE_S: Final = 5.0
CLOSE_REASON_BYTES_MAX: Final = 123  # RFC 6455 section 5.5: a control frame carries 125 bytes, two of them the code
RETRY_AFTER_S: Final = 5
# A revoked device hands over at most 500 entries a second, on one link for each process: a week of a busy desk in
# seconds, and no way to keep a database busy for whoever stole it.
REVOKED_PUSH_INTERVAL_MS: Final = 1_000

_STATUS: Final[tuple[tuple[type[RollcallError], int], ...]] = (
    (InvalidInput, 400),
    (Unauthenticated, 401),
    (NotEntitled, 403),
    (Unavailable, 503),
)

router = APIRouter()
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class SyncParts:
    """What the door needs from the rest of the server.

    `sockets_max` bounds the sockets of this process, `send_deadline_s` how long a device may leave a frame unread.
    """

    tokens: Tokens
    store: ServerStore
    followers: Followers
    clock: Clock
    luck: Luck
    sockets_max: int = SOCKETS_MAX
    send_deadline_s: float = SEND_DEADLINE_S


class SyncSocket:
    """Lets devices in and runs one session for each."""

    def __init__(self, parts: SyncParts) -> None:
        """Hold the parts; nothing runs before a device comes."""
        self._parts = parts
        self._revoked: set[str] = set()

    async def serve(self, websocket: WebSocket) -> None:
        """Serve one device from its upgrade request to the end of its link."""
        try:
            claims, device = await self._admit(websocket)
            let_ask(Asking(within([device.key.center_id])))
        except RollcallError as error:
            _log.info("device_turned_away", code=error.code)
            await _deny(websocket, error)
            return
        if device.is_entitled:
            await self._run(websocket, device, claims)
            return
        self._revoked.add(device.key.device_id)
        try:
            await self._run(websocket, device, claims)
        finally:
            self._revoked.discard(device.key.device_id)

    async def _admit(self, websocket: WebSocket) -> tuple[TokenClaims, Admitted]:
        followers = self._parts.followers
        if followers.is_draining or len(followers) >= self._parts.sockets_max:
            raise Unavailable("This server has no room for another device; come back in a moment.")
        if SUBPROTOCOL not in websocket.scope.get("subprotocols", ()):
            raise InvalidInput(f"Offer the WebSocket subprotocol {SUBPROTOCOL}.")
        scheme, _, token = websocket.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            raise Unauthenticated("Send the device's access token as Authorization: Bearer.")
        claims = self._parts.tokens.verify(TokenPurpose.DEVICE, token.strip())
        device = await self._parts.store.admit(claims.subject)
        if device.key.device_id in self._revoked:
            raise Unavailable("This device is handing over its journal on another link.")
        return claims, device

    async def _run(self, websocket: WebSocket, device: Admitted, claims: TokenClaims) -> None:
        clock = self._parts.clock
        await websocket.accept(subprotocol=SUBPROTOCOL)
        link = _Link(websocket, self._parts, device)
        session = ServerSession(now_ms=clock.monotonic_ms())
        driver: Driver[ServerEffect] = Driver(session, link.perform, clock.monotonic_ms)
        link.deliver = driver.deliver
        leave = self._parts.followers.join(device.key, driver.deliver)
        left_ms = max(1, claims.expires_at_s * 1000 - clock.wall_ms())
        reader = asyncio.create_task(_read(websocket, driver))
        _log.info("device_connected", device=device.key.device_id)
        try:
            driver.deliver(LinkOpened(left_ms))
            await driver.run()
        except Exception as error:  # noqa: BLE001 - whatever the defect, the other sockets go on
            _log.error("sync_session_failed", device=device.key.device_id, **facts_of(error))
        finally:
            leave()
            reader.cancel()
            await asyncio.gather(reader, return_exceptions=True)
            await link.close(CloseCode.INTERNAL, "internal error")
            _log.info("device_disconnected", device=device.key.device_id, code=link.closed_with)


class _Link:
    """Performs the effects of one session on its socket and on the store."""

    def __init__(self, websocket: WebSocket, parts: SyncParts, device: Admitted) -> None:
        self._websocket = websocket
        self._parts = parts
        self._store = parts.store
        self._device = device.key
        self._is_entitled = device.is_entitled
        self._next_push_ms = parts.clock.monotonic_ms()
        self.deliver: Callable[[object], None] = lambda _event: None
        self.closed_with: int | None = None
        self._is_lost = False

    async def perform(self, effect: ServerEffect) -> object | None:
        match effect:
            case SendFrame(frame):
                await self._send(frame)
            case CloseLink(code, reason):
                await self.close(code, reason)
            case RecordApplied():
                self._store.record_applied(self._device, effect)
            case IssueChallenge():
                return ChallengeIssued(self._parts.luck(NONCE_BYTES))
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
        """Send a frame; the first that is not taken in time is the last that is tried."""
        if self._is_lost:
            raise LinkLost
        try:
            async with asyncio.timeout(self._parts.send_deadline_s):
                await self._websocket.send_bytes(frame)
        except (TimeoutError, OSError, RuntimeError, WebSocketDisconnect) as error:
            self._is_lost = True
            raise LinkLost from error

    async def _ask_store(
        self, effect: LoadDevice | StoreBatch | LoadPage | LoadSnapshot | LoadBucket | CheckProof
    ) -> object:
        try:
            match effect:
                case LoadDevice():
                    return await self._load_device(effect)
                case StoreBatch(entries):
                    return await self._store_batch(entries)
                case LoadPage():
                    return await self._store.load_page(self._device, effect)
                case LoadSnapshot():
                    return await self._store.load_snapshot(self._device, effect)
                case LoadBucket():
                    return await self._store.load_bucket(self._device, effect)
                case CheckProof():
                    return await self._store.check_proof(self._device, effect)
        except Unavailable as error:
            raise StoreUnavailable(error.detail) from error

    async def _load_device(self, effect: LoadDevice) -> DeviceLoaded | RightsLost:
        """Load the device. One that was suspended meanwhile may not stay, and must not take itself for revoked."""
        try:
            loaded = await self._store.load_device(self._device, effect)
        except NotEntitled:
            return RightsLost(CloseCode.UNAUTHENTICATED)
        self._is_entitled = loaded.is_entitled
        return loaded

    async def _store_batch(self, entries: Sequence[Entry]) -> object:
        if not self._is_entitled:
            await self._wait_for_turn()
        answer = await self._store.store_batch(self._device, entries)
        delay_ms = self._store.slow_down_ms()
        if delay_ms:
            self.deliver(Overloaded(delay_ms))
        return answer

    async def _wait_for_turn(self) -> None:
        """Let the pushes of a revoked device be `REVOKED_PUSH_INTERVAL_MS` apart."""
        now_ms = self._parts.clock.monotonic_ms()
        await asyncio.sleep(max(0, self._next_push_ms - now_ms) / 1000)
        self._next_push_ms = max(now_ms, self._next_push_ms) + REVOKED_PUSH_INTERVAL_MS


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


@router.websocket(ROUTE, name="sync")
async def sync(websocket: WebSocket) -> None:
    """Let the socket of the app that runs serve a device; before there is one, and after, nobody is let in."""
    socket = getattr(websocket.app.state, "sync_socket", None)
    if isinstance(socket, SyncSocket):
        await socket.serve(websocket)
    else:
        await _deny(websocket, Unavailable())


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
