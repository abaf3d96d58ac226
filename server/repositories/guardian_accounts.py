"""The SQL of guardians' accounts: whose they are, and which children they may see."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import text
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from server.models.accounts import Membership
from server.models.people import GuardianAccount
from server.repositories.unit_of_work import Connection

CHILDREN_MAX: Final = 100  # of one account; a family has a handful, and a foster home a few more


@dataclass(frozen=True, slots=True)
class FamilyChild:
    """A child of an account: where, by which adult, and what that one may do."""

    center_id: str
    center_name: str
    time_zone: str
    child_id: str
    given_name: str
    family_name: str
    preferred_name: str
    home_room_id: str
    enrolled: bool
    adult_id: str
    kind: str
    legal_guardian: bool
    can_view: bool
    can_book: bool
    receives_notifications: bool


@dataclass(frozen=True, slots=True)
class OwnAdult:
    """Which adult an account is at a centre."""

    center_id: str
    center_name: str
    adult_id: str


async def find(session: AsyncSession, center_id: str, adult_id: str) -> GuardianAccount | None:
    """Give the account of an adult."""
    return await session.get(GuardianAccount, (center_id, adult_id))


async def of_user(session: AsyncSession, center_id: str, user_id: str) -> GuardianAccount | None:
    """Give which adult an account is at a centre."""
    statement = select(GuardianAccount).where(
        col(GuardianAccount.center_id) == center_id, col(GuardianAccount.user_id) == user_id
    )
    return (await session.exec(statement)).one_or_none()


async def of_adults(session: AsyncSession, center_id: str, adult_ids: Iterable[str]) -> list[GuardianAccount]:
    """Give the accounts of some adults."""
    statement = select(GuardianAccount).where(
        col(GuardianAccount.center_id) == center_id, col(GuardianAccount.adult_id).in_(list(adult_ids))
    )
    return list(await session.exec(statement.order_by(col(GuardianAccount.adult_id))))


async def has_role(session: AsyncSession, center_id: str, user_id: str) -> bool:
    """Whether an account has a role at this very centre."""
    statement = select(col(Membership.id)).where(
        col(Membership.center_id) == center_id, col(Membership.user_id) == user_id
    )
    return (await session.exec(statement.limit(1))).first() is not None


async def children(connection: Connection, user_id: str, *, child_id: str | None = None) -> list[FamilyChild]:
    """Give the children of an account, or the one with an id, by centre and name, whatever it may do for them.

    An account without a role at the centre has none there.
    """
    parameters = {"user_id": user_id, "child_id": child_id, "limit": CHILDREN_MAX}
    return [_child(row) for row in await connection.execute(_CHILDREN, parameters)]


async def children_at(
    connection: Connection, center_id: str, user_ids: Collection[str]
) -> dict[str, list[FamilyChild]]:
    """Give the children of some accounts at one centre by account, by name, whatever the account may do for them."""
    parameters = {"center_id": center_id, "user_ids": list(user_ids), "limit": CHILDREN_MAX * len(user_ids)}
    found: dict[str, list[FamilyChild]] = {}
    for row in await connection.execute(_CHILDREN_AT, parameters):
        found.setdefault(str(row.user_id), []).append(_child(row))
    return found


async def adults_of(connection: Connection, user_id: str) -> list[OwnAdult]:
    """Give which adult an account is at each centre where it has a role, by the centre's name."""
    rows = await connection.execute(_ADULTS, {"user_id": user_id, "limit": CHILDREN_MAX})
    return [OwnAdult(str(row.center_id), row.center_name, str(row.adult_id)) for row in rows]


async def kinds_of(connection: Connection, center_id: str, child_id: str, adult_ids: Sequence[str]) -> dict[str, str]:
    """Give what some adults are to a child, in a word."""
    parameters = {"center_id": center_id, "child_id": child_id, "adult_ids": list(adult_ids)}
    return {str(row.adult_id): row.kind for row in await connection.execute(_KINDS, parameters)}


def _child(row: object) -> FamilyChild:
    values = {name: getattr(row, name) for name in FamilyChild.__slots__}
    for name in ("center_id", "child_id", "adult_id"):
        values[name] = str(values[name])
    values["home_room_id"] = str(values["home_room_id"] or "")
    return FamilyChild(**values)


_FAMILIES: Final = """
    SELECT link.user_id, link.center_id, center.name AS center_name, center.time_zone, child.id AS child_id,
           child.given_name, child.family_name, child.preferred_name, profile.home_room_id, profile.enrolled,
           link.adult_id, kin.kind, kin.legal_guardian, coalesce(kin.can_view, kin.legal_guardian) AS can_view,
           coalesce(kin.can_book, kin.legal_guardian) AS can_book,
           coalesce(kin.receives_notifications, kin.legal_guardian) AS receives_notifications
    FROM guardian_account AS link
    JOIN center ON center.id = link.center_id
    JOIN relationship AS kin ON kin.center_id = link.center_id AND kin.adult_id = link.adult_id
    JOIN person AS child ON child.center_id = kin.center_id AND child.id = kin.child_id AND child.kind = 'child'
    JOIN child_profile AS profile ON profile.center_id = child.center_id AND profile.child_id = child.id
    WHERE EXISTS (SELECT FROM membership WHERE membership.user_id = link.user_id
                  AND membership.center_id = link.center_id)
"""
_BY_NAME: Final = """
    ORDER BY center.name, link.center_id, child.family_name, child.given_name, child.id LIMIT :limit
"""
_CHILDREN: Final = text(f"""
    {_FAMILIES} AND link.user_id = :user_id
      AND (CAST(:child_id AS uuid) IS NULL OR child.id = CAST(:child_id AS uuid))
    {_BY_NAME}
""")
_CHILDREN_AT: Final = text(f"""
    {_FAMILIES} AND link.center_id = :center_id AND link.user_id = ANY(CAST(:user_ids AS uuid[]))
    {_BY_NAME}
""")
_ADULTS: Final = text("""
    SELECT link.center_id, center.name AS center_name, link.adult_id
    FROM guardian_account AS link JOIN center ON center.id = link.center_id
    WHERE link.user_id = :user_id
      AND EXISTS (SELECT FROM membership WHERE membership.user_id = link.user_id
                  AND membership.center_id = link.center_id)
    ORDER BY center.name, link.center_id LIMIT :limit
""")
_KINDS: Final = text("""
    SELECT adult_id, kind FROM relationship
    WHERE center_id = :center_id AND child_id = :child_id AND adult_id = ANY(CAST(:adult_ids AS uuid[]))
    ORDER BY adult_id
""")
