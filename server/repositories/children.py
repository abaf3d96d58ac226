"""The SQL of a centre's children, one by one and page by page."""

from dataclasses import dataclass
from typing import Final

from sqlalchemy import text
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from server.models.people import Alert, ChildProfile, Person, PersonKind
from server.repositories.unit_of_work import Connection

ALERTS_MAX: Final = 1_000


@dataclass(frozen=True, slots=True)
class ChildFilter:
    """Which children; a part that is None asks for all. `updated_since`: a version of the centre's log."""

    enrolled: bool | None = None
    room_id: str | None = None
    updated_since: int = 0


async def find(session: AsyncSession, center_id: str, child_id: str) -> tuple[Person, ChildProfile] | None:
    """Give a child that is on the roster of a centre; one that moved away is not."""
    person = await session.get(Person, (center_id, child_id))
    profile = await session.get(ChildProfile, (center_id, child_id))
    if person is None or profile is None or person.kind != PersonKind.CHILD:
        return None
    return person, profile


async def alerts(session: AsyncSession, center_id: str, child_id: str) -> list[Alert]:
    """Give the alerts of a child in the order in which desks show them."""
    mine = select(Alert).where(col(Alert.center_id) == center_id, col(Alert.child_id) == child_id)
    return list(await session.exec(mine.order_by(col(Alert.external_id), col(Alert.id)).limit(ALERTS_MAX)))


async def page(
    session: AsyncSession, center_id: str, wanted: ChildFilter, *, after: str | None, limit: int
) -> list[tuple[Person, ChildProfile, int]]:
    """Give children by name, behind one of them, each with the version at which its record last changed."""
    connection: Connection = await session.connection()
    parameters = {
        "center_id": center_id, "after": after, "limit": limit, "enrolled": wanted.enrolled,
        "room_id": wanted.room_id, "updated_since": wanted.updated_since,
    }  # fmt: skip
    listed = [(str(row.id), int(row.version)) for row in await connection.execute(_PAGE, parameters)]
    ids = [child_id for child_id, _ in listed]
    statement = (
        select(Person, ChildProfile)
        .join(
            ChildProfile,
            (col(ChildProfile.center_id) == col(Person.center_id)) & (col(ChildProfile.child_id) == col(Person.id)),
        )
        .where(col(Person.center_id) == center_id, col(Person.id).in_(ids))
    )
    found = {person.id: (person, profile) for person, profile in await session.exec(statement)}
    return [(*found[child_id], version) for child_id, version in listed if child_id in found]


# A child whose record nobody has logged yet (version 0) cannot be: the guard on synced tables forbids it.
_PAGE: Final = text("""
    SELECT person.id, coalesce(record.version, 0) AS version
    FROM person
    JOIN child_profile AS profile ON profile.center_id = person.center_id AND profile.child_id = person.id
    LEFT JOIN current_record AS record ON record.center_id = person.center_id AND record.entity = 'child'
      AND record.entity_id = CAST(person.id AS text)
    WHERE person.center_id = :center_id AND person.kind = 'child'
      AND (CAST(:enrolled AS boolean) IS NULL OR profile.enrolled = CAST(:enrolled AS boolean))
      AND (CAST(:room_id AS uuid) IS NULL OR profile.home_room_id = CAST(:room_id AS uuid))
      AND coalesce(record.version, 0) > :updated_since
      AND (CAST(:after AS uuid) IS NULL OR (person.family_name, person.given_name, person.id) > (
          SELECT family_name, given_name, id FROM person
          WHERE center_id = :center_id AND id = CAST(:after AS uuid)))
    ORDER BY person.family_name, person.given_name, person.id LIMIT :limit
""")
