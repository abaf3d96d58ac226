"""A small server in memory behind real HTTP and WebSockets: what a kiosk needs, by the shared core, and no more."""

import asyncio
import base64
import contextlib
import os
import socket
import time
import uuid
from collections.abc import AsyncIterator, Callable
from typing import Any

import msgspec
import uvicorn
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from sync import effects as do
from sync import events as on
from sync.codec import decode_from_device, encode
from sync.driver import Driver, LinkLost, StoreUnavailable
from sync.errors import CloseCode
from sync.limits import NONCE_BYTES, PROTOCOL_VERSION, SUBPROTOCOL
from sync.messages import Hello, proof_material
from sync.server_session import ServerSession
from tests.support.kiosk_center import ADA, BEN, BLOCKED, CENTER_ID, MOTHER, TWIN, ZOE, FakeCenter

__all__ = ["ADA", "BEN", "BLOCKED", "CODE", "MOTHER", "TWIN", "ZOE", "FakeServer", "until"]

CODE = "ABCD-2345"


class FakeServer(FakeCenter):
    """One centre in memory, with the shipped session, intake and change log; some faults can be switched on."""

    def __init__(self, center_id: str = CENTER_ID) -> None:
        super().__init__(center_id)
        self.devices: dict[str, str] = {}
        self.codes = {CODE: ""}
        self.lose_acknowledgements = 0
        self.lose_enrolment_answers = 0
        self.lose_door_keys = 0
        self.cut_after_frames = 0  # of the next link, and each behind it after its welcome; 0: none is cut
        self.refuse_tokens = 0
        self.close_with: CloseCode | None = None
        self.refused = 0
        self.stores_nothing = False
        self.good_for_ms = 0
        self.protocol_max = PROTOCOL_VERSION
        self.proofs: list[bool] = []
        self.sockets: set[WebSocket] = set()
        self.links: dict[str, set[Driver[do.ServerEffect]]] = {}
        self.door_keys: dict[str, str] = {}
        self.server_says: dict[str, str] = {}  # beside a token; older servers say nothing
        self.port = 0
        self._nonces: dict[str, str] = {}
        self._running: tuple[uvicorn.Server, asyncio.Task[None]] | None = None
        self.app = Starlette(
            routes=[
                Route("/api/v1/devices/enrol", self._enrol, methods=["POST"]),
                Route("/api/v1/devices/{device_id}/nonce", self._nonce, methods=["POST"]),
                Route("/api/v1/devices/{device_id}/token", self._token, methods=["POST"]),
                Route("/api/v1/devices/{device_id}/door-keys", self._door_keys),
                WebSocketRoute("/api/v1/sync", self._sync),
            ]
        )

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    # -- the doors

    async def _enrol(self, request: Request) -> Response:
        body = await request.json()
        key = self.codes.get(body["code"])
        if key is None or key not in ("", body["public_key"]):
            code = "enrolment_code_wrong" if key is None else "enrolment_code_used"
            return _problem(403, code)
        self.codes[body["code"]] = body["public_key"]
        known = [device for device, owned in self.devices.items() if owned == body["public_key"]]
        device_id = known[0] if known else str(uuid.UUID(int=len(self.devices) + 1, version=4))
        self.devices[device_id] = body["public_key"]
        if self.lose_enrolment_answers > 0:
            self.lose_enrolment_answers -= 1
            return Response(status_code=502)
        answer = {"device_id": device_id, "center_id": self.center_id, "center_name": "Oak House"}
        return JSONResponse(answer, status_code=201)

    async def _nonce(self, request: Request) -> Response:
        device_id = request.path_params["device_id"]
        if device_id not in self.devices:
            return _problem(404, "not_found")
        self._nonces[device_id] = base64.urlsafe_b64encode(uuid.uuid4().bytes * 2).decode()
        return JSONResponse({"nonce": self._nonces[device_id]})

    async def _token(self, request: Request) -> Response:
        device_id = request.path_params["device_id"]
        body = await request.json()
        nonce = self._nonces.pop(device_id, "")
        raw = base64.urlsafe_b64decode(self.devices[device_id] + "=")
        signature = base64.urlsafe_b64decode(body["signature"] + "==")
        message = f"rollcall-device-token-v1\n{device_id}\n{nonce}".encode()
        try:
            Ed25519PublicKey.from_public_bytes(raw).verify(signature, message)
        except InvalidSignature:
            return _problem(401, "unauthenticated")
        return JSONResponse({"access_token": f"token-of-{device_id}", "expires_in": 900, **self.server_says})

    async def _door_keys(self, request: Request) -> Response:
        device_id = request.path_params["device_id"]
        if request.headers.get("authorization") != f"Bearer token-of-{device_id}":
            return _problem(401, "unauthenticated")
        if self.lose_door_keys > 0:
            self.lose_door_keys -= 1
            return Response(status_code=502)
        return JSONResponse(self.door_keys) if self.door_keys else _problem(404, "not_found")

    async def _sync(self, websocket: WebSocket) -> None:
        bearer = websocket.headers.get("authorization", "")
        if self.refuse_tokens > 0:
            self.refuse_tokens -= 1
            await websocket.close(4401)
            return
        device_id = bearer.removeprefix("Bearer token-of-")
        if device_id not in self.devices:
            await websocket.close(4401)
            return
        await websocket.accept(subprotocol=SUBPROTOCOL)
        if self.close_with is not None:
            self.refused += 1
            await websocket.close(self.close_with)
            return
        self.sockets.add(websocket)
        link = _Link(self, websocket, device_id)
        try:
            await link.run()
        finally:
            self.sockets.discard(websocket)

    def revoke(self, device_id: str) -> None:
        """A manager switches a device off, as a server does it that still takes what the device holds."""
        self.revoked.add(device_id)
        for driver in self.links.get(device_id, ()):
            driver.deliver(on.RightsLost(CloseCode.REVOKED))

    def is_signed(self, device_id: str, nonce: bytes, signature: bytes) -> bool:
        """Whether this device signed a nonce of a link."""
        raw = base64.urlsafe_b64decode(self.devices[device_id] + "=")
        try:
            Ed25519PublicKey.from_public_bytes(raw).verify(signature, proof_material(device_id, nonce))
        except InvalidSignature:
            return False
        return True

    # -- running

    async def start(self, port: int = 0) -> None:
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", port or self.port))
        self.port = listener.getsockname()[1]
        config = uvicorn.Config(
            self.app, log_config=None, lifespan="off", ws="websockets-sansio", ws_ping_interval=None
        )
        server = uvicorn.Server(config)
        server.install_signal_handlers = lambda: None  # type: ignore[attr-defined]
        server.capture_signals = contextlib.nullcontext  # type: ignore[method-assign,assignment]
        task = asyncio.create_task(server.serve(sockets=[listener]))
        self._running = (server, task)
        while not server.started:
            await asyncio.sleep(0.01)

    async def stop(self) -> None:
        if self._running is None:
            return
        server, task = self._running
        self._running = None
        server.force_exit = True
        server.should_exit = True
        # uvicorn looks ten times a second whether it should exit; a desk that dials meanwhile would find a server.
        for listening in server.servers:
            listening.close()
        for websocket in tuple(self.sockets):
            with contextlib.suppress(RuntimeError, WebSocketDisconnect):
                await websocket.close(CloseCode.GOING_AWAY)
        await task

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator["FakeServer"]:
        await self.start()
        try:
            yield self
        finally:
            await self.stop()


