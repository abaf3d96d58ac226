"""The password of whoever is signed in, asked for once more before something that matters."""

import structlog

from server.core.passwords import Passwords
from server.repositories import accounts
from server.repositories.unit_of_work import UnitsOfWork
from server.services.access import User
from server.services.log_in_notes import LogInNotes
from server.services.own_account import WrongPassword
from server.services.throttles import PASSWORD_AGAIN, Throttles

_log = structlog.get_logger(__name__)


class PasswordAgain:
    """Asks for it; outside of any transaction, since to verify one takes a while on purpose."""

    def __init__(self, units: UnitsOfWork, passwords: Passwords, throttles: Throttles, notes: LogInNotes) -> None:
        """Verify with `passwords`, count with `throttles`, tell by `notes` who did not know it."""
        self._notes = notes
        self._units = units
        self._passwords = passwords
        self._throttles = throttles

    async def require(self, user: User, password: str) -> None:
        """See that it is the account's password.

        Raises:
            WrongPassword: it is not.
            RateLimited: too many tries; whoever has an open session guesses no faster than at the door.

        """
        taken = (PASSWORD_AGAIN, user.id)
        await self._throttles.take(taken)
        async with self._units.begin() as unit:
            account = await accounts.find(unit.session, user.id)
        if account is None or not await self._passwords.verify(password, account.password_hash):
            _log.info("password_again_refused", user=user.id)
            await self._notes.failed(user.email, account, "password_again")
            raise WrongPassword
        await self._throttles.give_back(taken)
