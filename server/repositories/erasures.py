"""The SQL of erasures: the register, the rows of a person in every table, and what events and entries speak of them."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, NamedTuple, TypeVar

from sqlalchemy import text
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from server.models.absences import Absence, AbsenceFollowUp
from server.models.credentials import Credential
from server.models.erasure import Erasure, ErasureState, LegalHold
from server.models.people import (
    Alert,
    ChildProfile,
    GuardianAccount,
    Person,
    PersonKind,
    PickupAuthorisation,
    Relationship,
)
from server.models.photos import Photo
from server.models.planning import Booking, Schedule
from server.repositories.unit_of_work import Connection
from sync.journal import Outcome

OfChild = TypeVar(
    "OfChild", Alert, Relationship, PickupAuthorisation, ChildProfile, Absence, AbsenceFollowUp, Booking, Schedule
)


class ErasedOne(NamedTuple):
    """Somebody who was erased at a centre."""

    center_id: str
    id: str
    kind: str
    person_id: str
    reason: str
    asked_at: datetime
    asked_by: str
    ended_at: datetime
    ended_by: str


@dataclass(slots=True)
class HeldOf:
    """The rows of some people at a centre that go, or of which only what happened stays."""

    profiles: list[ChildProfile]
    alerts: list[Alert]
    relationships: list[Relationship]
    pickups: list[PickupAuthorisation]
    photos: list[Photo]
    credentials: list[Credential]
    accounts: list[GuardianAccount]
    absences: list[Absence]
    follow_ups: list[AbsenceFollowUp]
    bookings: list[Booking]
    schedules: list[Schedule]


@dataclass(frozen=True, slots=True)
class SpokenOf:
    """An event that speaks of somebody, in its bucket: the bytes of its record."""

    event_id: str
    bucket: str
    record: bytes


@dataclass(frozen=True, slots=True)
class EntryOf:
    """An entry of a journal that speaks of somebody; `event_id` as it is kept."""

    event_id: str
    kind: str
    body: bytes


async def find(session: AsyncSession, center_id: str, erasure_id: str) -> Erasure | None:
    """Give an erasure."""
    return await session.get(Erasure, (center_id, erasure_id))


async def of_person(session: AsyncSession, center_id: str, person_id: str) -> Erasure | None:
    """Give the erasure of a person that was asked for or is done."""
    statement = select(Erasure).where(
        col(Erasure.center_id) == center_id,
        col(Erasure.person_id) == person_id,
        col(Erasure.state) != ErasureState.WITHDRAWN.value,
    )
    return (await session.exec(statement)).one_or_none()


async def page(session: AsyncSession, center_id: str, *, after: str | None, limit: int) -> list[Erasure]:
    """Give erasures of a centre by id, those behind `after`."""
    statement = select(Erasure).where(col(Erasure.center_id) == center_id)
    if after is not None:
        statement = statement.where(col(Erasure.id) > after)
    return list(await session.exec(statement.order_by(col(Erasure.id)).limit(limit)))


async def unswept(session: AsyncSession, *, before: datetime, limit: int) -> list[Erasure]:
    """Give done erasures that were not looked after since then, the longest ago first."""
    statement = select(Erasure).where(col(Erasure.state) == ErasureState.DONE.value, col(Erasure.swept_at) < before)
    return list(await session.exec(statement.order_by(col(Erasure.swept_at), col(Erasure.id)).limit(limit)))


async def all_done(connection: Connection) -> list[ErasedOne]:
    """Give everybody who was erased, by when."""
    rows = await connection.execute(_ALL_DONE)
    return [ErasedOne(str(row[0]), str(row[1]), row[2], str(row[3]), *row[4:]) for row in rows]


async def center_ids(connection: Connection) -> list[str]:
    """Give all centres."""
    return [str(one) for one in await connection.scalars(text("SELECT id FROM center ORDER BY id"))]


async def holds(session: AsyncSession, center_id: str, person_ids: Collection[str] | None = None) -> list[LegalHold]:
    """Give the holds of a centre that are not lifted, or those on some people."""
    statement = select(LegalHold).where(col(LegalHold.center_id) == center_id, col(LegalHold.lifted_at).is_(None))
    if person_ids is not None:
        statement = statement.where(col(LegalHold.person_id).in_(list(person_ids)))
    return list(await session.exec(statement.order_by(col(LegalHold.id))))


async def find_hold(session: AsyncSession, center_id: str, hold_id: str) -> LegalHold | None:
    """Give a hold."""
    return await session.get(LegalHold, (center_id, hold_id))


async def rows_of_child(session: AsyncSession, center_id: str, child_id: str) -> HeldOf:
    """Give everything of a child at a centre but what was recorded of it."""

    async def mine(table: type[OfChild]) -> list[OfChild]:
        found = select(table).where(col(table.center_id) == center_id, col(table.child_id) == child_id)
        return list(await session.exec(found))

    return HeldOf(
        profiles=await mine(ChildProfile), alerts=await mine(Alert), relationships=await mine(Relationship),
        pickups=await mine(PickupAuthorisation), photos=[], credentials=[], accounts=[],
        absences=await mine(Absence), follow_ups=await mine(AbsenceFollowUp), bookings=await mine(Booking),
        schedules=await mine(Schedule),
    )  # fmt: skip


async def add_rows_of_people(session: AsyncSession, center_id: str, ids: Collection[str], held: HeldOf) -> None:
    """Add photos, cards and accounts of some people."""
    photos = select(Photo).where(col(Photo.center_id) == center_id, col(Photo.person_id).in_(list(ids)))
    cards = select(Credential).where(col(Credential.center_id) == center_id, col(Credential.person_id).in_(list(ids)))
    links = select(GuardianAccount).where(
        col(GuardianAccount.center_id) == center_id, col(GuardianAccount.adult_id).in_(list(ids))
    )
    held.photos = list(await session.exec(photos))
    held.credentials = list(await session.exec(cards))
    held.accounts = list(await session.exec(links))


async def adults_of_others(
    connection: Connection, center_id: str, adult_ids: Collection[str], child_id: str | None
) -> set[str]:
    """Give those of some adults who belong to another child than this one (None: to any), or may (not) collect one."""
    rows = await connection.scalars(
        _ADULTS_OF_OTHERS, {"center_id": center_id, "adult_ids": list(adult_ids), "child_id": child_id}
    )
    return {str(one) for one in rows}


async def people(session: AsyncSession, center_id: str, ids: Collection[str]) -> list[Person]:
    """Give adults by id."""
    statement = select(Person).where(
        col(Person.center_id) == center_id, col(Person.id).in_(list(ids)), col(Person.kind) == PersonKind.ADULT.value
    )
    return list(await session.exec(statement.order_by(col(Person.id))))


async def is_present(connection: Connection, center_id: str, person_id: str) -> bool:
    """Tell whether somebody is in."""
    return bool(await connection.scalar(_IS_PRESENT, {"center_id": center_id, "person_id": person_id}))


async def forget_addresses(connection: Connection, center_id: str, emails: Sequence[str]) -> None:
    """Take away mails of a centre to some addresses, and invitations of it; what is about an account stays with it."""
    parameters = {"center_id": center_id, "emails": list(emails)}
    for statement in (_FORGET_MAILS, _FORGET_INVITATIONS):
        await connection.execute(statement, parameters)


async def events_of(connection: Connection, center_id: str, ids: Sequence[str], *, since: datetime) -> list[SpokenOf]:
    """Give the events that speak of somebody by id and came in since then, with their records, by id."""
    rows = await connection.execute(_EVENTS, {"center_id": center_id, "ids": list(ids), "since": since})
    return [SpokenOf(str(row.event_id), row.bucket, bytes(row.body)) for row in rows]


async def entries_of(connection: Connection, center_id: str, ids: Sequence[str], *, since: datetime) -> list[EntryOf]:
    """Give the entries of journals that speak of somebody by id and came in since then, also parked ones."""
    rows = await connection.execute(_ENTRIES, {"center_id": center_id, "ids": list(ids), "since": since})
    return [EntryOf(row.event_id, row.kind, bytes(row.body)) for row in rows]


async def forget_reasons(connection: Connection, center_id: str, ids: Sequence[str]) -> None:
    """Take away why entries that were kept aside were decided as they were: those that speak of somebody."""
    await connection.execute(_FORGET_REASONS, {"center_id": center_id, "ids": list(ids)})


async def register(connection: Connection, center_id: str, erasure_id: str, records: Sequence[tuple[str, str]]) -> None:
    """Note what is emptied for an erasure, as entity and id; what is noted already stays with its erasure."""
    parameters = {
        "center_id": center_id, "erasure_id": erasure_id,
        "entities": [entity for entity, _ in records], "ids": [entity_id for _, entity_id in records],
    }  # fmt: skip
    await connection.execute(_REGISTER, parameters)


async def empty(connection: Connection, center_id: str, erasure_id: str, bodies: Sequence[tuple[str, bytes]]) -> None:
    """Empty in log, journals and facts what the register names; `bodies` are events by id as their records have them.

    Called when the log has the records that stand instead.
    """
    parameters = {
        "center_id": center_id, "erasure_id": erasure_id,
        "events": [event_id for event_id, _ in bodies], "bodies": [body for _, body in bodies],
    }  # fmt: skip
    await connection.execute(_EMPTY, parameters)


_ALL_DONE: Final = text("""
    SELECT center_id, id, kind, person_id, reason, asked_at, asked_by, ended_at, ended_by
    FROM erasure WHERE state = 'done' ORDER BY ended_at, id
