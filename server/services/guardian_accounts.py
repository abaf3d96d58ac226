"""Which account is which adult's: what lets a parent see their children."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import structlog

from server.core.clock import Clock
from server.core.errors import Conflict, NotFound
from server.models.accounts import Membership, RoleId
from server.models.columns import TableRow
from server.models.people import GuardianAccount
from server.models.rooms import Center
from server.repositories import guardian_accounts, people
from server.repositories.unit_of_work import UnitOfWork, UnitsOfWork
from server.services.access import User
from server.services.adults import find_adult
from server.services.announcements import suspend_of_adult

__all__ = ["GuardianAccount", "GuardianAccounts", "LinkStamp", "accounts_end", "accounts_follow"]

_log = structlog.get_logger(__name__)


class GuardianAccounts:
    """Links accounts to adults."""

    def __init__(self, units: UnitsOfWork, clock: Clock) -> None:
        """Write through `units`."""
        self._units = units
        self._clock = clock

    async def link(self, center: Center, user: User, adult_id: str, account_id: str) -> GuardianAccount:
        """Say whose account it is; the same a second time changes nothing.

        Raises:
            NotFound: the centre has no such adult, or no such account has a role there.
            Conflict: the adult has another account, or the account is another adult's.

        """
        async with self._units.begin(actor=user.id, origin="api") as unit:
            await unit.lock_head(center.id)
            await find_adult(unit, center.id, adult_id)
            if not await guardian_accounts.has_role(unit.session, center.id, account_id):
                raise NotFound("No such account has a role at this centre: invite it as a parent first")
            standing = await guardian_accounts.find(unit.session, center.id, adult_id)
            if standing is not None:
                if standing.user_id != account_id:
                    raise Conflict("This adult has another account: take that away first")
                return standing
            if await guardian_accounts.of_user(unit.session, center.id, account_id) is not None:
                raise Conflict("This account is another adult's at this centre")
            made = GuardianAccount(
                center_id=center.id, adult_id=adult_id, user_id=account_id, linked_at=self._clock.now(),
                linked_by=user.id,
            )  # fmt: skip
            await people.add(unit.session, [made])
        _log.info("guardian_account_linked", center=center.id, adult=adult_id, account=account_id, by=user.id)
        return made

    async def unlink(self, center: Center, user: User, adult_id: str) -> None:
        """Take an account from an adult: it sees no child of theirs any more, and what it announced is suspended.

        Raises:
            NotFound: the centre has no such adult, or the adult no account.

        """
        async with self._units.begin(actor=user.id, origin="api") as unit:
            await unit.lock_head(center.id)
            await find_adult(unit, center.id, adult_id)
            standing = await guardian_accounts.find(unit.session, center.id, adult_id)
            if standing is None:
                raise NotFound("This adult has no account")
            await suspend_of_adult(unit, self._clock, center, adult_id)
            await people.remove(unit.session, standing)
        _log.info("guardian_account_unlinked", center=center.id, adult=adult_id, account=standing.user_id, by=user.id)


@dataclass(frozen=True, slots=True)
class LinkStamp:
    """When links are made, and what names what is new."""

    at: datetime
    new_id: Callable[[], str]


async def accounts_follow(
    unit: UnitOfWork, source: Center, target: Center, adults: Mapping[str, str], stamp: LinkStamp
) -> None:
    """Let whoever saw a child with an account see it in its new centre too; `adults` are their ids there.

    An adult who has an account there, and an account that is another adult's there, stay as they are.
    """
    for link in await guardian_accounts.of_adults(unit.session, source.id, adults.keys()):
        adult_id, account_id = adults[link.adult_id], link.user_id
        if not await guardian_accounts.has_role(unit.session, source.id, account_id):
            continue
        if await guardian_accounts.find(unit.session, target.id, adult_id) is not None:
            continue
        if await guardian_accounts.of_user(unit.session, target.id, account_id) is not None:
            continue
        made: list[TableRow] = [
            GuardianAccount(center_id=target.id, adult_id=adult_id, user_id=account_id, linked_at=stamp.at)
        ]
        if not await guardian_accounts.has_role(unit.session, target.id, account_id):
            role_id = RoleId.PARENT.value
            made.append(Membership(id=stamp.new_id(), user_id=account_id, center_id=target.id, role_id=role_id))
        await people.add(unit.session, made)


async def accounts_end(unit: UnitOfWork, center: Center, adult_ids: Sequence[str]) -> None:
    """Take the accounts from adults who leave a centre for good."""
    for link in await guardian_accounts.of_adults(unit.session, center.id, adult_ids):
        await people.remove(unit.session, link)
