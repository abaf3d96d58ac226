"""Who a user is, and what that lets them do at which centre."""

from dataclasses import dataclass

from server.core.asking import Asking, Reach, asks, within
from server.core.errors import NotEntitled, NotFound
from server.core.etags import etag_of
from server.models.accounts import RoleId
from server.models.rooms import Center, Room
from server.repositories import centers
from server.repositories.unit_of_work import UnitsOfWork

__all__ = [
    "ANYBODY_THERE",
    "MANAGER_AND_UP",
    "STAFF_AND_UP",
    "Center",
    "Centers",
    "Grant",
    "LogIn",
    "RoleId",
    "Room",
    "User",
]

ANYBODY_THERE = frozenset(RoleId)
STAFF_AND_UP = frozenset({RoleId.STAFF, RoleId.MANAGER, RoleId.ADMIN})
MANAGER_AND_UP = frozenset({RoleId.MANAGER, RoleId.ADMIN})


LogIn = tuple[str, str]
"""The ids of a user and of the session in which they signed in, at the API or in a browser."""


@dataclass(frozen=True, slots=True)
class Grant:
    """A role at one centre; without a centre, at all centres of the organisation."""

    role: RoleId
    center_id: str | None


@dataclass(frozen=True, slots=True)
class User:
    """Somebody who logged in, with their rights as the database has them now, and the session that asks."""

    id: str
    organisation_id: str
    email: str
    display_name: str
    is_active: bool
    grants: tuple[Grant, ...]
    session_id: str = ""
    version: int = 0

    @property
    def etag(self) -> str:
        """Give the tag of the state in which the account is."""
        return etag_of("me", self.id, self.version)

    def roles_at(self, center: Center) -> frozenset[RoleId]:
        """Give the roles this user has at a centre; none when it is not theirs."""
        everywhere = center.organisation_id == self.organisation_id
        return frozenset(
            grant.role
            for grant in self.grants
            if grant.center_id == center.id or (grant.center_id is None and everywhere)
        )


class Centers:
    """Centres as their people see them."""

    def __init__(self, units: UnitsOfWork) -> None:
        """Read through `units`."""
        self._units = units

    async def visible_to(self, user: User) -> list[tuple[Center, frozenset[RoleId]]]:
        """Give the centres where the user has a role, with the roles."""
        mine = {grant.center_id for grant in user.grants if grant.center_id is not None}
        organisation = user.organisation_id if any(grant.center_id is None for grant in user.grants) else None
        async with self._units.begin() as unit:
            found = await centers.visible(unit.session, center_ids=mine, organisation_id=organisation)
        return [(center, user.roles_at(center)) for center in found]

    async def reach_of(self, user: User) -> Reach:
        """Give whose rows the user may reach: those of the centres where they have a role, and of their organisation.

        An admin has a role at every centre of the organisation.
        """
        named = {user.organisation_id, *(grant.center_id for grant in user.grants if grant.center_id is not None)}
        if all(grant.center_id is not None for grant in user.grants):
            return within(named)
        with asks(Asking(within(named))):
            async with self._units.begin() as unit:
                all_of_them = await centers.ids_of_organisation(unit.session, user.organisation_id)
        return within({*named, *all_of_them})

    async def entitled(self, user: User, center_id: str, roles: frozenset[RoleId]) -> Center:
        """Give a centre where the user has one of the roles.

        Raises:
            NotFound: there is no such centre, or it is not the user's.
            NotEntitled: it is, and the user's role there is another.

        """
        async with self._units.begin() as unit:
            center = await centers.find(unit.session, center_id)
        if center is None or not user.roles_at(center):
            raise NotFound("There is no such centre among yours")
        if not user.roles_at(center) & roles:
            raise NotEntitled("Your role at this centre does not allow this; ask a manager")
        return center

    async def by_code(self, code: str) -> Center:
        """Give a centre by its code, for the operator. Raises NotFound."""
        async with self._units.begin() as unit:
            center = await centers.find_by_code(unit.session, code)
        if center is None:
            raise NotFound(f"There is no centre with the code {code}; rollcall-server import makes one")
        return center

    async def rooms(self, center: Center) -> list[Room]:
        """Give the rooms of a centre."""
        async with self._units.begin() as unit:
            return await centers.rooms(unit.session, center.id)
