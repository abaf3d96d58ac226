"""What an account may do for a child because it is a guardian's; the rights of staff are in `access`.

A right that nobody has decided is that of a legal guardian: theirs, and nobody else's. An account that has no role at
the centre any more has none of them.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from server.core.errors import NotFound
from server.models.people import Relationship
from server.models.rooms import Center
from server.repositories import centers, guardian_accounts
from server.repositories.guardian_accounts import FamilyChild
from server.repositories.unit_of_work import Connection, UnitOfWork, UnitsOfWork
from server.services.access import User

__all__ = ["FamilyChild", "GuardianRights", "Rights", "child_of", "child_with_center", "children_of", "rights_of"]


@dataclass(frozen=True, slots=True)
class Rights:
    """What an adult may do for a child."""

    can_view: bool
    can_book: bool
    receives_notifications: bool


class GuardianRights:
    """Says for whom an account may speak."""

    def __init__(self, units: UnitsOfWork) -> None:
        """Read through `units`."""
        self._units = units

    async def may_book(self, user: User, center_id: str, child_id: str) -> bool:
        """Whether the user may book for a child of a centre, and see what is booked."""
        async with self._units.read() as connection:
            found = await guardian_accounts.children(connection, user.id, child_id=child_id)
        return any(one.center_id == center_id and one.can_book for one in found)


def rights_of(relationship: Relationship) -> Rights:
    """Give the rights that follow from a relationship."""
    by_law = relationship.legal_guardian
    return Rights(
        can_view=_decided(relationship.can_view, by_law),
        can_book=_decided(relationship.can_book, by_law),
        receives_notifications=_decided(relationship.receives_notifications, by_law),
    )


async def children_of(connection: Connection, user: User) -> Sequence[FamilyChild]:
    """Give the children whom an account may see."""
    return [one for one in await guardian_accounts.children(connection, user.id) if one.can_view]


async def child_of(connection: Connection, user: User, child_id: str) -> FamilyChild:
    """Give a child of an account's.

    Raises:
        NotFound: there is no such child, or the account may not see it.

    """
    found = await guardian_accounts.children(connection, user.id, child_id=child_id)
    child = next((one for one in found if one.can_view), None)
    if child is None:
        raise NotFound("There is no such child among yours")
    return child


async def child_with_center(unit: UnitOfWork, user: User, child_id: str) -> tuple[FamilyChild, Center]:
    """Give a child of an account's, and the centre that it is at. Raises NotFound like `child_of`."""
    child = await child_of(unit.connection, user, child_id)
    center = await centers.find(unit.session, child.center_id)
    assert center is not None, "a child of a family is at a centre"
    return child, center


def _decided(decided: bool | None, by_law: bool) -> bool:  # noqa: FBT001 - two values of a table, and no switch
    return by_law if decided is None else decided
