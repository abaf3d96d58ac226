"""Sessions of people: how a log-in goes on, on which devices, and how it ends."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

import structlog

from server.core.asking import SIGNED_IN, SIGNED_OUT, Act, asking_now
from server.core.clock import Clock
from server.core.errors import InvalidToken, NotFound
from server.core.ids import Luck
from server.core.refresh_tokens import SALT_BYTES, SECRET_BYTES, RefreshToken, RefreshTokens
from server.core.tokens import TokenPurpose, Tokens
from server.models.accounts import UserAccount
from server.models.sessions import UserSession
from server.repositories import accounts, sessions
from server.repositories.unit_of_work import UnitOfWork, UnitsOfWork
from server.services.access import User
from server.services.clients import Client
from server.services.log_in_notes import SOMEBODY, note_log_in
from server.services.throttles import REFRESH_ADDRESS, REFRESH_SESSION, Throttles

__all__ = ["RefreshTokenWrong", "SessionRules", "Sessions", "SignedIn", "UserSession"]

# How long a token that was used may be shown again: a client waits 30 s for an answer and tries once more.
REPEAT: Final = timedelta(seconds=60)
# A phone that was lost stops working by itself; who comes once a week stays signed in.
IDLE_MAX: Final = timedelta(days=14)
SESSION: Final = "user_session"
TOKEN_REUSED: Final = "token_reused"  # noqa: S105 - a word of the audit log

_log = structlog.get_logger(__name__)


class RefreshTokenWrong(InvalidToken):
    """The refresh token is none, was used, or its session has ended; which of these is not told."""

    code = "refresh_token_wrong"
    title = "The session has ended: sign in again"


@dataclass(frozen=True, slots=True)
class SessionRules:
    """For how long access tokens and sessions are good."""

    access_token_s: int
    session_days: int


@dataclass(frozen=True, slots=True, repr=False)
class SignedIn:
    """An access token, the refresh token that gets the next one, and for how many seconds each is good."""

    token: str
    expires_in_s: int
    refresh_token: str
    refresh_expires_in_s: int


@dataclass(frozen=True, slots=True)
class SessionKeys:
    """What tokens of sessions are made with."""

    access: Tokens
    refresh: RefreshTokens
    luck: Luck
    new_id: Callable[[], str]


class Sessions:
    """Begins, continues and ends sessions."""

    def __init__(
        self, units: UnitsOfWork, clock: Clock, keys: SessionKeys, rules: SessionRules, throttles: Throttles
    ) -> None:
        """Make tokens with `keys` that are good for as long as `rules` says."""
        self._units = units
        self._clock = clock
        self._keys = keys
        self._rules = rules
        self._throttles = throttles

    async def begin(self, unit: UnitOfWork, account: UserAccount, client: Client) -> SignedIn:
        """Begin a session within the caller's transaction, which knows that it is the owner of the account."""
        now = self._clock.now()
        token = self._keys.refresh.first(self._keys.new_id(), self._keys.luck(SECRET_BYTES))
        row = UserSession(
            id=token.session_id, user_id=account.id, client=client.words, created_at=now, last_used_at=now,
            expires_at=now + timedelta(days=self._rules.session_days), current_digest=token.digest,
        )  # fmt: skip
        await sessions.add(unit.session, row)
        await note_log_in(unit, account, Act(SIGNED_IN, SESSION, row.id))
        return self._signed_in(row, token)

    async def refresh(self, text: str, client: Client) -> SignedIn:
        """Give a new access token, and the refresh token that follows on the one that is shown.

        The same token within a minute gets the same refresh token again: an answer that was lost, or two tabs of one
        browser, sign nobody out. Shown later, or after the next one was used, it is in two hands, and the session ends.

        Raises:
            RefreshTokenWrong: the token is not good, or is not any more.
            RateLimited: too many at once from one address or for one session.

        """
        token = self._keys.refresh.read(text)
        if token is None:
            await self._throttles.take((REFRESH_ADDRESS, client.block))
            raise RefreshTokenWrong
        await self._throttles.take((REFRESH_ADDRESS, client.block), (REFRESH_SESSION, token.session_id))
        async with self._units.begin(origin="api") as unit:
            answer = await self._refreshed(unit, token, client)
        # Raised only now: an exception inside would have kept a session that must end.
        if answer is None:
            raise RefreshTokenWrong
        return answer

    async def log_out(self, text: str) -> None:
        """End the session of a refresh token, used or not; a token that is none ends nothing (RFC 7009)."""
        token = self._keys.refresh.read(text)
        if token is None:
            return
        async with self._units.begin(origin="api") as unit:
            row = await sessions.lock(unit.session, token.session_id)
            if row is not None:
                await self._end(unit, row, "")
                _log.info("logged_out", user=row.user_id, session=row.id)

    async def account_of(self, unit: UnitOfWork, session_id: str, user_id: str) -> UserAccount | None:
        """Give the account of a session that goes on; None when it does not."""
        now = self._clock.now()
        return await sessions.account_of(unit.session, session_id, user_id, now=now, used_after=now - IDLE_MAX)

    async def of_user(self, user: User) -> list[UserSession]:
        """Give the sessions of a user that go on, the one used last first."""
        now = self._clock.now()
        async with self._units.begin() as unit:
            return await sessions.of_user(unit.session, user.id, now=now, used_after=now - IDLE_MAX)

    async def end(self, user: User, session_id: str) -> None:
        """End one session of a user. Raises NotFound when they have none with this id."""
        async with self._units.begin(origin="api") as unit:
            ended = await sessions.end(unit.session, session_id, user_id=user.id)
            if not ended:
                raise NotFound("You have no such session")
            await self._note_end(unit, user.id, session_id, "")
        _log.info("session_ended", user=user.id, session=session_id)

    async def end_others(self, user: User) -> int:
        """End all sessions of a user but the one that asks; gives how many."""
        async with self._units.begin(origin="api") as unit:
            ended = await sessions.end_all(unit.session, user.id, except_id=user.session_id)
            if ended:
                await self._note_end(unit, user.id, user.session_id, "others")
        _log.info("other_sessions_ended", user=user.id, sessions=ended)
        return ended

    async def _refreshed(self, unit: UnitOfWork, token: RefreshToken, client: Client) -> SignedIn | None:
        now = self._clock.now()
        row = await sessions.lock(unit.session, token.session_id)
        if row is None or not await self._goes_on(unit, row, now):
            return None
        if token.digest == row.current_digest:
            salt = self._keys.luck(SALT_BYTES)
            following = self._keys.refresh.following(token, salt)
            row.previous_digest, row.salt, row.current_digest = token.digest, salt, following.digest
            row.last_used_at, row.client = now, client.words or row.client
            return self._signed_in(row, following)
        if token.digest == row.previous_digest and row.salt is not None and now - row.last_used_at < REPEAT:
            return self._signed_in(row, self._keys.refresh.following(token, row.salt))
        await self._end(unit, row, TOKEN_REUSED)
        _log.warning("refresh_token_reused", user=row.user_id, session=row.id)
        return None

    async def _goes_on(self, unit: UnitOfWork, row: UserSession, now: datetime) -> bool:
        if row.expires_at <= now or row.last_used_at <= now - IDLE_MAX:
            return False
        account = await accounts.find(unit.session, row.user_id)
        return account is not None and account.is_active

    async def _end(self, unit: UnitOfWork, row: UserSession, part: str) -> None:
        await sessions.end(unit.session, row.id, user_id=row.user_id)
        await self._note_end(unit, row.user_id, row.id, part)

    async def _note_end(self, unit: UnitOfWork, user_id: str, session_id: str, part: str) -> None:
        account = await accounts.find(unit.session, user_id)
        if account is not None:
            # Of a token in two hands nobody knows whose hand showed it.
            asking = replace(asking_now(), actor=SOMEBODY) if part == TOKEN_REUSED else None
            await note_log_in(unit, account, Act(SIGNED_OUT, SESSION, session_id, part), asking=asking)

    def _signed_in(self, row: UserSession, token: RefreshToken) -> SignedIn:
        access_s = self._rules.access_token_s
        access = self._keys.access.issue(TokenPurpose.ACCESS, row.user_id, lifetime_s=access_s, session_id=row.id)
        until = min(row.expires_at, row.last_used_at + IDLE_MAX)
        return SignedIn(access, access_s, token.text, int((until - self._clock.now()).total_seconds()))
