"""How the app is run: `server.asgi:app` for any ASGI server, and `serve` with uvicorn inside this process."""

import asyncio
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack, contextmanager
from typing import Final

import structlog
import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.loops.auto import auto_loop_factory

from server.app import RunningApp, running_app
from server.core.errors import SetupError, Unavailable
from server.core.logging import configure_logging
from server.core.settings import Settings, load_settings
from sync.limits import FRAME_BYTES_MAX

GRACE_S: Final = 10
BACKLOG: Final = 2_048
# What a peer leaves unread for so long ends its connection, also one that we closed already; without it a closed
# connection whose peer never reads would keep its buffer for ever.
UNREAD_MAX_MS: Final = 30_000

Announce = Callable[[str], None]

_log = structlog.get_logger(__name__)


class PortTaken(SetupError):
    """Nothing can listen at the address that was asked for."""

    code = "port_taken"
    title = "The address cannot be used"


class DeferredApp:
    """Builds the app when the server says that it starts, and takes everything down when it says that it stops.

    `uvicorn server.asgi:app --reload` works, and importing this module does nothing.
    """

    def __init__(self) -> None:
        """Hold nothing yet."""
        self._app: ASGIApp | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one scope of the ASGI protocol."""
        if scope["type"] == "lifespan":
            await self._live(receive, send)
            return
        if self._app is None:
            raise RuntimeError("The server must run the lifespan protocol; with uvicorn: --lifespan on")
        await self._app(scope, receive, send)

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        async with AsyncExitStack() as stack:
            try:
                settings = load_settings()
                configure_logging(level=settings.log_level, log_format=settings.log_format)
                running = await stack.enter_async_context(running_app(settings))
            except (SetupError, Unavailable) as error:
                await send({"type": "lifespan.startup.failed", "message": error.detail})
                return
            self._app = running.app
            await send({"type": "lifespan.startup.complete"})
            await receive()
            self._app = None
        await send({"type": "lifespan.shutdown.complete"})


app = DeferredApp()


def serve(settings: Settings, announce: Announce) -> None:
    """Run the server in this process until SIGINT or SIGTERM; `announce` gets a sentence for people now and then.

    Raises SetupError or DatabaseUnavailable with a sentence for the operator when it cannot start.
    """
    with asyncio.Runner(loop_factory=auto_loop_factory()) as runner:
        runner.run(_serve(settings, announce))


async def _serve(settings: Settings, announce: Announce) -> None:
    # The address first: it is the commonest mistake, and found without waiting for the database.
    with _listening(settings) as listener:
        loop, starting = asyncio.get_running_loop(), asyncio.current_task()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, starting.cancel if starting else lambda: None)
        try:
            async with running_app(settings, announce) as running:
                server = _Server(_config(settings, running.app))
                stopping = _Stopping(server, running)
                for number in (signal.SIGINT, signal.SIGTERM):
                    loop.add_signal_handler(number, stopping.signalled)
                announce(f"Rollcall answers at {_address(listener)}; the API is explained at /docs. Ctrl-C stops it.")
                await server.serve(sockets=[listener])
        except asyncio.CancelledError:
            _log.info("stopped_while_starting")


class _Server(uvicorn.Server):
    """A uvicorn that leaves signals to us: its own way would end the process before the database is stopped."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture none."""
        yield


class _Stopping:
    """The first signal sends devices away and stops gracefully, the second stops at once."""

    def __init__(self, server: uvicorn.Server, running: RunningApp) -> None:
        self._server = server
        self._running = running
        self._task: asyncio.Task[None] | None = None

    def signalled(self) -> None:
        if self._task is not None:
            self._server.force_exit = True
            self._server.should_exit = True
            return
        _log.info("server_stopping")
        self._task = asyncio.create_task(self._stop())

    async def _stop(self) -> None:
        await self._running.drain()
        self._server.should_exit = True


def _config(settings: Settings, app: ASGIApp) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        lifespan="off",
        ws="websockets-sansio",
        ws_max_size=FRAME_BYTES_MAX,
        ws_per_message_deflate=False,
        log_config=None,
        access_log=False,
        server_header=False,
        # Without them the direct peer is the client: uvicorn alone would believe everything on this machine.
        proxy_headers=bool(settings.trusted_proxies),
        forwarded_allow_ips=list(settings.trusted_proxies),
        backlog=BACKLOG,
        timeout_graceful_shutdown=GRACE_S,
        log_level=settings.log_level.lower(),
    )


@contextmanager
def _listening(settings: Settings) -> Iterator[socket.socket]:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    with listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if hasattr(socket, "TCP_USER_TIMEOUT"):  # Linux; accepted sockets inherit it
            listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, UNREAD_MAX_MS)
        try:
            listener.bind((settings.host, settings.port))
            listener.listen(BACKLOG)
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise PortTaken(
                f"Nothing can listen at {settings.host} port {settings.port} ({reason}): stop what uses it, or choose "
                "another with --port or PORT."
            ) from error
        listener.settimeout(0)
        yield listener


def _address(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
