"""The SQL of what guardians want to be told, and how far they were."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from sqlalchemy import text
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from server.models.webhooks import NotificationChoice
from server.repositories.mail_outbox import TOLD_OF_CHILD
from server.repositories.unit_of_work import Connection

CHOICES_MAX: Final = 100  # of one account, as its children
CENTERS_AT_ONCE: Final = 50


@dataclass(frozen=True, slots=True)
class NoticePlace:
    """A centre whose guardians are not told of everything yet, and how far they are."""

    center_id: str
    version: int
    number: int


@dataclass(frozen=True, slots=True)
class Hearer:
    """An account that wants to be told of a child and may be."""

    user_id: str
    email: str
    child_id: str
    kinds: frozenset[str]


async def of_user(session: AsyncSession, user_id: str) -> list[NotificationChoice]:
    """Give what an account chose."""
    statement = select(NotificationChoice).where(col(NotificationChoice.user_id) == user_id)
    return list(await session.exec(statement.order_by(col(NotificationChoice.child_id)).limit(CHOICES_MAX)))


async def put(session: AsyncSession, row: NotificationChoice) -> None:
    """Store what was chosen, in the place of what stood there."""
    await session.merge(row)
    await session.flush()


async def remove(session: AsyncSession, row: NotificationChoice) -> None:
    """Forget a choice: the account is told of nothing about this child."""
    await session.delete(row)
    await session.flush()


async def begin(connection: Connection, center_id: str) -> None:
    """Tell the guardians of a centre of what happens from now on, unless they are told already."""
    await connection.execute(_BEGIN, {"center_id": center_id})


async def behind(connection: Connection) -> list[NoticePlace]:
    """Give centres whose guardians are not told of everything yet, held until the end of the transaction."""
    rows = await connection.execute(_BEHIND, {"limit": CENTERS_AT_ONCE})
    return [NoticePlace(str(row.center_id), row.version, row.number) for row in rows]


async def move(connection: Connection, center_id: str, *, epoch: str | None, version: int, number: int) -> None:
    """Say how far the guardians of a centre were told."""
    parameters = {"center_id": center_id, "epoch": epoch, "version": version, "number": number}
    await connection.execute(_MOVE, parameters)


async def hearers(connection: Connection, center_id: str, child_ids: Collection[str]) -> list[Hearer]:
    """Give who wants to be told of some children and may be, by account and child."""
    rows = await connection.execute(_HEARERS, {"center_id": center_id, "child_ids": sorted(set(child_ids))})
    return [Hearer(str(row.user_id), row.email, str(row.child_id), frozenset(row.kinds)) for row in rows]


async def times_of(connection: Connection, center_id: str) -> tuple[str, str]:
    """Give the name and the time zone of a centre."""
    row = (await connection.execute(_CENTER, {"center_id": center_id})).one()
    return row.name, row.time_zone


_BEGIN: Final = text("""
    INSERT INTO notice_position (center_id, epoch, version, number)
    SELECT asked.center_id, head.epoch, coalesce(head.version, 0), coalesce(feed.number, 0)
    FROM (SELECT CAST(:center_id AS uuid) AS center_id) AS asked
    LEFT JOIN center_head AS head ON head.center_id = asked.center_id
    LEFT JOIN center_event_head AS feed ON feed.center_id = asked.center_id
    ON CONFLICT (center_id) DO NOTHING
""")
_BEHIND: Final = text("""
    SELECT place.center_id, place.version, place.number FROM notice_position AS place
    LEFT JOIN center_head AS head ON head.center_id = place.center_id
    LEFT JOIN center_event_head AS feed ON feed.center_id = place.center_id
    WHERE head.version > place.version OR feed.number > place.number OR head.epoch IS DISTINCT FROM place.epoch
    ORDER BY place.center_id LIMIT :limit FOR UPDATE OF place SKIP LOCKED
""")
_MOVE: Final = text("""
    UPDATE notice_position SET epoch = :epoch, version = :version, number = :number WHERE center_id = :center_id
""")
_HEARERS: Final = text(f"""
    SELECT link.user_id, account.email, choice.child_id, choice.kinds
    {
    TOLD_OF_CHILD.replace(
        "WHERE",
        '''
    JOIN notification_choice AS choice ON choice.center_id = link.center_id AND choice.user_id = link.user_id
                                       AND choice.child_id = kin.child_id
    WHERE''',
        1,
    )
}
      AND link.center_id = :center_id AND kin.child_id = ANY(CAST(:child_ids AS uuid[]))
    ORDER BY link.user_id, choice.child_id
""")
_CENTER: Final = text("SELECT name, time_zone FROM center WHERE id = :center_id")