class _Link:
    """One connection: the shipped session and driver over a Starlette WebSocket."""

    def __init__(self, server: FakeServer, websocket: WebSocket, device_id: str) -> None:
        self._server = server
        self._websocket = websocket
        self._device_id = device_id
        self._incarnation = ""
        self._sent = 0
        self._driver: Driver[do.ServerEffect] = Driver(
            ServerSession(now_ms=_monotonic_ms()), self._perform, _monotonic_ms
        )

    async def run(self) -> None:
        self._server.drivers.append(self._driver)
        self._server.links.setdefault(self._device_id, set()).add(self._driver)
        self._driver.deliver(on.LinkOpened(self._server.good_for_ms))
        reader = asyncio.create_task(self._read())
        try:
            await self._driver.run()
        finally:
            self._server.drivers.remove(self._driver)
            self._server.links[self._device_id].discard(self._driver)
            reader.cancel()
            await asyncio.gather(reader, return_exceptions=True)

    async def _read(self) -> None:
        try:
            while True:
                frame = await self._websocket.receive_bytes()
                await self._driver.deliver_frame(_as_heard(frame, self._server.protocol_max))
        except (WebSocketDisconnect, RuntimeError):
            pass
        finally:
            self._driver.deliver(on.LinkClosed())

    async def _perform(self, effect: do.ServerEffect) -> object | None:
        server = self._server
        match effect:
            case do.SendFrame(frame):
                await self._send(frame)
            case do.CloseLink(code, reason):
                with contextlib.suppress(RuntimeError, WebSocketDisconnect):
                    await self._websocket.close(code, reason)
            case do.LoadDevice():
                return self._load(effect)
            case do.StoreBatch(entries):
                if server.stores_nothing:
                    raise StoreUnavailable("as the test says")
                stored = server.store_batch(self._device_id, entries)
                if server.lose_acknowledgements > 0:
                    server.lose_acknowledgements -= 1
                    with contextlib.suppress(RuntimeError, WebSocketDisconnect):
                        await self._websocket.close(CloseCode.GOING_AWAY)
                    return on.LinkClosed()
                return stored
            case do.LoadPage(after_version):
                page = server.page(after_version)
                return on.PageLoaded(
                    epoch=page.epoch,
                    after_version=after_version,
                    to_version=page.to_version,
                    head_version=page.head_version,
                    frame=encode(page),
                )
            case do.LoadSnapshot():
                frames = tuple(encode(part) for part in server.snapshot())
                return on.SnapshotLoaded(head=server.head, frames=frames)
            case do.IssueChallenge():
                return on.ChallengeIssued(os.urandom(NONCE_BYTES))
            case do.CheckProof(nonce, signature):
                is_good = server.is_signed(self._device_id, nonce, signature)
                server.proofs.append(is_good)
                return on.ProofChecked(server.good_for_ms if is_good else 0)
            case _:
                pass
        return None

    def _load(self, effect: do.LoadDevice) -> on.DeviceLoaded:
        server = self._server
        journal = server.journal(self._device_id, effect.incarnation)
        return on.DeviceLoaded(
            stored_seq=journal.head.seq,
            stored_hash=journal.head.hash,
            head=server.head,
            cursor=_cursor(server, effect),
            server_wall_ms=server.clock_ms,
            is_entitled=self._device_id not in server.revoked,
            older=tuple(server.position(self._device_id, one.incarnation) for one in effect.older),
            lease_ms=server.lease_ms,
        )

    async def _send(self, frame: bytes) -> None:
        self._sent += 1
        if self._server.cut_after_frames and self._sent > self._server.cut_after_frames:
            with contextlib.suppress(RuntimeError, WebSocketDisconnect):
                await self._websocket.close(1011)
            self._server.cut_after_frames = 1
            raise LinkLost("cut")
        try:
            await self._websocket.send_bytes(frame)
        except (RuntimeError, WebSocketDisconnect) as error:
            raise LinkLost("gone") from error