""")
_ADULTS_OF_OTHERS: Final = text("""
    SELECT adult_id FROM relationship
    WHERE center_id = :center_id AND adult_id = ANY(CAST(:adult_ids AS uuid[]))
      AND child_id IS DISTINCT FROM CAST(:child_id AS uuid)
    UNION
    SELECT adult_id FROM pickup_authorisation
    WHERE center_id = :center_id AND adult_id = ANY(CAST(:adult_ids AS uuid[]))
      AND child_id IS DISTINCT FROM CAST(:child_id AS uuid)
""")
_IS_PRESENT: Final = text("""
    SELECT EXISTS (SELECT FROM stay WHERE center_id = :center_id AND subject_id = :person_id AND ended_at IS NULL
                   AND started_at IS NOT NULL)
""")
_FORGET_MAILS: Final = text("""
    DELETE FROM mail_outbox AS mail
    WHERE lower(mail.recipient) = ANY(CAST(:emails AS text[])) AND (mail.center_id = :center_id OR (
        mail.center_id IS NULL AND NOT EXISTS (SELECT FROM user_account WHERE email = lower(mail.recipient))))
""")
_FORGET_INVITATIONS: Final = text("""
    DELETE FROM invitation WHERE center_id = :center_id AND email = ANY(CAST(:emails AS text[]))
