"""What is put into an export, file by file: read in short transactions, a child at a time and a year at a time.

It reads within the reach of whoever asked, by the rights that they have now. What a parent gets is what a parent's
app shows; what a manager gets is what the centre has.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final
from zoneinfo import ZoneInfo

from server.core.clock import Clock, datetime_of
from server.models.rooms import Center
from server.repositories import (
    adults,
    centers,
    erasures,
    exports,
    guardian_accounts,
    notices,
    offers,
    photos,
    sessions,
    usage_days,
)
from server.repositories.erasures import HeldOf
from server.repositories.guardian_accounts import FamilyChild
from server.repositories.unit_of_work import UnitsOfWork
from server.services import export_words
from server.services.access import User
from server.services.child_files import ChildFile, Part, read_child
from server.services.export_words import Reader, Said, json_file
from server.services.my_statements import last_of
from server.services.statements import Statements
from server.services.stay_history import MyStay, read_history
from sync.limits import WALL_MS_MIN
from sync.records import day_bounds_ms

README: Final = "README.txt"


@dataclass(frozen=True, slots=True)
class Told:
    """A child of an export, and for whom it is told; `child.adult_id` is empty where no guardian asks."""

    child: FamilyChild
    reader: Reader

    @property
    def folder(self) -> str:
        """Where its files are."""
        return f"children/{self.child.child_id}/"

    @property
    def has_bookings(self) -> bool:
        """Whether bookings and charges are told, too."""
        return self.reader is Reader.CENTER or self.child.can_book


@dataclass(frozen=True, slots=True)
class Subject:
    """Who asked, and which children are told of; the account itself only to a guardian."""

    user: User
    reader: Reader
    children: Sequence[FamilyChild]


@dataclass(frozen=True, slots=True)
class ExportedFile:
    """A file of an export."""

    name: str
    data: bytes


class ExportContent:
    """Reads what an export holds."""

    def __init__(self, units: UnitsOfWork, clock: Clock, statements: Statements) -> None:
        """Read through `units`; `statements` works charges out."""
        self._units = units
        self._clock = clock
        self._statements = statements

    async def files(self, subject: Subject) -> AsyncIterator[ExportedFile]:
        """Give the files one after the other, the README last, since it names them."""
        names: list[str] = []
        async for file in self._all(subject):
            names.append(file.name)
            yield file
        said = [Said(one.child_id, _called(one), one.center_name) for one in subject.children]
        yield ExportedFile(README, export_words.readme(self._clock.now(), names, said, subject.reader))

    async def _all(self, subject: Subject) -> AsyncIterator[ExportedFile]:
        if subject.reader is Reader.GUARDIAN:
            for file in await self._account(subject.user):
                yield file
        for child in subject.children:
            told = Told(child, subject.reader)
            for file in await self._file(subject.user, told):
                yield file
            async for file in self._years(subject.user, told):
                yield file

    async def _account(self, user: User) -> list[ExportedFile]:
        """What is held of an account: itself, the person it is at each centre, its log-ins, choices and mails."""
        now = self._clock.now()
        async with self._units.begin() as unit:
            mine = await guardian_accounts.adults_of(unit.connection, user.id)
            people = [(one, await adults.find(unit.session, one.center_id, one.adult_id)) for one in mine]
            pictures = {one.center_id: await photos.find(unit.session, one.center_id, one.adult_id) for one in mine}
            log_ins = await sessions.of_user(unit.session, user.id, now=now, used_after=_ALWAYS)
            choices = await notices.of_user(unit.session, user.id)
            mails = await exports.mails_to(unit.connection, user.email)
        roles = [{"role": one.role.name.lower(), "center_id": one.center_id} for one in user.grants]
        account = {"id": user.id, "email": user.email, "display_name": user.display_name, "roles": roles}
        persons = [
            {**export_words.adult_words(person), "center_id": one.center_id, "center_name": one.center_name}
            for one, person in people
            if person is not None
        ]
        return [
            ExportedFile("account.json", json_file("account", [account])),
            ExportedFile("people.json", json_file("people", persons)),
            ExportedFile("sessions.json", json_file("sessions", [
                {"client": one.client, "created_at": one.created_at, "last_used_at": one.last_used_at}
                for one in log_ins
            ])),
            ExportedFile("notifications.json", json_file("notifications", [
                {"child_id": one.child_id, "kinds": one.kinds, "changed_at": one.changed_at} for one in choices
            ])),
            ExportedFile("mails.json", json_file("mails", mails)),
            *(ExportedFile(f"photo-{center}.jpg", one.body) for center, one in pictures.items() if one is not None),
        ]  # fmt: skip

    async def _file(self, user: User, told: Told) -> list[ExportedFile]:
        """What is on file of a child but what was recorded of it: all that an erasure would take."""
        child = told.child
        async with self._units.begin() as unit:
            file = await read_child(unit, user, child.center_id, child.child_id, Part.EXPORT)
            held = await erasures.rows_of_child(unit.session, child.center_id, child.child_id)
            rooms = {room.id: room.name for room in await centers.rooms(unit.session, child.center_id)}
            services = {one.id: one.name for one in await offers.of_center(unit.session, child.center_id)}
            ids = {one.adult_id for one in held.relationships} | {one.adult_id for one in held.pickups}
            people = {one.id: one for one in await erasures.people(unit.session, child.center_id, ids)}
            photo = await photos.find(unit.session, child.center_id, child.child_id)
        files = _of_child(told, user, file, held, rooms)
        files["pickups"] = [
            export_words.pickup_words(row, people.get(row.adult_id))
            for row in held.pickups
            if _may_see(told, user, row.adult_id, row.announced_by)
        ]
        if told.reader is Reader.CENTER:
            files["adults"] = [export_words.adult_words(people[one]) for one in sorted(people)]
        if told.has_bookings:
            zone = ZoneInfo(child.time_zone)
            rows = sorted(held.bookings, key=lambda one: (one.starts_at, one.id))
            files["bookings"] = [export_words.booking_words(row, services, zone) for row in rows]
            files["schedules"] = [export_words.schedule_words(row, services) for row in held.schedules]
        listed = [
            ExportedFile(f"{told.folder}{name}.json", json_file(name, items, child_id=child.child_id))
            for name, items in files.items()
        ]
        return listed if photo is None else [*listed, ExportedFile(f"{told.folder}photo.jpg", photo.body)]

    async def _years(self, user: User, told: Told) -> AsyncIterator[ExportedFile]:
        """Attendance and charges, a file for each year since there was anything."""
        child, zone = told.child, ZoneInfo(told.child.time_zone)
        today = self._clock.now().astimezone(zone).date()
        async with self._units.begin() as unit:
            found = await usage_days.first_days(
                unit.connection, child.center_id, [child.child_id], time_zone=child.time_zone
            )
            center = await centers.find(unit.session, child.center_id)
        first = found.get(child.child_id)
        if first is None or center is None:
            return
        for year in range(first.year, today.year + 1):
            stays = await self._stays(user, child, date(year, 1, 1), date(year, 12, 31))
            items = [export_words.stay_words(stay, zone) for stay in stays]
            name = f"{told.folder}attendance-{year}"
            yield ExportedFile(f"{name}.json", json_file("attendance", items, child_id=child.child_id, year=year))
            yield ExportedFile(f"{name}.csv", export_words.attendance_csv(stays, zone))
            if told.has_bookings:
                months = [date(year, month, 1) for month in range(1, 13)]
                wanted = [month for month in months if first.replace(day=1) <= month <= today]
                charges = await self._charges(center, child, wanted)
                yield ExportedFile(
                    f"{told.folder}charges-{year}.json",
                    json_file("charges", charges, child_id=child.child_id, year=year),
                )

    async def _stays(self, user: User, child: FamilyChild, first: date, last: date) -> Sequence[MyStay]:
        """Give the stays that began in a year, the first one first."""
        since_ms, _ = day_bounds_ms(first.isoformat(), child.time_zone)
        _, before_ms = day_bounds_ms(last.isoformat(), child.time_zone)
        async with self._units.begin() as unit:
            history = await read_history(unit, child, since_ms=max(since_ms, WALL_MS_MIN))
            found = await history.told(unit, user, since_ms=since_ms, before_ms=before_ms)
        # One over the turn of the year touches both, and is told in the year in which it began.
        return [stay for stay in reversed(found) if stay.day.year == first.year]

    async def _charges(self, center: Center, child: FamilyChild, months: Sequence[date]) -> list[dict[str, Any]]:
        zone = ZoneInfo(child.time_zone)
        found = [await self._statements.of_child(center, child.child_id, one, last_of(one)) for one in months]
        return await asyncio.to_thread(lambda: [export_words.charge_words(one, zone) for one in found])


_ALWAYS: Final = datetime_of(0)
Items = dict[str, list[dict[str, Any]]]


def _of_child(told: Told, user: User, file: ChildFile, held: HeldOf, rooms: Mapping[str, str]) -> Items:
    reader = told.reader
    kin = [row for row in held.relationships if _may_see(told, user, row.adult_id, None)]
    return {
        "child": [export_words.child_words(file.person, file.profile, rooms.get(file.profile.home_room_id or "", ""))],
        "relationships": [export_words.relationship_words(row) for row in kin],
        "alerts": export_words.alert_words(held.alerts, reader),
        "absences": [export_words.absence_words(row, reader) for row in _by_day(held.absences, "first_day")],
        "calls": [export_words.call_words(row, reader) for row in _by_day(held.follow_ups, "day")],
    }


def _may_see(told: Told, user: User, adult_id: str, announced_by: str | None) -> bool:
    """A guardian sees what is between the child and them, and whom they announced themselves."""
    return told.reader is Reader.CENTER or adult_id == told.child.adult_id or announced_by == user.id


def _by_day(rows: Sequence[Any], name: str) -> list[Any]:
    return sorted(rows, key=lambda row: (getattr(row, name), row.id))


def _called(child: FamilyChild) -> str:
    return f"{child.preferred_name or child.given_name} {child.family_name}".strip()


def child_at(center: Center, file: ChildFile) -> FamilyChild:
    """Give a child of a centre as whoever runs it reads it: of no adult's."""
    person, profile = file.person, file.profile
    return FamilyChild(
        center_id=center.id, center_name=center.name, time_zone=center.time_zone, child_id=person.id,
        given_name=person.given_name, family_name=person.family_name, preferred_name=person.preferred_name,
        home_room_id=profile.home_room_id or "", enrolled=profile.enrolled, adult_id="", kind="",
        legal_guardian=False, can_view=True, can_book=True, receives_notifications=False,
    )  # fmt: skip
