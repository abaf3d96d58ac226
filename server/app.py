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
from server.core.database import create_engine
from server.core.ids import Ids
from server.core.mailed_tokens import MailedTokens
from server.core.migrate import newest_revision
from server.core.outgoing import Outgoing
from server.core.passwords import Passwords
from server.core.pictures import Pictures
from server.core.refresh_tokens import RefreshTokens
from server.core.settings import Settings
from server.core.smtp import mail_server
from server.core.tokens import Tokens
from server.core.webhook_signatures import WebhookSecrets
from server.repositories.heads import HeadListener
from server.repositories.job_locks import JobLocks
from server.repositories.unit_of_work import UnitsOfWork
from server.routes import build_app
from server.services.absence_days import AbsenceDays
from server.services.absence_follow_up import AbsenceFollowUp
from server.services.absences import Absences
from server.services.access import Centers
from server.services.account_tidying import AccountTidying
from server.services.accounts import Accounts
from server.services.adults import Adults
from server.services.alerts import Alerts
from server.services.analytics import Analytics
from server.services.attendance import Attendance
from server.services.audit import Audit
from server.services.auth import Auth
from server.services.auto_close import AutoClose
from server.services.barcodes import Barcodes
from server.services.booking_upkeep import BookingUpkeep
from server.services.bookings import Bookings
from server.services.browser_sessions import BrowserSessions
from server.services.bundle import Services
from server.services.center_days import CenterDays
from server.services.children import Children
from server.services.database_setup import OpenDatabase, borrow_database, open_database
from server.services.desk_entries import DeskEntries
from server.services.device_silences import DeviceSilences
from server.services.devices import Devices
from server.services.door import Door
from server.services.enrolment import Enrolment
from server.services.expected import Expected
from server.services.followers import Followers
from server.services.guardian_accounts import GuardianAccounts
from server.services.guardian_notices import GuardianNotices
from server.services.guardian_rights import GuardianRights
from server.services.health import Health
from server.services.incidents import Incidents
from server.services.invitations import Invitations
from server.services.jobs import Job, Jobs, RunsOn
from server.services.journal_intake import JournalIntake
from server.services.live_board import LiveBoards
from server.services.live_hub import LiveHub
from server.services.mail import Outbox
from server.services.mail_sender import RUN_DEADLINE_S, MailSender
from server.services.members import Members
from server.services.my_children import MyChildren
from server.services.my_notifications import MyNotifications
from server.services.my_pickups import MyPickups
from server.services.my_stays import MyStays
from server.services.notifications import Notifications
from server.services.offers import Offers
from server.services.own_account import OwnAccount, PasswordWriter
from server.services.people_days import PeopleDays
from server.services.photos import Photos
from server.services.pickups import Pickups
from server.services.presence import PresenceReports
from server.services.projections import Projections
from server.services.ratio import Ratio
from server.services.ratio_rules import RatioRules
from server.services.recoveries import Post, Recoveries
from server.services.relationships import Relationships
from server.services.reports import Reports
from server.services.reviews import Reviews
from server.services.rollcalls import RollCallReports
from server.services.roster_import import RosterImport
from server.services.schedules import Schedules
from server.services.server_desk import ServerDesk
from server.services.sessions import SessionKeys, SessionRules, Sessions
from server.services.statements import Statements
from server.services.stay_evidence import StayEvidence
from server.services.sync_store import ServerStore
from server.services.throttles import Throttles
from server.services.webhook_sender import RUN_DEADLINE_S as WEBHOOKS_DEADLINE_S
from server.services.webhook_sender import SignedPost, WebhookSender
from server.services.webhooks import Webhooks

