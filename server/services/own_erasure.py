"""Erasing one's own account: nobody signs in with it any more, and nothing tells whose it was.

Its id stays, since it is beside what was done with it. The person whom a centre has on file is another matter: that is
erased by the centre. Who attested an arrival or a departure is a part of the attendance record, and goes with it.
"""

from typing import Final

import structlog

from server.core.clock import Clock
from server.core.errors import Unauthenticated
from server.models.accounts import RoleId
from server.repositories import accounts, centers, erased_accounts, erasures, members
from server.repositories.unit_of_work import UnitOfWork, UnitsOfWork
from server.services.access import User
from server.services.announcements import suspend_of_adult
from server.services.erasures import LegallyHeld
from server.services.membership_rules import LastAdmin
from server.services.password_again import PasswordAgain

DISPLAY_NAME: Final = "Erased account"

_log = structlog.get_logger(__name__)


class OwnErasure:
    """Takes the account of whoever asks out of the books."""

    def __init__(self, units: UnitsOfWork, clock: Clock, again: PasswordAgain) -> None:
        """Write through `units`; `again` asks for the password once more."""
        self._units = units
        self._clock = clock
        self._again = again

    async def erase(self, user: User, password: str) -> None:
        """Erase the account at once and for good, in one transaction.

        Raises:
            WrongPassword, RateLimited: as `PasswordAgain.require`.
            Conflict: it is the last admin's, or whose it is, is under a legal hold.

        """
        await self._again.require(user, password)
        async with self._units.begin(actor=user.id, origin="erasure") as unit:
            links = await erased_accounts.links(unit.session, user.id)
            await unit.lock_heads(link.center_id for link in links)
            await members.lock_organisation(unit.session, user.organisation_id)
            account = await accounts.lock(unit.session, user.id)
            if account is None or not account.is_active:
                raise Unauthenticated
            await self._refuse(unit, user)
            for link in links:
                if await erasures.holds(unit.session, link.center_id, [link.adult_id]):
                    raise LegallyHeld("There is a legal hold at a centre of yours: ask them")
                center = await centers.find(unit.session, link.center_id)
                if center is not None:
                    await suspend_of_adult(unit, self._clock, center, link.adult_id)
            await forget_account(unit, user.id, self._clock)
        _log.warning("account_erased", user=user.id)

    async def _refuse(self, unit: UnitOfWork, user: User) -> None:
        is_admin = any(grant.role is RoleId.ADMIN for grant in user.grants)
        if is_admin and not await members.count_other_admins(unit.session, user.organisation_id, user.id):
            raise LastAdmin


async def forget_account(unit: UnitOfWork, user_id: str, clock: Clock) -> None:
    """Take everything of an account away but its id; done again it changes nothing. One that is not there is noted."""
    account = await accounts.lock(unit.session, user_id)
    if account is not None:
        await erased_accounts.forget(unit.connection, user_id, account.email)
        account.email, account.display_name, account.password_hash = f"{user_id}@erased.invalid", DISPLAY_NAME, ""
        account.is_active = False
        account.version += 1
        unit.session.add(account)
    await erased_accounts.note(unit.connection, user_id, clock.now())
