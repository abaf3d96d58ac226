"""Makes every part of the server from its settings: what stores, what decides, and what runs by itself."""

import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from os import getpid
from socket import gethostname
from typing import Final

from server.core.asking import THE_SERVER, asks
from server.core.clock import Clock, SystemClock
from server.core.database import close_engine, create_engine
from server.core.ids import Ids
from server.core.mailed_tokens import MailedTokens
from server.core.migrate import newest_revision
from server.core.outgoing import Outgoing
from server.core.passwords import Passwords
from server.core.pictures import Pictures
from server.core.refresh_tokens import RefreshTokens
from server.core.request_seals import RequestSeals
from server.core.sealed_parts import SealedFiles
from server.core.settings import Settings
from server.core.signed_heads import HeadKey
from server.core.smtp import mail_server
from server.core.tokens import Tokens
from server.core.webhook_signatures import WebhookSecrets
from server.repositories.heads import HeadListener
from server.repositories.job_locks import JobLocks
from server.repositories.unit_of_work import UnitsOfWork
from server.services.absence_days import AbsenceDays
from server.services.absence_follow_up import AbsenceFollowUp
from server.services.absences import Absences
from server.services.access import Centers
from server.services.account_limits import AccountLimits
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
from server.services.bundle import ParentApps, Services
from server.services.calendar_feeds import CalendarFeeds
from server.services.center_days import CenterDays
from server.services.children import Children
from server.services.database_setup import OpenDatabase, borrow_database
from server.services.desk_entries import DeskEntries
from server.services.device_silences import DeviceSilences
from server.services.devices import Devices
from server.services.door import Door
from server.services.enrolment import Enrolment
from server.services.erasures import Erasures
from server.services.expected import Expected
from server.services.export_content import ExportContent
from server.services.export_maker import ExportMaker, MakerParts
from server.services.exports import ExportKeys, Exports
from server.services.family_live import FamilyLive
from server.services.guardian_accounts import GuardianAccounts
from server.services.guardian_notices import GuardianNotices
from server.services.guardian_rights import GuardianRights
from server.services.heads_mail import HeadsMail
from server.services.health import Health
from server.services.incidents import Incidents
from server.services.invitations import Invitations
from server.services.job_book import JobBook
from server.services.job_list import ANSWER_RECOVERIES, MAKE_EXPORTS, SEND_MAIL, TELL_WEBHOOKS, jobs_of
from server.services.jobs import Jobs
from server.services.journal_intake import JournalIntake
from server.services.late_pick_ups import LatePickUps
from server.services.live_board import LiveBoards
from server.services.log_in_notes import LogInNotes
from server.services.mail import Outbox
from server.services.mail_sender import MailSender
from server.services.members import Members
from server.services.my_absences import MyAbsences
from server.services.my_attendance import MyAttendance
from server.services.my_children import MyChildren
from server.services.my_notifications import MyNotifications
from server.services.my_pickups import MyPickups
from server.services.my_statements import MyStatements
from server.services.my_stays import MyStays
from server.services.notifications import Notifications
from server.services.offers import Offers
from server.services.own_account import OwnAccount, PasswordWriter
from server.services.own_erasure import OwnErasure
from server.services.password_again import PasswordAgain
from server.services.people_days import PeopleDays
from server.services.photos import Photos
from server.services.pickups import Pickups
from server.services.premises import Premises
from server.services.presence import PresenceReports
from server.services.projections import Projections
from server.services.ratio import Ratio
from server.services.ratio_rules import RatioRules
from server.services.recoveries import Post, Recoveries
from server.services.relationships import Relationships
from server.services.repeats import Repeats
from server.services.reports import Reports
from server.services.retention import Retention
from server.services.reviews import Reviews
from server.services.rollcalls import RollCallReports
from server.services.roster_import import RosterImport
from server.services.schedules import Schedules
from server.services.server_desk import ServerDesk
from server.services.sessions import SessionKeys, SessionRules, Sessions
from server.services.set_aside import SetAside
from server.services.signed_heads import SignedHeads
from server.services.staff import Staff
from server.services.statements import Statements
from server.services.stay_evidence import StayEvidence
from server.services.throttles import Throttles
from server.services.webhook_sender import SignedPost, WebhookSender
from server.services.webhooks import Webhooks