# A device that is asked to leave comes back after a restart, spread over a second by its own jitter.
DRAIN_DELAY_MS: Final = 1_000
HOUR_MS: Final = 3_600_000
DRAIN_POLL_S: Final = 0.05
DRAIN_POLLS: Final = 60  # three seconds
SEND_MAIL: Final = "send_mail"
ANSWER_RECOVERIES: Final = "answer_recoveries"
TELL_WEBHOOKS: Final = "tell_webhooks"
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
    """Wakes whoever waits for work, once there is somebody."""

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
    post: Post
    recovery_bell: _Bell
    notifications: Notifications
    intake: JournalIntake
    desk: ServerDesk

    @property
    def secret_key(self) -> str:
        return self.settings.secret_key.get_secret_value()


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
        parts, listener = await _parts(stack, settings, database, clock)
        draining = _Draining()
        services = _services(parts, draining)
        jobs = _jobs(stack, parts, services, database)
        parts.bell.hear = lambda: jobs.wake(SEND_MAIL)
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
async def borrowed_services(settings: Settings, progress: Progress = lambda _text: None) -> AsyncIterator[Services]:
    """Give the use-cases to a command, beside a running server or without one.

    Raises SetupError or DatabaseUnavailable with a sentence for the operator.
    """
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(borrow_database(settings, progress))
        parts, _ = await _parts(stack, settings, database, SystemClock())
        with asks(THE_SERVER):
            yield _services(parts, _Draining())


async def _parts(
    stack: AsyncExitStack, settings: Settings, database: OpenDatabase, clock: Clock
) -> tuple[_Parts, HeadListener]:
    engine = create_engine(database.urls.app, pool_size=settings.database_pool_size)
    stack.push_async_callback(engine.dispose)
    ids = Ids(clock)
    units = UnitsOfWork(engine, clock=clock, luck=secrets.token_bytes, new_id=ids.new)
    secret_key = settings.secret_key.get_secret_value()
    bell, recovery_bell = _Bell(), _Bell()
    outbox = Outbox(clock, ids.new, bell.ring)
    post = Post(outbox, MailedTokens(secret_key), settings.base_url, recovery_bell.ring)
    notifications = Notifications(outbox, settings.base_url)
    intake = JournalIntake(units, clock, notifications.tell_critical)
    desk = ServerDesk(units, intake, clock, ids.new, secret_key)
    tokens = Tokens(secret_key, clock)
    parts = _Parts(settings, clock, ids, units, tokens, bell, post, recovery_bell, notifications, intake, desk)
    return parts, HeadListener(engine)


def _jobs(stack: AsyncExitStack, parts: _Parts, services: Services, database: OpenDatabase) -> Jobs:
    """What this server does by itself."""
    locks = create_engine(database.urls.app, pool_size=JOB_LOCK_CONNECTIONS, application_name="rollcall jobs")
    stack.push_async_callback(locks.dispose)
    luck = secrets.SystemRandom().random
    fill = parts.post.tokens.fill
    sender = MailSender(parts.units, mail_server(parts.settings), parts.clock, luck, fill=fill)
    hooks = _webhook_sender(parts)
    return Jobs(
        JobLocks(locks),
        (
            Job(SEND_MAIL, 5, RUN_DEADLINE_S, sender.send_due, RunsOn.EVERY_SERVER),
            Job("forget_mail", 3600, 60, sender.forget_old),
            Job(ANSWER_RECOVERIES, 60, 50, services.recoveries.answer_asked, RunsOn.EVERY_SERVER),
            Job("tidy_accounts", 600, 60, AccountTidying(parts.units, parts.clock).run),
            Job("forget_browser_sessions", 3600, 60, services.browser_sessions.forget_ended),
            Job("auto_close", 60, 50, AutoClose(parts.units, parts.desk, parts.clock).run),
            Job("keep_up_bookings", 60, 50, BookingUpkeep(parts.units, parts.clock).run),
            Job("book_schedules", 3600, 300, Schedules(parts.units, parts.clock, parts.ids.new).run),
            Job(TELL_WEBHOOKS, 5, WEBHOOKS_DEADLINE_S, hooks.run),
            Job("forget_deliveries", 3600, 60, hooks.forget_old),
            Job(
                "tell_guardians",
                15,
                60,
                GuardianNotices(parts.units, parts.post.outbox, parts.clock, parts.post.base_url).run,
            ),
            Job("device_silence", 60, 50, DeviceSilences(parts.units, parts.notifications, parts.clock).run),
            Job("absence_follow_up", 60, 50, AbsenceFollowUp(parts.units, parts.notifications, parts.clock).run),
        ),
    )