def _cursor(server: FakeServer, effect: do.LoadDevice) -> on.Cursor:
    if effect.epoch in ("", server.head.epoch) and effect.version == 0:
        return on.Cursor.NONE
    is_ours = effect.epoch == server.head.epoch and effect.version <= server.head.version
    return on.Cursor.OURS if is_ours and effect.hash == server.hash_at(effect.version) else on.Cursor.FOREIGN


def _as_heard(frame: bytes, protocol_max: int) -> bytes:
    """A server of protocol 1 knows nothing of what a newer device offers beside it."""
    message = decode_from_device(frame)
    if protocol_max == PROTOCOL_VERSION or not isinstance(message, Hello):
        return frame
    return encode(msgspec.structs.replace(message, protocol_max=protocol_max, older=(), digests=()))


def _monotonic_ms() -> int:
    return time.monotonic_ns() // 1_000_000


def _problem(status: int, code: str) -> Response:
    return JSONResponse(
        {"type": f"/problems/{code}", "title": code, "status": status, "detail": "", "code": code},
        status_code=status,
        media_type="application/problem+json",
    )


async def until(condition: Callable[[], Any], timeout_s: float = 60.0) -> None:
    """Wait until the condition holds, or fail with what it was."""
    try:
        async with asyncio.timeout(timeout_s):
            while True:
                found = condition()
                if asyncio.iscoroutine(found):
                    found = await found
                if found:
                    return
                await asyncio.sleep(0.01)
    except TimeoutError:
        message = f"not in {timeout_s} s: {condition}"
        raise AssertionError(message) from None
