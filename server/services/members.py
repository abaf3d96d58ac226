"""The people of a centre who can sign in: who they are, what they may do, and whether they may at all."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

import structlog

from server.core.errors import NotFound
from server.core.etags import Expected, etag_of
from server.models.accounts import Membership, RoleId, UserAccount
from server.models.rooms import Center
from server.repositories import accounts, members, recoveries, sessions
from server.repositories.unit_of_work import UnitOfWork, UnitsOfWork
from server.services.access import User
from server.services.membership_rules import Asker, Standing, check_active, check_roles

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Member:
    """Somebody with roles at a centre; an admin has theirs at every centre of the organisation."""

    id: str
    email: str
    display_name: str
    is_active: bool
    roles: tuple[RoleId, ...]
    etag: str


@dataclass(frozen=True, slots=True)
class MemberPage:
    """Some people of a centre, and after which one the next page begins; None at the end."""

    items: tuple[Member, ...]
    after: str | None


@dataclass(frozen=True, slots=True)
class MemberChange:
    """What is to be changed of somebody; None leaves it as it is."""

    roles: frozenset[RoleId] | None = None
    is_active: bool | None = None


class Members:
    """Reads and changes who belongs to a centre."""

    def __init__(self, units: UnitsOfWork, new_id: Callable[[], str]) -> None:
        """Name memberships by `new_id`."""
        self._units = units
        self._new_id = new_id

    async def page(self, center: Center, *, after: str | None, limit: int) -> MemberPage:
        """Give the people of a centre in the order in which their accounts were made."""
        async with self._units.begin() as unit:
            found = await members.page(unit.session, center, after=after, limit=limit + 1)
            held = await members.memberships(unit.session, [account.id for account in found])
        items = tuple(_member(center, account, held) for account in found[:limit])
        return MemberPage(items, items[-1].id if len(found) > limit else None)

    async def one(self, center: Center, user_id: str) -> Member:
        """Give one of the people of a centre. Raises NotFound when they are none."""
        async with self._units.begin() as unit:
            account = await self._find(unit, center, user_id)
            return _member(center, account, await members.memberships(unit.session, [user_id]))

    async def change(
        self, user: User, center: Center, user_id: str, change: MemberChange, expected: Expected
    ) -> Member:
        """Change somebody's roles at a centre, or switch their account off or on; what they may do changes at once.

        Raises:
            NotFound: nobody with this id is at the centre.
            PreconditionFailed: they are in another state than the asker saw.
            NotEntitled: it is not the asker's to decide.
            Conflict: it would be a mistake (`server.services.membership_rules`).

        """
        async with self._units.begin(actor=user.id, origin="api") as unit:
            account, held = await self._locked(unit, center, user_id, expected)
            asker, target = asker_of(user, center), await self._standing(unit, center, account, held)
            if change.roles is not None:
                check_roles(asker, target, change.roles)
            if change.is_active is not None:
                check_active(asker, target, change.is_active)
            if change.roles is not None:
                await self._set_roles(unit, center, target, change.roles)
            if change.is_active is not None:
                await _switch(unit, account, is_active=change.is_active)
            account.version += 1
            unit.session.add(account)
            await unit.session.flush()
            done = _member(center, account, await members.memberships(unit.session, [user_id]))
        _log.info("member_changed", user=user_id, center=center.id, by=user.id, is_active=account.is_active)
        return done

    async def remove(self, user: User, center: Center, user_id: str, expected: Expected) -> None:
        """Take all roles at a centre from somebody; their account stays.

        Raises:
            NotFound, PreconditionFailed, NotEntitled, Conflict: as `change`.

        """
        async with self._units.begin(actor=user.id, origin="api") as unit:
            account, held = await self._locked(unit, center, user_id, expected)
            target = await self._standing(unit, center, account, held)
            check_roles(asker_of(user, center), target, ())
            await self._set_roles(unit, center, target, ())
            account.version += 1
            unit.session.add(account)
        _log.info("member_removed", user=user_id, center=center.id, by=user.id)

    async def _locked(
        self, unit: UnitOfWork, center: Center, user_id: str, expected: Expected
    ) -> tuple[UserAccount, list[Membership]]:
        await members.lock_organisation(unit.session, center.organisation_id)
        await self._find(unit, center, user_id)
        account = await accounts.lock(unit.session, user_id)
        if account is None:
            raise NotFound("Nobody with this id is at the centre")
        held = await members.memberships(unit.session, [user_id])
        expected.require(_member(center, account, held).etag)
        return account, held

    async def _find(self, unit: UnitOfWork, center: Center, user_id: str) -> UserAccount:
        account = await members.find(unit.session, center, user_id)
        if account is None:
            raise NotFound("Nobody with this id is at the centre")
        return account

    async def _standing(
        self, unit: UnitOfWork, center: Center, account: UserAccount, held: Sequence[Membership]
    ) -> Standing:
        others = await members.count_other_admins(unit.session, center.organisation_id, account.id)
        return Standing(
            id=account.id,
            roles=frozenset(_roles_at(center, account, held)),
            center_ids=frozenset(one.center_id for one in held if one.center_id is not None),
            is_active=account.is_active,
            is_of_organisation=account.organisation_id == center.organisation_id,
            other_admins=others,
        )

    async def _set_roles(self, unit: UnitOfWork, center: Center, target: Standing, wanted: Collection[RoleId]) -> None:
        await members.take_roles(unit.session, center, target.id, target.roles - set(wanted))
        for role in sorted(set(wanted) - target.roles):
            await members.give_role(unit.session, membership(self._new_id(), target.id, center, role))


def asker_of(user: User, center: Center) -> Asker:
    """Give what the rules must know of who asks."""
    managed = frozenset(one.center_id for one in user.grants if one.role is RoleId.MANAGER and one.center_id)
    return Asker(user.id, user.roles_at(center), managed)


def membership(new_id: str, user_id: str, center: Center, role: RoleId) -> Membership:
    """Give the row of a role at a centre; an admin's is of no centre."""
    center_id = None if role is RoleId.ADMIN else center.id
    return Membership(id=new_id, user_id=user_id, center_id=center_id, role_id=role.value)


async def _switch(unit: UnitOfWork, account: UserAccount, *, is_active: bool) -> None:
    """Switch an account on or off; off ends its sessions, and what would let it in again."""
    account.is_active = is_active
    if not is_active:
        await sessions.end_all(unit.session, account.id)
        await recoveries.end_all(unit.session, account.id)


def _roles_at(center: Center, account: UserAccount, held: Sequence[Membership]) -> list[RoleId]:
    everywhere = account.organisation_id == center.organisation_id
    return [
        RoleId(one.role_id)
        for one in held
        if one.user_id == account.id and (one.center_id == center.id or (one.center_id is None and everywhere))
    ]


def _member(center: Center, account: UserAccount, held: Sequence[Membership]) -> Member:
    roles = tuple(sorted(_roles_at(center, account, held)))
    etag = etag_of("member", center.id, account.id, account.version)
    return Member(account.id, account.email, account.display_name, account.is_active, roles, etag)
