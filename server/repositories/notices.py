"""The SQL of what guardians want to be told, and how far they were."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final

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
class LateStay:
    """A stay that went beyond the end of a booking, of which an account wants to be told and was not."""

    center_id: str
    user_id: str
    child_id: str
    booking_id: str
    ends_at: datetime


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


async def late_stays(connection: Connection, *, since: datetime, now: datetime, limit: int) -> list[LateStay]:
    """Give stays that ended since then, and after somebody chose to be told, beyond a booking and its grace.

    A booking that the next one goes on from is no end. What was told is in the outbox, by `late_key`.
    """
    rows = await connection.execute(_LATE_STAYS, {"since": since, "now": now, "limit": limit})
    return [
        LateStay(str(row.center_id), str(row.user_id), str(row.child_id), str(row.booking_id), row.ends_at)
        for row in rows
    ]


def late_key(user_id: str, booking_id: str) -> str:
    """Give the dedupe key of the mail that tells an account of a late end of a booking: once, whatever is corrected."""
    return f"{_LATE_PREFIX}{user_id}:{booking_id}"


async def stays_around(
    connection: Connection, center_id: str, child_id: str, *, since: datetime, before: datetime
) -> Sequence[Any]:
    """Give the stays of a child that have a moment in `[since, before)`, the first one first."""
    parameters = {"center_id": center_id, "child_id": child_id, "since": since, "before": before}
    return (await connection.execute(_STAYS_AROUND, parameters)).all()


async def planned(
    connection: Connection, center_id: str, child_ids: Collection[str], *, day: date, begun_by: datetime
) -> set[str]:
    """Give those of some children who should be here: a booking of theirs on the day has begun by a moment.

    A child without any booking or schedule is planned by nobody, and expected like everybody on the roster.
    """
    parameters = {"center_id": center_id, "child_ids": sorted(child_ids), "day": day, "begun_by": begun_by}
    return {str(one) for one in await connection.scalars(_PLANNED, parameters)}


_LATE_PREFIX: Final = "late_pick_up:"
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
_LATE_STAYS: Final = text(f"""
    SELECT DISTINCT choice.center_id, choice.user_id, choice.child_id, booking.id AS booking_id, booking.ends_at
    FROM notification_choice AS choice
    JOIN stay ON stay.center_id = choice.center_id AND stay.subject_id = choice.child_id AND NOT stay.assumed
      AND stay.ended_at > greatest(:since, choice.changed_at) AND stay.ended_at <= :now
    JOIN booking ON booking.center_id = stay.center_id AND booking.child_id = stay.subject_id
      AND booking.status IN ('confirmed', 'attended', 'no_show')
      AND booking.ends_at < stay.ended_at AND booking.ends_at > stay.started_at
    JOIN service ON service.center_id = booking.center_id AND service.id = booking.service_id
      AND service.unit <> 'item'
    LEFT JOIN LATERAL (
        SELECT late_grace_min FROM service_terms AS one
        WHERE one.center_id = booking.center_id AND one.service_id = booking.service_id
          AND one.effective_from <= booking.day
        ORDER BY one.effective_from DESC LIMIT 1
    ) AS terms ON true
    WHERE 'late_pick_up' = ANY(choice.kinds)
      AND stay.ended_at - booking.ends_at >= interval '1 minute'
      AND stay.ended_at - booking.ends_at > make_interval(mins => coalesce(terms.late_grace_min, 0))
      AND NOT EXISTS (
          SELECT FROM booking AS next
          WHERE next.center_id = booking.center_id AND next.child_id = booking.child_id
            AND next.status IN ('confirmed', 'attended', 'no_show')
            AND next.starts_at <= booking.ends_at AND next.ends_at > booking.ends_at)
      AND NOT EXISTS (
          SELECT FROM mail_outbox AS mail
          WHERE mail.dedupe_key = '{_LATE_PREFIX}' || choice.user_id || ':' || booking.id)
    ORDER BY choice.center_id, choice.child_id, booking.ends_at, choice.user_id LIMIT :limit
""")
_STAYS_AROUND: Final = text("""
    SELECT stay_id, started_at, ended_at, check_in, check_out, disputed, assumed FROM stay
    WHERE center_id = :center_id AND subject_id = :child_id
      AND coalesce(started_at, ended_at) < :before AND coalesce(ended_at, :before) >= :since
    ORDER BY ordinal
""")
_PLANNED: Final = text("""
    SELECT child.id FROM unnest(CAST(:child_ids AS uuid[])) AS child (id)
    WHERE EXISTS (SELECT FROM booking WHERE center_id = :center_id AND child_id = child.id AND day = :day
                  AND status IN ('confirmed', 'attended', 'no_show') AND starts_at <= :begun_by)
       OR NOT EXISTS (SELECT FROM booking WHERE center_id = :center_id AND child_id = child.id
                      UNION ALL SELECT FROM schedule WHERE center_id = :center_id AND child_id = child.id)
    ORDER BY child.id
""")
