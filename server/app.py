"""The composition root: the one place where the parts of the server are put together."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Final

import structlog
from fastapi import APIRouter, FastAPI
from starlette.middleware.cors import CORSMiddleware

from server.controllers import (
    api_docs,
    attendance,
    auth,
    center_days,
    centers,
    dashboard,
    dashboard_assets,
    dashboard_sign_in,
    desk_entries,
    devices,
    health,
    incidents,
    live,
    presence,
    problems,
    ratio,
    reviews,
    stay_evidence,
    users,
)
from server.controllers.browser import browser_door
from server.controllers.dependencies import PROBLEM_RESPONSES
from server.controllers.middleware import HTTPS_ONLY, SAFE_HEADERS, RequestFrame
from server.controllers.sync_socket import SyncParts, SyncSocket
from server.core.clock import Clock, SystemClock
from server.core.database import create_engine
from server.core.ids import Ids
from server.core.migrate import newest_revision
from server.core.passwords import Passwords
from server.core.settings import Settings
from server.core.smtp import mail_server
from server.core.tokens import Tokens
from server.repositories.heads import HeadListener
from server.repositories.job_locks import JobLocks
from server.repositories.unit_of_work import UnitsOfWork
from server.services.access import Centers
from server.services.accounts import Accounts
from server.services.attendance import Attendance
from server.services.auth import Auth
from server.services.auto_close import AutoClose
from server.services.browser_sessions import BrowserSessions
from server.services.bundle import Services
from server.services.center_days import CenterDays
from server.services.database_setup import OpenDatabase, borrow_database, open_database
from server.services.desk_entries import DeskEntries
from server.services.devices import Devices
from server.services.enrolment import Enrolment
from server.services.followers import Followers
from server.services.health import Health
from server.services.incidents import Incidents
from server.services.jobs import Job, Jobs, RunsOn
from server.services.journal_intake import JournalIntake
from server.services.live_board import LiveBoards
from server.services.live_hub import LiveHub
from server.services.mail import Outbox
from server.services.mail_sender import RUN_DEADLINE_S, MailSender
from server.services.notifications import Notifications
from server.services.presence import PresenceReports
from server.services.projections import Projections
from server.services.ratio import Ratio
from server.services.ratio_rules import RatioRules
from server.services.reviews import Reviews
from server.services.rollcalls import RollCallReports
from server.services.roster_import import RosterImport
from server.services.server_desk import ServerDesk
from server.services.stay_evidence import StayEvidence
from server.services.sync_store import ServerStore

API_PREFIX: Final = "/api/v1"
# A device that is asked to leave comes back after a restart, spread over a second by its own jitter.
DRAIN_DELAY_MS: Final = 1_000
HOUR_MS: Final = 3_600_000
DRAIN_POLL_S: Final = 0.05
DRAIN_POLLS: Final = 60  # three seconds
SEND_MAIL: Final = "send_mail"
# One connection for each job that runs on one server, and as many again in a rush.
JOB_LOCK_CONNECTIONS: Final = 2

Progress = Callable[[str], None]

_log = structlog.get_logger(__name__)


@dataclass(slots=True)
class _Draining:
    """Whether this server is about to stop."""

    has_begun: bool = False


@dataclass(slots=True)
class _Bell:
    """Wakes whoever sends mails, once there is somebody."""

    hear: Callable[[], None] = lambda: None

    def ring(self) -> None:
        """Something was queued."""
        self.hear()


@dataclass(frozen=True, slots=True)
class RunningApp:
    """An app with everything behind it; `drain` sends devices and live viewers away before it stops."""

    app: FastAPI
    services: Services
    drain: Callable[[], Coroutine[None, None, None]]


@dataclass(frozen=True, slots=True)
class _Parts:
    settings: Settings
    clock: Clock
    ids: Ids
    units: UnitsOfWork
    tokens: Tokens
    bell: _Bell
    notifications: Notifications
    intake: JournalIntake
    desk: ServerDesk


def build_app(settings: Settings, clock: Clock) -> FastAPI:
    """Make the app with its routes; without services it answers that it is not ready."""
    app = FastAPI(
        title="Rollcall",
        description="Check-in and check-out for child-care centres, offline first.",
        version=_version(),
        docs_url=None,
        redoc_url=None,
        openapi_url=api_docs.OPENAPI_PATH if settings.docs_enabled else None,
    )
    api = APIRouter(prefix=API_PREFIX, responses=PROBLEM_RESPONSES)
    # `presence` first: no `/attendance/{...}` that comes later takes its address.
    attendances = (presence, attendance, desk_entries, stay_evidence, reviews)
    for door in (auth, users, centers, center_days, devices, *attendances, ratio, incidents, live):
        api.include_router(door.router)
    app.include_router(api)
    app.include_router(health.router)
    for page in (dashboard.root, dashboard_assets.router, dashboard_sign_in.router, dashboard.router):
        app.include_router(page)
    app.state.browser_door = browser_door(settings)
    app.state.base_url = settings.base_url
    if settings.docs_enabled:
        api_docs.install(app)
    problems.install(app)
    if settings.cors_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=list(settings.cors_origins),
            allow_methods=["GET", "POST", "PUT"],
            allow_headers=["Authorization", "Content-Type", "If-None-Match", "Last-Event-ID"],
            expose_headers=["ETag", "X-Request-ID"],
        )
    headers = (*SAFE_HEADERS, HTTPS_ONLY) if settings.environment == "production" else SAFE_HEADERS
    app.add_middleware(RequestFrame, clock=clock, new_id=Ids(clock).new, headers=headers)
    return app


@asynccontextmanager
async def running_app(
    settings: Settings, progress: Progress = lambda _text: None, clock: Clock | None = None
) -> AsyncIterator[RunningApp]:
    """Open the database, wire everything and keep it running for as long as the block takes.

    Raises SetupError or DatabaseUnavailable with a sentence for the operator.
    """
    clock = clock or SystemClock()
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(open_database(settings, progress))
        parts, listener = await _parts(stack, settings, database, clock)
        draining = _Draining()
        services = _services(parts, draining)
        jobs = _jobs(stack, parts, services, database)
        parts.bell.hear = lambda: jobs.wake(SEND_MAIL)
        lease_ms = settings.device_lease_hours * HOUR_MS
        store = ServerStore(parts.units, parts.intake, clock, lease_ms=lease_ms)
        followers = Followers(parts.units, listener, store.standings, clock)
        app = build_app(settings, clock)
        app.include_router(SyncSocket(SyncParts(parts.tokens, store, followers, clock, secrets.token_bytes)).router())
        hub = LiveHub(followers, services.auth.users, clock)
        app.state.services, app.state.live_hub = services, hub
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
async def borrowed_services(settings: Settings, progress: Progress = lambda _text: None) -> AsyncIterator[Services]:
    """Give the use-cases to a command, beside a running server or without one.

    Raises SetupError or DatabaseUnavailable with a sentence for the operator.
    """
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(borrow_database(settings, progress))
        parts, _ = await _parts(stack, settings, database, SystemClock())
        yield _services(parts, _Draining())


async def _parts(
    stack: AsyncExitStack, settings: Settings, database: OpenDatabase, clock: Clock
) -> tuple[_Parts, HeadListener]:
    engine = create_engine(database.urls.app, pool_size=settings.database_pool_size)
    stack.push_async_callback(engine.dispose)
    ids = Ids(clock)
    units = UnitsOfWork(engine, clock=clock, luck=secrets.token_bytes, new_id=ids.new)
    secret_key = settings.secret_key.get_secret_value()
    bell = _Bell()
    notifications = Notifications(Outbox(clock, ids.new, bell.ring), settings.base_url)
    intake = JournalIntake(units, clock, notifications.tell_critical)
    desk = ServerDesk(units, intake, clock, ids.new, secret_key)
    tokens = Tokens(secret_key, clock)
    parts = _Parts(settings, clock, ids, units, tokens, bell, notifications, intake, desk)
    return parts, HeadListener(engine)


def _jobs(stack: AsyncExitStack, parts: _Parts, services: Services, database: OpenDatabase) -> Jobs:
    """What this server does by itself."""
    locks = create_engine(database.urls.app, pool_size=JOB_LOCK_CONNECTIONS, application_name="rollcall jobs")
    stack.push_async_callback(locks.dispose)
    sender = MailSender(parts.units, mail_server(parts.settings), parts.clock, secrets.SystemRandom().random)
    return Jobs(
        JobLocks(locks),
        (
            Job(SEND_MAIL, 5, RUN_DEADLINE_S, sender.send_due, RunsOn.EVERY_SERVER),
            Job("forget_mail", 3600, 60, sender.forget_old),
            Job("forget_browser_sessions", 3600, 60, services.browser_sessions.forget_ended),
            Job("auto_close", 60, 50, AutoClose(parts.units, parts.desk, parts.clock).run),
        ),
    )


def _services(parts: _Parts, draining: _Draining) -> Services:
    units, clock, new_id = parts.units, parts.clock, parts.ids.new
    passwords = Passwords()
    secret_key = parts.settings.secret_key.get_secret_value()
    lifetime_s = parts.settings.access_token_minutes * 60
    desk = parts.desk
    auth = Auth(units, passwords, parts.tokens, lifetime_s=lifetime_s)
    return Services(
        auth=auth,
        accounts=Accounts(units, passwords, clock, new_id),
        attendance=Attendance(units, clock),
        auto_close=AutoClose(units, desk, clock),
        browser_sessions=BrowserSessions(units, auth, clock, secrets.token_bytes, new_id, secret_key),
        center_days=CenterDays(units, clock, new_id),
        centers=Centers(units),
        desk_entries=DeskEntries(units, desk, clock, new_id),
        devices=Devices(units, clock, secrets.token_bytes, parts.tokens),
        enrolment=Enrolment(units, clock, secrets.token_bytes, new_id, secret_key),
        health=Health(units, newest_revision(), lambda: draining.has_begun),
        incidents=Incidents(units),
        live_boards=LiveBoards(units, clock),
        projections=Projections(units),
        reviews=Reviews(units, desk, clock, new_id),
        presence=PresenceReports(units, clock),
        rollcalls=RollCallReports(units, clock),
        roster_import=RosterImport(units, new_id, clock),
        notifications=parts.notifications,
        stay_evidence=StayEvidence(units, clock),
        ratio=Ratio(units, clock),
        ratio_rules=RatioRules(units, clock),
    )


@asynccontextmanager
async def _background(lasting: dict[str, Coroutine[None, None, None]]) -> AsyncIterator[None]:
    """Run what lasts beside the block; one that fails is loud in the log, and all end with the block."""
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


def _version() -> str:
    try:
        return version("rollcall")
    except PackageNotFoundError:
        return "0"