def _services(parts: _Parts, draining: _Draining) -> Services:
    units, clock, new_id, desk, post = parts.units, parts.clock, parts.ids.new, parts.desk, parts.post
    secret_key, passwords, throttles = parts.secret_key, Passwords(), Throttles(units, clock, parts.secret_key)
    sessions, writer = _sessions(parts, throttles), PasswordWriter(passwords, post.outbox, new_id, post.base_url)
    entries, auth = DeskEntries(units, desk, clock, new_id), Auth(units, passwords, parts.tokens, sessions, throttles)
    return Services(
        analytics=Analytics(units, clock),
        audit=Audit(units),
        auth=auth,
        absence_days=AbsenceDays(units, clock),
        absence_follow_up=AbsenceFollowUp(units, parts.notifications, clock),
        absences=Absences(units, clock),
        accounts=Accounts(units, passwords, clock, new_id),
        attendance=Attendance(units, clock),
        auto_close=AutoClose(units, desk, clock),
        browser_sessions=BrowserSessions(units, auth, clock, secrets.token_bytes, new_id, secret_key),
        barcodes=Barcodes(units, clock, secret_key),
        bookings=Bookings(units, clock, GuardianRights(units)),
        center_days=CenterDays(units, clock, new_id),
        centers=Centers(units),
        desk_entries=entries,
        devices=Devices(units, clock, secrets.token_bytes, parts.tokens),
        door=Door(units, clock, secrets.token_bytes, parts.tokens, secret_key),
        enrolment=Enrolment(units, clock, secrets.token_bytes, new_id, secret_key),
        expected=Expected(units, clock),
        health=Health(units, newest_revision(), lambda: draining.has_begun),
        incidents=Incidents(units),
        live_boards=LiveBoards(units, clock, Expected(units, clock)),
        invitations=Invitations(units, clock, new_id, post, passwords, throttles),
        members=Members(units, new_id),
        own_account=OwnAccount(units, passwords, writer, throttles),
        offers=Offers(units, clock),
        people_days=PeopleDays(units),
        projections=Projections(units),
        recoveries=Recoveries(units, clock, new_id, post, writer, throttles),
        sessions=sessions,
        reports=Reports(units, clock, Statements(units, clock)),
        reviews=Reviews(units, desk, clock, new_id),
        presence=PresenceReports(units, clock),
        rollcalls=RollCallReports(units, clock),
        roster_import=RosterImport(units, new_id, clock),
        notifications=parts.notifications,
        schedules=Schedules(units, clock, new_id),
        statements=Statements(units, clock),
        stay_evidence=StayEvidence(units, clock),
        ratio=Ratio(units, clock),
        ratio_rules=RatioRules(units, clock),
        adults=Adults(units),
        alerts=Alerts(units),
        children=Children(units),
        guardian_accounts=GuardianAccounts(units, clock),
        my_children=MyChildren(units, clock),
        my_pickups=MyPickups(units, passwords, clock, new_id),
        my_stays=MyStays(units, entries, clock),
        photos=Photos(units, clock, Pictures()),
        pickups=Pickups(units, clock),
        relationships=Relationships(units, clock),
        webhooks=_webhooks(parts),
        my_notifications=MyNotifications(units, clock),
    )


def _webhooks(parts: _Parts) -> Webhooks:
    settings = parts.settings
    made = WebhookSecrets(parts.secret_key)
    return Webhooks(parts.units, parts.clock, parts.ids.new, made, private=settings.webhooks_to_private_networks)


def _webhook_sender(parts: _Parts) -> WebhookSender:
    poster = Outgoing(private=parts.settings.webhooks_to_private_networks)
    post = SignedPost(poster, WebhookSecrets(parts.secret_key))
    luck = secrets.SystemRandom().random
    return WebhookSender(parts.units, post, parts.notifications, parts.clock, luck=luck, new_id=parts.ids.new)


def _sessions(parts: _Parts, throttles: Throttles) -> Sessions:
    settings = parts.settings
    refresh_tokens = RefreshTokens(settings.secret_key.get_secret_value())
    keys = SessionKeys(parts.tokens, refresh_tokens, secrets.token_bytes, parts.ids.new)
    rules = SessionRules(settings.access_token_minutes * 60, settings.session_days)
    return Sessions(parts.units, parts.clock, keys, rules, throttles)


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