# One connection for each job that runs on one server, and as many again in a rush.
JOB_LOCK_CONNECTIONS: Final = 2


@dataclass(slots=True)
class Bell:
    """Wakes whoever waits for work, once there is somebody."""

    hear: Callable[[], None] = lambda: None

    def ring(self) -> None:
        """Something was queued."""
        self.hear()


@dataclass(frozen=True, slots=True)
class Parts:
    """What everything else is made of."""

    settings: Settings
    clock: Clock
    ids: Ids
    units: UnitsOfWork
    tokens: Tokens
    bell: Bell
    post: Post
    recovery_bell: Bell
    export_bell: Bell
    notifications: Notifications
    intake: JournalIntake
    desk: ServerDesk

    @property
    def secret_key(self) -> str:
        """Give the key from which all others come."""
        return self.settings.secret_key.get_secret_value()


async def parts_of(
    stack: AsyncExitStack, settings: Settings, database: OpenDatabase, clock: Clock
) -> tuple[Parts, HeadListener]:
    """Make the parts on an open database; `stack` lets go of it."""
    engine = create_engine(database.urls.app, pool_size=settings.database_pool_size)
    stack.push_async_callback(close_engine, engine)
    ids = Ids(clock)
    units = UnitsOfWork(engine, clock=clock, luck=secrets.token_bytes, new_id=ids.new)
    secret_key = settings.secret_key.get_secret_value()
    bell, recovery_bell = Bell(), Bell()
    outbox = Outbox(clock, ids.new, bell.ring)
    post = Post(outbox, MailedTokens(secret_key), settings.base_url, recovery_bell.ring)
    notifications = Notifications(outbox, settings.base_url)
    intake = JournalIntake(units, clock, notifications.tell_critical)
    desk = ServerDesk(units, intake, clock, ids.new, secret_key)
    tokens = Tokens(secret_key, clock)
    parts = Parts(
        settings, clock, ids, units, tokens, bell, post, recovery_bell, Bell(), notifications, intake, desk
    )  # fmt: skip
    return parts, HeadListener(engine)


def jobs_for(stack: AsyncExitStack, parts: Parts, services: Services, database: OpenDatabase) -> Jobs:
    """What this server does by itself."""
    locks = create_engine(database.urls.app, pool_size=JOB_LOCK_CONNECTIONS, application_name="rollcall jobs")
    stack.push_async_callback(close_engine, locks)
    luck = secrets.SystemRandom().random
    fill = parts.post.tokens.fill
    sender = MailSender(parts.units, mail_server(parts.settings), parts.clock, luck, fill=fill)
    hooks = _webhook_sender(parts)
    heads = _signed_heads(parts)
    work: dict[str, Callable[[], Awaitable[object]]] = {
        SEND_MAIL: sender.send_due,
        "forget_mail": sender.forget_old,
        ANSWER_RECOVERIES: services.recoveries.answer_asked,
        "tidy_accounts": AccountTidying(parts.units, parts.clock).run,
        "forget_browser_sessions": services.browser_sessions.forget_ended,
        "auto_close": AutoClose(parts.units, parts.desk, parts.clock).run,
        "keep_up_bookings": BookingUpkeep(parts.units, parts.clock).run,
        "book_schedules": Schedules(parts.units, parts.clock, parts.ids.new).run,
        "absence_follow_up": AbsenceFollowUp(parts.units, parts.notifications, parts.clock).run,
        TELL_WEBHOOKS: hooks.run,
        "forget_deliveries": hooks.forget_old,
        "tell_guardians": GuardianNotices(parts.units, parts.post.outbox, parts.clock, parts.post.base_url).run,
        "tell_late_pick_ups": LatePickUps(parts.units, parts.post.outbox, parts.clock, parts.post.base_url).run,
        "device_silence": DeviceSilences(parts.units, parts.notifications, parts.clock).run,
        "sign_heads": heads.run,
        "erase_late_words": services.erasures.sweep,
        MAKE_EXPORTS: _export_maker(parts).run,
        "retention": Retention(parts.units, parts.clock, parts.ids.new, parts.settings.retention_years).run,
    }
    book = JobBook(parts.units, parts.clock, f"{gethostname()}:{getpid()}")
    return Jobs(JobLocks(locks), jobs_of(work), book=book)


