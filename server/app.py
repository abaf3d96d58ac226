"""The composition root: the one place where the parts of the server are put together."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Final

import structlog
from fastapi import FastAPI

from server.controllers.sync_socket import SyncParts, SyncSocket
from server.core.asking import THE_SERVER, asks
from server.core.clock import Clock, SystemClock
from server.core.settings import Settings
from server.routes import build_app
from server.services.bundle import Services
from server.services.database_setup import open_database
from server.services.followers import Followers
from server.services.job_list import ANSWER_RECOVERIES, MAKE_EXPORTS, SEND_MAIL
from server.services.live_hub import LiveHub
from server.services.sync_store import ServerStore
from server.wiring import jobs_for, parts_of, services_of

# A device that is asked to leave comes back after a restart, spread over a second by its own jitter.
DRAIN_DELAY_MS: Final = 1_000
HOUR_MS: Final = 3_600_000
DRAIN_POLL_S: Final = 0.05
DRAIN_POLLS: Final = 60  # three seconds

Progress = Callable[[str], None]

_log = structlog.get_logger(__name__)


@dataclass(slots=True)
class _Draining:
    """Whether this server is about to stop."""

    has_begun: bool = False


@dataclass(frozen=True, slots=True)
class RunningApp:
    """An app with everything behind it; `drain` sends devices and live viewers away before it stops."""

    app: FastAPI
    services: Services
    drain: Callable[[], Coroutine[None, None, None]]


@asynccontextmanager
async def running_app(
    settings: Settings,
    progress: Progress = lambda _text: None,
    clock: Clock | None = None,
    app: FastAPI | None = None,
) -> AsyncIterator[RunningApp]:
    """Open the database, wire everything and keep it running for as long as the block takes.

    `app`: one that `build_app` made for such settings, when whoever calls has one.

    Raises SetupError or DatabaseUnavailable with a sentence for the operator.
    """
    clock = clock or SystemClock()
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(open_database(settings, progress))
        parts, listener = await parts_of(stack, settings, database, clock)
        draining = _Draining()
        services = services_of(parts, lambda: draining.has_begun)
        jobs = jobs_for(stack, parts, services, database)
        parts.bell.hear = lambda: jobs.wake(SEND_MAIL)
        parts.export_bell.hear = lambda: jobs.wake(MAKE_EXPORTS)
        parts.recovery_bell.hear = lambda: jobs.wake(ANSWER_RECOVERIES)
        lease_ms = settings.device_lease_hours * HOUR_MS
        store = ServerStore(parts.units, parts.intake, clock, lease_ms=lease_ms)
        followers = Followers(parts.units, listener, store.standings, clock)
        hub = LiveHub(followers, services.auth.users, clock)
        app = app or build_app(settings, clock)
        app.state.services, app.state.live_hub = services, hub
        app.state.sync_socket = SyncSocket(SyncParts(parts.tokens, store, followers, clock, secrets.token_bytes))
        catch_up = services.projections.catch_up()
        tasks = {"followers": followers.run(), "live": hub.run(), "positions": store.run(), "projections": catch_up}
        if database.postgres is not None:
            tasks["postgres_watch"] = database.postgres.watch()
        await stack.enter_async_context(_background(tasks))
        await stack.enter_async_context(jobs.running())

        async def drain() -> None:
            draining.has_begun = True
            followers.drain(DRAIN_DELAY_MS)
            hub.drain()
            for _ in range(DRAIN_POLLS):
                if not len(followers) and not len(hub):
                    return
                await asyncio.sleep(DRAIN_POLL_S)

        yield RunningApp(app, services, drain)


@asynccontextmanager
async def _background(lasting: dict[str, Coroutine[None, None, None]]) -> AsyncIterator[None]:
    """Run what lasts beside the block; one that fails is loud in the log, and all end with the block."""
    with asks(THE_SERVER):
        tasks = [asyncio.create_task(one, name=name) for name, one in lasting.items()]
    for task in tasks:
        task.add_done_callback(_report)
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _report(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and task.exception() is not None:
        _log.error("background_job_failed", job=task.get_name(), exc_info=task.exception())
