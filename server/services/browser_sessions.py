"""Sessions in browsers: a cookie that stands for somebody who signed in, and the token that its forms carry."""

import hashlib
import hmac
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

import structlog

from server.core.asking import SIGNED_IN, SIGNED_OUT, Act
from server.core.clock import Clock
from server.core.errors import NotEntitled, Unauthenticated
from server.core.ids import Luck
from server.core.tokens import derive_key
from server.models.accounts import UserAccount
from server.models.browser_sessions import BrowserSession
from server.repositories import accounts, browser_sessions
from server.repositories.unit_of_work import UnitsOfWork
from server.services.access import User
from server.services.auth import AccountInactive, Auth, user_from
from server.services.clients import Client
from server.services.devices import from_base64url, to_base64url
from server.services.log_in_notes import note_log_in

TOKEN_BYTES: Final = 32  # 256 bit: nobody guesses one, so a plain hash of it may be stored
# OWASP ASVS 5.0, 7.3: a session ends when it lies idle, and however it is used after a week.
IDLE_MAX: Final = timedelta(hours=12)
AGE_MAX: Final = timedelta(days=7)
# A use is written down once a minute, not at each of the requests of a page.
USE_NOTED_EVERY: Final = timedelta(minutes=1)
SESSIONS_MAX: Final = 20  # a person with a desk, a phone and a wall display at three centres has nine
# A live page of a session that ended goes on for so long at most; roles and accounts are looked after in seconds.
STREAM_MS: Final = 5 * 60_000
FORGET_SESSIONS: Final = 1_000
SESSION: Final = "browser_session"

_log = structlog.get_logger(__name__)


class SessionEnded(Unauthenticated):
    """A cookie was shown that stands for nobody, or not any more; the reason is not told."""

    code = "session_ended"
    title = "You are not signed in any more: sign in again"


class FormTokenWrong(NotEntitled):
    """What would change something did not come from a page of ours."""

    code = "csrf_wrong"
    title = "This did not come from the page as it is now: load the page again, then repeat"


class BrowserSessions:
    """Begins sessions, tells who stands behind one, and ends them."""

    def __init__(
        self, units: UnitsOfWork, auth: Auth, clock: Clock, luck: Luck, new_id: Callable[[], str], secret_key: str
    ) -> None:
        """Ask `auth` who knows a password; make cookies of `luck`, and tokens of forms from `secret_key`."""
        self._units = units
        self._auth = auth
        self._clock = clock
        self._luck = luck
        self._new_id = new_id
        self._form_key = derive_key(secret_key, "browser-form")

    async def begin(self, email: str, password: str, client: Client) -> str:
        """Give the cookie for the right password; `client` is where the browser is and what it says it is.

        Raises:
            WrongCredentials: as a log-in at the API does, after the same work.
            RateLimited: too many tries, counted together with those at the API.

        """
        account = await self._auth.verified(email, password, client)
        token, now = to_base64url(self._luck(TOKEN_BYTES)), self._clock.now()
        row = BrowserSession(
            id=self._new_id(), user_id=account.id, token_hash=_hash(token), password_mark=_mark(account),
            client=client.words, made_at=now, last_used_at=now,
        )  # fmt: skip
        async with self._units.begin(origin="browser") as unit:
            await browser_sessions.add(unit.session, row, kept_max=SESSIONS_MAX)
            await note_log_in(unit, account, Act(SIGNED_IN, SESSION, row.id))
        _log.info("browser_session_began", user=account.id, session=row.id)
        return token

    async def user_of(self, token: str) -> User:
        """Give who signed in, with today's rights.

        Raises:
            SessionEnded: nobody did with this cookie, it lay idle for twelve hours or is a week old, the password is
                another one now, or the account is gone.
            AccountInactive: the account was switched off.

        """
        if from_base64url(token, TOKEN_BYTES) is None:
            raise SessionEnded
        now = self._clock.now()
        async with self._units.begin(origin="browser") as unit:
            row = await browser_sessions.find(unit.session, _hash(token))
            if row is None or _is_over(row, now):
                raise SessionEnded
            account = await accounts.find(unit.session, row.user_id)
            if account is None or not hmac.compare_digest(row.password_mark, _mark(account)):
                raise SessionEnded
            if not account.is_active:
                raise AccountInactive
            memberships = await accounts.memberships(unit.session, account.id)
            if now - row.last_used_at >= USE_NOTED_EVERY:
                await browser_sessions.note_use(unit.session, row.id, now=now)
        return user_from(account, memberships, row.id)

    async def end(self, token: str) -> None:
        """Sign out; safe to repeat."""
        async with self._units.begin(origin="browser") as unit:
            row = await browser_sessions.find(unit.session, _hash(token))
            if row is None or not await browser_sessions.end(unit.session, row.id):
                return
            account = await accounts.find(unit.session, row.user_id)
            if account is not None:
                await note_log_in(unit, account, Act(SIGNED_OUT, SESSION, row.id))
        _log.info("browser_session_ended", user=row.user_id, session=row.id)

    async def forget_ended(self) -> int:
        """Take away sessions that are over, a thousand at a time; gives how many."""
        now = self._clock.now()
        async with self._units.begin(origin="browser") as unit:
            return await browser_sessions.forget(
                unit.session, used_before=now - IDLE_MAX, made_before=now - AGE_MAX, sessions_max=FORGET_SESSIONS
            )

    def stream_until_ms(self) -> int:
        """Give until when (UTC milliseconds) a stream that begins now may last before the browser shows its cookie."""
        return self._clock.wall_ms() + STREAM_MS

    def new_token(self) -> str:
        """Give a token for a browser in which nobody signed in yet: its form is bound to it."""
        return to_base64url(self._luck(TOKEN_BYTES))

    def form_token(self, token: str) -> str:
        """Give what pages of the browser with this cookie send beside it (OWASP: HMAC based token pattern)."""
        return to_base64url(hmac.digest(self._form_key, token.encode(), "sha256"))

    def check_form_token(self, token: str, shown: str) -> None:
        """Raise FormTokenWrong unless `shown` is the token of forms for this cookie."""
        if not hmac.compare_digest(self.form_token(token).encode(), shown.encode()):
            raise FormTokenWrong


def _is_over(row: BrowserSession, now: datetime) -> bool:
    return now - row.last_used_at >= IDLE_MAX or now - row.made_at >= AGE_MAX


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()


def _mark(account: UserAccount) -> bytes:
    return hashlib.sha256(account.password_hash.encode()).digest()