def services_of(parts: Parts, is_draining: Callable[[], bool]) -> Services:
    """Make the use-cases; `is_draining` tells whether this server is about to stop."""
    units, clock, new_id, desk, ways = parts.units, parts.clock, parts.ids.new, parts.desk, _ways_in(parts)
    return Services(
        analytics=Analytics(units, clock),
        audit=Audit(units),
        auth=ways.auth,
        absence_days=AbsenceDays(units, clock),
        account_limits=AccountLimits(ways.throttles, clock),
        absence_follow_up=AbsenceFollowUp(units, parts.notifications, clock),
        absences=Absences(units, clock),
        accounts=Accounts(units, ways.passwords, clock, new_id),
        attendance=Attendance(units, clock),
        browser_sessions=BrowserSessions(units, ways.auth, clock, secrets.token_bytes, new_id, parts.secret_key),
        barcodes=Barcodes(units, clock, parts.secret_key),
        bookings=Bookings(units, clock, GuardianRights(units)),
        center_days=CenterDays(units, clock, new_id),
        centers=Centers(units),
        desk_entries=DeskEntries(units, desk, clock, new_id),
        devices=Devices(units, clock, secrets.token_bytes, parts.tokens),
        door=Door(units, clock, secrets.token_bytes, parts.tokens, parts.secret_key),
        enrolment=Enrolment(units, clock, secrets.token_bytes, new_id, parts.secret_key),
        expected=Expected(units, clock),
        health=Health(units, newest_revision(), is_draining),
        incidents=Incidents(units),
        erasures=Erasures(units, clock, ways.again),
        live_boards=LiveBoards(units, clock, Expected(units, clock)),
        invitations=Invitations(units, clock, new_id, parts.post, ways.passwords, ways.throttles),
        members=Members(units, new_id),
        parents=_parent_apps(parts, ways),
        own_account=OwnAccount(units, ways.passwords, ways.writer, ways.throttles, ways.notes),
        own_erasure=OwnErasure(units, clock, ways.again),
        offers=Offers(units, clock),
        people_days=PeopleDays(units),
        projections=Projections(units),
        recoveries=Recoveries(units, clock, new_id, parts.post, ways.writer, ways.throttles),
        sessions=ways.sessions,
        set_aside=SetAside(units, desk, clock),
        reports=Reports(units, clock, Statements(units, clock)),
        reviews=Reviews(units, desk, clock, new_id),
        premises=Premises(units), staff=Staff(units),
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
        photos=Photos(units, clock, Pictures()),
        pickups=Pickups(units, clock),
        relationships=Relationships(units, clock),
        repeats=_repeats(parts),
        webhooks=_webhooks(parts),
    )  # fmt: skip


@asynccontextmanager
async def borrowed_services(settings: Settings) -> AsyncIterator[Services]:
    """Give the use-cases to a command, beside a running server or without one.

    Raises SetupError or DatabaseUnavailable with a sentence for the operator.
    """
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(borrow_database(settings))
        parts, _ = await parts_of(stack, settings, database, SystemClock())
        with asks(THE_SERVER):
            yield services_of(parts, lambda: False)


def _repeats(parts: Parts) -> Repeats:
    return Repeats(parts.units, parts.clock, parts.ids.new, RequestSeals(parts.secret_key, secrets.token_bytes))


