"""Passwords that were forgotten: who reads the mail of an account may set a new one.

What somebody asks for is only written down, whoever the address belongs to; a job looks it up. So the answer, and the
time it takes, cannot tell whether there is an account.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import structlog

from server.core.asking import CHANGED, Act, job_asks
from server.core.clock import Clock
from server.core.errors import NotEntitled, Unavailable
from server.core.mailed_tokens import MailedTokens, TokenKind
from server.models.accounts import UserAccount
from server.models.sessions import PasswordRecovery, RecoveryRequest
from server.repositories import accounts, recoveries
from server.repositories.unit_of_work import UnitOfWork, UnitsOfWork
from server.services.account_mails import recovery_mail
from server.services.accounts import clean_email
from server.services.clients import Client
from server.services.log_in_notes import ACCOUNT, note_log_in
from server.services.mail import Outbox
from server.services.own_account import PasswordWriter
from server.services.throttles import MAILED_TOKEN_ADDRESS, RECOVERY_ACCOUNT, RECOVERY_ADDRESS, Throttles

LIFETIME: Final = timedelta(minutes=60)
# At 20 from one address that is 500 addresses, all within a few seconds.
REQUESTS_MAX: Final = 10_000
JOB: Final = "answer_recoveries"
BATCHES_MAX: Final = 200  # times 50 requests: everything that may wait

_log = structlog.get_logger(__name__)


class LinkNotGood(NotEntitled):
    """A token that came by mail was used, is over, was replaced, or never was one."""

    code = "link_not_good"
    title = "This link was used or is too old: ask for a new one"


@dataclass(frozen=True, slots=True)
class Post:
    """How accounts send mail: where it is queued, what its tokens are, where its links begin, who is woken."""

    outbox: Outbox
    tokens: MailedTokens
    base_url: str
    on_asked: Callable[[], None]


class Recoveries:
    """Lets people back in."""

    def __init__(
        self, units: UnitsOfWork, clock: Clock, new_id: Callable[[], str], post: Post, passwords: PasswordWriter,
        throttles: Throttles,
    ) -> None:  # fmt: skip
        """Mail goes out by `post`, whose links begin with the address from the settings and not with a request's."""
        self._units = units
        self._clock = clock
        self._new_id = new_id
        self._post = post
        self._passwords = passwords
        self._throttles = throttles

    async def ask(self, email: str, client: Client) -> None:
        """Write down that somebody wants to set a new password for an address, known or not.

        Raises:
            InvalidInput: it is no e-mail address.
            RateLimited: too many for this address, or from where the client is.
            Unavailable: too many wait.

        """
        address = clean_email(email)
        await self._throttles.take((RECOVERY_ADDRESS, client.block), (RECOVERY_ACCOUNT, address))
        request = RecoveryRequest(id=self._new_id(), email=address, created_at=self._clock.now())
        async with self._units.begin(origin="api") as unit:
            is_kept = await recoveries.add_request(unit.session, request, requests_max=REQUESTS_MAX)
            unit.after_commit(self._post.on_asked)
        if not is_kept:
            raise Unavailable

    async def answer_asked(self) -> int:
        """Look up what was asked and queue mails to those who have an account; gives how many. A job."""
        queued = 0
        for _ in range(BATCHES_MAX):
            async with self._units.begin(origin="recovery") as unit:
                asked = await recoveries.take_requests(unit.session)
                known = await recoveries.accounts_of(unit.session, sorted({one.email for one in asked}))
                for account in known:
                    queued += await self._queue(unit, account)
            if not asked:
                break
        return queued

    async def complete(self, token: str, new_password: str, client: Client) -> None:
        """Set a new password with the token of a mail; it is used up, and the account is signed out everywhere.

        Raises:
            LinkNotGood: the token is not good, or is not any more.
            InvalidInput: the password breaks a rule; the token stays good.
            RateLimited: too many from where the client is.

        """
        await self._throttles.take((MAILED_TOKEN_ADDRESS, client.block))
        recovery_id = self._post.tokens.row_of(TokenKind.RECOVERY, token)
        if recovery_id is None:
            raise LinkNotGood
        async with self._units.begin() as unit:
            account = await recoveries.account_of(unit.session, recovery_id, now=self._clock.now())
        if account is None:
            raise LinkNotGood
        password_hash = await self._passwords.hash_for(account, new_password)
        async with self._units.begin(actor=account.id, origin="recovery") as unit:
            locked = await accounts.lock(unit.session, account.id)
            is_ours = await recoveries.use_up(unit.session, recovery_id, now=self._clock.now())
            if locked is None or not locked.is_active or not is_ours:
                raise LinkNotGood
            await self._passwords.write(unit, locked, password_hash, keep_session_id=None)
        _log.info("password_recovered", user=account.id)

    async def _queue(self, unit: UnitOfWork, account: UserAccount) -> int:
        row = PasswordRecovery(id=self._new_id(), user_id=account.id, expires_at=self._clock.now() + LIFETIME)
        await recoveries.add(unit.session, row)
        await note_log_in(unit, account, Act(CHANGED, ACCOUNT, account.id, "recovery"), asking=job_asks(JOB))
        _log.info("recovery_mail_queued", user=account.id)
        return await self._post.outbox.queue(unit, [recovery_mail(row.id, account.email, self._post.base_url)])
