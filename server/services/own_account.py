"""What people change of their own account: the name others see, and the password."""

from collections.abc import Callable
from dataclasses import replace

import structlog

from server.core.errors import NotEntitled, Unauthenticated
from server.core.etags import Expected
from server.core.passwords import Passwords, check_new_password
from server.core.text import clean_text
from server.models.accounts import UserAccount
from server.models.columns import NAME_MAX
from server.repositories import accounts, recoveries, sessions
from server.repositories.unit_of_work import UnitOfWork, UnitsOfWork
from server.services.access import User
from server.services.account_mails import password_changed_mail
from server.services.accounts import known_words
from server.services.log_in_notes import LogInNotes, note_log_in, password_set
from server.services.mail import Outbox
from server.services.throttles import PASSWORD_CHANGE, Throttles

_log = structlog.get_logger(__name__)


class WrongPassword(NotEntitled):
    """The password that had to be given again is not the account's; the account stays signed in."""

    code = "wrong_password"
    title = "The password is not right"


class PasswordWriter:
    """Sets the password of an account, with all that follows from it."""

    def __init__(self, passwords: Passwords, outbox: Outbox, new_id: Callable[[], str], base_url: str) -> None:
        """Tell owners through `outbox`."""
        self._passwords = passwords
        self._outbox = outbox
        self._new_id = new_id
        self._base_url = base_url

    async def hash_for(self, account: UserAccount, password: str) -> str:
        """Give the hash of a new password of an account; outside of a transaction, since it takes long.

        Raises InvalidInput when the password breaks a rule, as when it is made of the owner's name or address.
        """
        check_new_password(password, known_words(account.email, account.display_name))
        return await self._passwords.hash(password)

    async def write(
        self, unit: UnitOfWork, account: UserAccount, password_hash: str, *, keep_session_id: str | None
    ) -> None:
        """Set the hash of a locked account, end its sessions but one, take back its recoveries, tell its owner."""
        account.password_hash = password_hash
        unit.session.add(account)
        await sessions.end_all(unit.session, account.id, except_id=keep_session_id)
        await recoveries.end_all(unit.session, account.id)
        await note_log_in(unit, account, password_set(account))
        await self._outbox.queue(unit, [password_changed_mail(self._new_id(), account.email, self._base_url)])


class OwnAccount:
    """The account of whoever asks."""

    def __init__(
        self, units: UnitsOfWork, passwords: Passwords, writer: PasswordWriter, throttles: Throttles, notes: LogInNotes
    ) -> None:
        """Verify with `passwords`, write with `writer`, tell by `notes` who did not know the password."""
        self._units = units
        self._notes = notes
        self._passwords = passwords
        self._writer = writer
        self._throttles = throttles

    async def change_password(self, user: User, old_password: str, new_password: str) -> None:
        """Set a new password; every session of the account ends but the one that asks.

        Raises:
            WrongPassword: the old password is not right.
            InvalidInput: the new password breaks a rule.
            RateLimited: too many tries.

        """
        await self._throttles.take((PASSWORD_CHANGE, user.id))
        account = await self._account(user)
        if not await self._passwords.verify(old_password, account.password_hash):
            _log.info("password_change_refused", user=user.id)
            await self._notes.failed(account.email, account, "password_change")
            raise WrongPassword
        password_hash = await self._writer.hash_for(account, new_password)
        async with self._units.begin(actor=user.id, origin="api") as unit:
            locked = await accounts.lock(unit.session, user.id)
            if locked is None or locked.password_hash != account.password_hash:
                raise WrongPassword  # it was changed meanwhile
            await self._writer.write(unit, locked, password_hash, keep_session_id=user.session_id)
        _log.info("password_changed", user=user.id)

    async def rename(self, user: User, display_name: str, expected: Expected) -> User:
        """Change the name that others see; gives the user as they are then.

        Raises:
            InvalidInput: the name cannot be taken.
            PreconditionFailed: the account is in another state than the asker saw.

        """
        name = clean_text(display_name, what="The name", length_max=NAME_MAX)
        async with self._units.begin(actor=user.id, origin="api") as unit:
            account = await accounts.lock(unit.session, user.id)
            if account is None:
                raise Unauthenticated
            expected.require(replace(user, version=account.version).etag)
            account.display_name = name
            account.version += 1
            unit.session.add(account)
        return replace(user, display_name=name, version=account.version)

    async def _account(self, user: User) -> UserAccount:
        async with self._units.begin() as unit:
            account = await accounts.find(unit.session, user.id)
        if account is None:
            raise Unauthenticated
        return account