def _parent_apps(parts: Parts, ways: "_WaysIn") -> ParentApps:
    units, clock = parts.units, parts.clock
    desk_entries = DeskEntries(units, parts.desk, clock, parts.ids.new)
    secret_key = parts.settings.secret_key.get_secret_value()
    return ParentApps(
        absences=MyAbsences(units, clock),
        attendance=MyAttendance(units, desk_entries, ways.throttles, clock, secret_key),
        calendar=CalendarFeeds(units, ways.throttles, clock, secrets.token_bytes),
        exports=_exports(parts, ways),
        live=FamilyLive(units, clock, Expected(units, clock)),
        children=MyChildren(units, clock),
        notifications=MyNotifications(units, clock),
        pickups=MyPickups(units, ways.again, clock, parts.ids.new),
        statements=MyStatements(units, clock, Statements(units, clock)),
        stays=MyStays(units, desk_entries, clock),
    )


@dataclass(frozen=True, slots=True)
class _WaysIn:
    """What decides who somebody is."""

    passwords: Passwords
    throttles: Throttles
    sessions: Sessions
    writer: PasswordWriter
    again: PasswordAgain
    auth: Auth
    notes: LogInNotes


def _ways_in(parts: Parts) -> _WaysIn:
    units, post = parts.units, parts.post
    passwords = Passwords()
    throttles = Throttles(units, parts.clock, parts.settings.secret_key.get_secret_value())
    sessions = _sessions(parts, throttles)
    writer = PasswordWriter(passwords, post.outbox, parts.ids.new, post.base_url)
    notes = LogInNotes(units, throttles, parts.secret_key)
    auth = Auth(units, passwords, parts.tokens, sessions, throttles, notes)
    again = PasswordAgain(units, passwords, throttles, notes)
    return _WaysIn(passwords, throttles, sessions, writer, again, auth, notes)


def _exports(parts: Parts, ways: "_WaysIn") -> Exports:
    sealed = SealedFiles(parts.secret_key)
    keys = ExportKeys(sealed, parts.post.tokens, parts.ids.new, parts.export_bell.ring)
    return Exports(parts.units, parts.clock, keys, ways.again, ways.throttles)


def _signed_heads(parts: Parts) -> SignedHeads:
    settings, outbox = parts.settings, parts.post.outbox
    mail = HeadsMail(outbox, settings.signed_heads_to) if settings.signed_heads_to else None
    return SignedHeads(parts.units, parts.clock, HeadKey(parts.secret_key), settings.heads_path, mail)


def _export_maker(parts: Parts) -> ExportMaker:
    units, clock, post = parts.units, parts.clock, parts.post
    made = MakerParts(SealedFiles(parts.secret_key), secrets.token_bytes, post.outbox, post.base_url)
    return ExportMaker(units, clock, ExportContent(units, clock, Statements(units, clock)), made)


def _webhooks(parts: Parts) -> Webhooks:
    settings = parts.settings
    made = WebhookSecrets(parts.secret_key)
    return Webhooks(parts.units, parts.clock, parts.ids.new, made, private=settings.webhooks_to_private_networks)


def _webhook_sender(parts: Parts) -> WebhookSender:
    poster = Outgoing(private=parts.settings.webhooks_to_private_networks)
    post = SignedPost(poster, WebhookSecrets(parts.secret_key))
    luck = secrets.SystemRandom().random
    return WebhookSender(parts.units, post, parts.notifications, parts.clock, luck=luck, new_id=parts.ids.new)


def _sessions(parts: Parts, throttles: Throttles) -> Sessions:
    settings = parts.settings
    refresh_tokens = RefreshTokens(settings.secret_key.get_secret_value())
    keys = SessionKeys(parts.tokens, refresh_tokens, secrets.token_bytes, parts.ids.new)
    rules = SessionRules(settings.access_token_minutes * 60, settings.session_days)
    return Sessions(parts.units, parts.clock, keys, rules, throttles)
