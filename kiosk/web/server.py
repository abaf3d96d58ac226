"""Serves one desk to one browser at a time: its page, its signs and scripts, and a socket with the screen behind it.

The screen is a process of its own, this program's `run`, that ends with the browser's connection: the replica has one
writer. Nothing is fetched from another host, and nobody but this machine gets in unless its owner says so.
"""

import asyncio
import contextlib
import ipaddress
import os
import signal
import socket
import sys
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec
import textual_serve
from aiohttp import WSMsgType, web
from textual_serve.app_service import AppService
from textual_serve.download_manager import DownloadManager

from kiosk.log import Log

HERE: Final = Path(__file__).parent
STATIC: Final = Path(textual_serve.__file__).parent / "static"
LOOPBACK_NAMES: Final = frozenset({"localhost", "127.0.0.1", "::1"})
# A paste of ten thousand characters is the largest thing that anybody sends.
FRAME_BYTES_MAX: Final = 128 * 1024
HEARTBEAT_S: Final = 15.0
# A browser that reloads comes back before the desk behind it is closed.
TURN_S: Final = 15.0
END_S: Final = 10.0
CELLS_MIN, CELLS_MAX = 10, 500
FONT_SIZE: Final = "16"
HEADERS: Final = {
    # xterm writes its styles into the page; scripts come from files alone.
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; "
    "connect-src 'self'; img-src 'self' data:; font-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}
WARNING: Final = (
    "Anybody in this network who can reach {host} can open this desk, and what goes over it is not encrypted.\n"
    "Give your staff PINs first, so that the desk locks; better, keep it on this machine (leave --host out)."
)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

log = Log()


class Said(msgspec.Struct, frozen=True, array_like=True):
    """What the page says: `["stdin", "a"]`, `["resize", {...}]`, `["ping", 1]`, `["focus"]`, `["blur"]`."""

    kind: str
    given: msgspec.Raw = msgspec.Raw(b"null")


class Resize(msgspec.Struct, frozen=True):
    """The size of the browser's terminal in cells."""

    width: int
    height: int


@dataclass(frozen=True)
class WebSettings:
    """Where the page is served, and the command behind it."""

    host: str
    port: int
    command: tuple[str, ...]

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine gets in."""
        return self.host in LOOPBACK_NAMES


class DeskProcess(AppService):
    """The screen behind a socket: started without a shell, and ended for good when the browser is gone."""

    def __init__(self, command: Sequence[str], socket_: web.WebSocketResponse) -> None:
        async def close() -> None:
            await socket_.close()

        super().__init__(
            "",
            write_bytes=socket_.send_bytes,
            write_str=socket_.send_str,
            close=close,
            download_manager=DownloadManager(),
        )
        self._command = command

    async def _open_app_process(self, width: int = 80, height: int = 24) -> asyncio.subprocess.Process:
        self._process = await asyncio.create_subprocess_exec(
            *self._command,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=self._build_environment(width, height),
            start_new_session=True,
        )
        self._stdin = self._process.stdin
        return self._process

    async def end(self) -> None:
        """Ask it to end; what does not end in ten seconds is killed, and has lost nothing that it called recorded."""
        with contextlib.suppress(TimeoutError, ConnectionError):
            async with asyncio.timeout(END_S):
                await self.stop()
        if self._process is not None and self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError, TimeoutError):
                async with asyncio.timeout(1):
                    await self._process.wait()
            if self._process.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(self._process.pid, signal.SIGKILL)
                await self._process.wait()


class DeskServer:
    """The page and its socket."""

    def __init__(self, settings: WebSettings) -> None:
        self._settings = settings
        self._turn = asyncio.Lock()

    def app(self) -> web.Application:
        """The routes, each behind the same guard."""
        app = web.Application(middlewares=[self._guard], client_max_size=1024)
        app.router.add_get("/", self._page)
        app.router.add_get("/desk.css", _file("desk.css", "text/css"))
        app.router.add_get("/desk.js", _file("desk.js", "text/javascript"))
        app.router.add_get("/ws", self._socket)
        app.router.add_static("/static", STATIC, show_index=False, follow_symlinks=False)
        return app

    @web.middleware
    async def _guard(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Answer only to a name that is ours: a page elsewhere whose name leads here (DNS rebinding) gets nothing."""
        if not is_own_name(request.host, self._settings):
            return web.Response(status=421, text="This desk is not known by that name.\n", headers=HEADERS)
        response = await handler(request)
        if not response.prepared:
            response.headers.update(HEADERS)
        return response

    async def _page(self, request: web.Request) -> web.Response:
        text = (HERE / "index.html").read_text(encoding="utf-8")
        size = request.query.get("fontsize", "")
        font = size if size.isdecimal() and len(size) == len(FONT_SIZE) else FONT_SIZE
        page = text.replace("__SOCKET__", f"ws://{request.host}/ws").replace("__FONT__", font)
        return web.Response(text=page, content_type="text/html")

    async def _socket(self, request: web.Request) -> web.StreamResponse:
        """Run the desk for as long as this browser is there."""
        if request.headers.get("Origin", "") not in {f"http://{request.host}", f"https://{request.host}"}:
            return web.Response(status=403, text="The page of this desk opens it, and no other.\n")
        socket_ = web.WebSocketResponse(heartbeat=HEARTBEAT_S, max_msg_size=FRAME_BYTES_MAX)
        await socket_.prepare(request)
        try:
            async with asyncio.timeout(TURN_S):
                await self._turn.acquire()
        except TimeoutError:
            log.info("second_browser_refused")
            await socket_.close(code=4409, message=b"open elsewhere")
            return socket_
        desk = DeskProcess(self._settings.command, socket_)
        try:
            await desk.start(_cells(request.query.get("width", ""), 80), _cells(request.query.get("height", ""), 24))
            await _pass_on(socket_, desk)
        finally:
            try:
                await desk.end()
            finally:
                self._turn.release()
        return socket_


async def _pass_on(socket_: web.WebSocketResponse, desk: DeskProcess) -> None:
    async for message in socket_:
        if message.type is not WSMsgType.TEXT:
            continue
        try:
            said = msgspec.json.decode(message.data, type=Said)
            await _hear(socket_, desk, said)
        except msgspec.DecodeError:  # nothing of ours sends that
            await socket_.close(code=1003)


async def _hear(socket_: web.WebSocketResponse, desk: DeskProcess, said: Said) -> None:
    kind, given = said.kind, said.given
    if kind == "stdin":
        await desk.send_bytes(msgspec.json.decode(given, type=str).encode(errors="replace"))
    elif kind == "resize":
        size = msgspec.json.decode(given, type=Resize)
        await desk.set_terminal_size(_cells(str(size.width), 80), _cells(str(size.height), 24))
    elif kind == "ping":
        await socket_.send_json(["pong", msgspec.json.decode(given)])
    elif kind == "focus":
        await desk.focus()
    elif kind == "blur":
        await desk.blur()


def is_own_name(host: str, settings: WebSettings) -> bool:
    """Whether a request's `Host` is a name of this desk: on loopback the names of that, else an address or our own."""
    name = host.rpartition(":")[0] if host.rpartition(":")[2].isdecimal() else host
    name = name.strip("[]").lower()
    if settings.is_loopback:
        return name in LOOPBACK_NAMES
    own = socket.gethostname().lower()
    if name in {*LOOPBACK_NAMES, settings.host.lower(), own, f"{own}.local"}:
        return True
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def desk_command(arguments: Sequence[str]) -> tuple[str, ...]:
    """This program's `run` with these arguments, as a process of its own."""
    return (sys.executable, "-m", "kiosk", "run", *arguments)


def serve(settings: WebSettings, say: Callable[[str], None]) -> None:
    """Serve until Ctrl-C or SIGTERM; raises OSError when the port is taken."""
    if not settings.is_loopback:
        say(WARNING.format(host=settings.host))
    shown = f"[{settings.host}]" if ":" in settings.host else settings.host
    say(f"This desk is open in a browser at http://{shown}:{settings.port} - Ctrl-C ends it.")
    app = DeskServer(settings).app()
    web.run_app(app, host=settings.host, port=settings.port, print=None, access_log=None)


def _cells(text: str, usual: int) -> int:
    return min(max(int(text), CELLS_MIN), CELLS_MAX) if text.isdecimal() and len(text) <= len(str(CELLS_MAX)) else usual


def _file(name: str, kind: str) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def give(_: web.Request) -> web.Response:
        return web.Response(text=(HERE / name).read_text(encoding="utf-8"), content_type=kind)

    return give