""")
# A subject's id is in the bytes of each of its events; so is whoever else it names, as a child in a roll-call.
_SPEAKS: Final = """
    EXISTS (SELECT FROM unnest(CAST(:ids AS text[])) AS named(id)
            WHERE position(convert_to(named.id, 'UTF8') IN {body}) > 0)
"""
_EVENTS: Final = text(f"""
    SELECT fact.event_id, record.bucket, record.body
    FROM attendance_event AS fact
    JOIN current_record AS record ON record.center_id = fact.center_id AND record.entity = 'event'
      AND record.entity_id = CAST(fact.event_id AS text)
    WHERE fact.center_id = :center_id AND fact.received_at >= :since AND {_SPEAKS.format(body="fact.body")}
    ORDER BY fact.event_id
""")
_ENTRIES: Final = text(f"""
    SELECT event_id, kind, body FROM journal_entry
    WHERE center_id = :center_id AND received_at >= :since AND {_SPEAKS.format(body="body")}
    ORDER BY device_id, incarnation, seq
""")
_FORGET_REASONS: Final = text(f"""
    UPDATE set_aside_answer AS answer SET reason = ''
    WHERE answer.center_id = :center_id AND answer.reason <> '' AND (
        EXISTS (SELECT FROM journal_entry AS entry
                WHERE entry.center_id = answer.center_id AND entry.outcome = {Outcome.PARKED:d}
                  AND entry.hash = answer.entry_hash AND {_SPEAKS.format(body="entry.body")})
        OR EXISTS (SELECT FROM attendance_event AS fact
                   WHERE fact.center_id = answer.center_id AND fact.event_id = answer.event_id
                     AND CAST(fact.child_id AS text) = ANY(CAST(:ids AS text[]))))
""")
_REGISTER: Final = text("""
    INSERT INTO erased_record (center_id, entity, entity_id, erasure_id)
    SELECT CAST(:center_id AS uuid), line.entity, line.entity_id, CAST(:erasure_id AS uuid)
    FROM unnest(CAST(:entities AS text[]), CAST(:ids AS text[])) AS line(entity, entity_id)
    ON CONFLICT DO NOTHING
""")
_EMPTY: Final = text("""
    SELECT empty_erased(CAST(:center_id AS uuid), CAST(:erasure_id AS uuid), CAST(:events AS uuid[]),
                        CAST(:bodies AS bytea[]))
""")
