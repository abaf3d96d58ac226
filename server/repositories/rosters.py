"""The SQL of a centre's roster: everything about its rooms and people, read and written as one."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TypeVar

from sqlalchemy import literal, union_all
from sqlmodel import SQLModel, col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from server.models.credentials import Credential
from server.models.people import (
    Alert,
    ChildProfile,
    Person,
    PickupAuthorisation,
    Relationship,
    StaffProfile,
)
from server.models.rooms import CalendarDays, Center, CenterRatioRules, Organisation, Room
from server.repositories import absences, photos
from sync.records import AbsenceRecord

Table = TypeVar(
    "Table",
    Room,
    CenterRatioRules,
    Person,
    ChildProfile,
    StaffProfile,
    Alert,
    Relationship,
    PickupAuthorisation,
    Credential,
)


@dataclass(slots=True)
class Roster:
    """A centre with all it has; a row that is changed here is written when the transaction ends.

    Rooms and alerts are found by their external id, people by kind and external id, profiles by the
    person's id, relationships and pick-ups by the ids of child and adult. `absences` are those that devices hold, by
    child, and `pictures` what they hold of photos, by person; both are read and not changed here.
    """

    center: Center
    ratio_rules: list[CenterRatioRules] = field(default_factory=list)
    rooms: dict[str, Room] = field(default_factory=dict)
    people: dict[tuple[str, str], Person] = field(default_factory=dict)
    profiles: dict[str, ChildProfile] = field(default_factory=dict)
    staff: dict[str, StaffProfile] = field(default_factory=dict)
    alerts: dict[str, Alert] = field(default_factory=dict)
    relationships: dict[tuple[str, str], Relationship] = field(default_factory=dict)
    pickups: dict[tuple[str, str], PickupAuthorisation] = field(default_factory=dict)
    calendar: list[CalendarDays] = field(default_factory=list)
    absences: dict[str, tuple[AbsenceRecord, ...]] = field(default_factory=dict)
    pictures: dict[str, bytes] = field(default_factory=dict)
    credentials: list[Credential] = field(default_factory=list)


async def find_center(session: AsyncSession, code: str) -> Center | None:
    """Give the centre with a code."""
    return (await session.exec(select(Center).where(col(Center.code) == code))).one_or_none()


async def find_organisation(session: AsyncSession, name: str) -> Organisation | None:
    """Give the organisation with a name."""
    return (await session.exec(select(Organisation).where(col(Organisation.name) == name))).one_or_none()


async def load(session: AsyncSession, center: Center) -> Roster:
    """Read the whole roster of a centre: some thousands of rows at most."""
    roster = Roster(center, await _all(session, CenterRatioRules, center.id))
    roster.rooms = {row.external_id: row for row in await _all(session, Room, center.id)}
    roster.people = {(row.kind, row.external_id): row for row in await _all(session, Person, center.id)}
    roster.profiles = {row.child_id: row for row in await _all(session, ChildProfile, center.id)}
    roster.staff = {row.person_id: row for row in await _all(session, StaffProfile, center.id)}
    roster.alerts = {row.external_id: row for row in await _all(session, Alert, center.id)}
    relationships = await _all(session, Relationship, center.id)
    roster.relationships = {(row.child_id, row.adult_id): row for row in relationships}
    pickups = await _all(session, PickupAuthorisation, center.id)
    roster.pickups = {(row.child_id, row.adult_id): row for row in pickups}
    roster.calendar = await calendar(session, center.id)
    roster.absences = await absences.told_at(await session.connection(), center.id)
    roster.credentials = await _all(session, Credential, center.id)
    roster.pictures = await photos.pictures(session, center.id)
    return roster


async def calendar(session: AsyncSession, center_id: str) -> list[CalendarDays]:
    """Give the closures and locks of a centre, in order of their days."""
    days = select(CalendarDays).where(col(CalendarDays.center_id) == center_id)
    return list(await session.exec(days.order_by(col(CalendarDays.first_day), col(CalendarDays.id))))


async def known_centers(session: AsyncSession) -> list[str]:
    """Give the codes of all centres, in order."""
    return list(await session.exec(select(col(Center.code)).order_by(col(Center.code))))


async def known_keys(session: AsyncSession, codes: Iterable[str]) -> list[tuple[str, str, str]]:
    """Give (kind, centre code, external id) of all rooms and people of some centres, in the tables' words."""
    wanted = list(codes)
    people = select(col(Person.kind), col(Center.code), col(Person.external_id)).join(
        Center, col(Center.id) == col(Person.center_id)
    )
    rooms = select(literal("room"), col(Center.code), col(Room.external_id)).join(
        Center, col(Center.id) == col(Room.center_id)
    )
    both = union_all(people.where(col(Center.code).in_(wanted)), rooms.where(col(Center.code).in_(wanted)))
    connection = await session.connection()
    return [(row[0], row[1], row[2]) for row in await connection.execute(both)]


async def add(session: AsyncSession, *waves: Iterable[SQLModel]) -> None:
    """Store new rows wave by wave, each after the ones it refers to."""
    for wave in waves:
        session.add_all(wave)
        await session.flush()


async def _all(session: AsyncSession, table: type[Table], center_id: str) -> list[Table]:
    return list(await session.exec(select(table).where(col(table.center_id) == center_id)))
