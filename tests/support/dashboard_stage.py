"""A nursery on a Monday at 10:43 with its dashboard on a port of this machine: for tests in a browser and pictures.

Five rooms, sixty children of whom most have come, two desks that are linked and one that has been silent since 09:31,
findings to settle, a family name that is a script, and one that is written from right to left.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import date, time
from decimal import Decimal
from typing import Final

import uvicorn
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import text

from server.app import RunningApp
from server.core.database import create_engine
from server.core.ids import Ids
from server.core.settings import Settings
from server.models.planning import ServiceUnit
from server.repositories.unit_of_work import UnitsOfWork
from server.sample.generate import shipped_csv
from server.services.access import Center, Grant, RoleId, User
from server.services.accounts import NewUser
from server.services.booking_board import Wish as Booking
from server.services.enrolment import Applicant
from server.services.journal_intake import DeviceKey, JournalIntake
from server.services.offers import OfferWish, TermsWish
from server.services.positions import Positions
from server.services.ratio_rules import Wish
from server.services.roster_file import SourceFile
from sync.attendance import EventKind
from sync.effects import RecordApplied
from sync.events import BatchStored
from sync.journal import Entry
from tests.contract.server_world import MINUTE_MS, Desk, new_id
from tests.support.api import PASSWORD
from tests.support.clock import START_MS, FakeClock
from tests.support.live_office import served

CENTER: Final = "sunny-gate"
MANAGER: Final = "manager@example.org"
ADMIN: Final = "admin@example.org"
STAFF: Final = "staff@example.org"
SCRIPT_NAME: Final = "<script>alert(1)</script>"
RIGHT_TO_LEFT_NAME: Final = "بن داود"
# 15:13:20 at the centre is the zero of a test desk's minutes; the picture is of 10:43:20.
NOW_MINUTE: Final = -270
MORE: Final = f"""record,external_id,center,given_name,family_name,birth_date,room
child,C-901,{CENTER},Robert,{SCRIPT_NAME},2023-03-04,OTTER
child,C-902,{CENTER},Noor,{RIGHT_TO_LEFT_NAME},2022-10-11,FOX
child,C-903,{CENTER},Wilhelmina Theodora Anastasia,Featherstonehaugh-Cholmondeley-Marjoribanks,2021-12-01,OWL
"""
SECOND_CENTER: Final = """record,external_id,name,organisation,time_zone
center,quiet,A Quiet House,Sunny Gate Early Years,Europe/London
"""
ROOMS: Final = ("DUCK", "HEDGE", "OTTER", "FOX", "OWL")
# Who is in which room: educators and assistants of the sample.
STAFF_IN: Final = {
    "DUCK": ("S-02", "S-03"), "HEDGE": ("S-04", "S-05"), "OTTER": ("S-06", "S-07"), "FOX": ("S-08", "S-10"),
    "OWL": ("S-11", "S-12"),
}  # fmt: skip
PRESENT_SHARE: Final = {"DUCK": 5, "HEDGE": 8, "OTTER": 9, "FOX": 14, "OWL": 11}


@dataclass
class DashboardStage:
    """The running server, and hands to move what it shows."""

    base_url: str
    running: RunningApp
    server: uvicorn.Server
    clock: FakeClock
    center: Center
    units: UnitsOfWork
    people: dict[str, str] = field(default_factory=dict)
    rooms: dict[str, str] = field(default_factory=dict)
    home: dict[str, list[str]] = field(default_factory=dict)
    desks: dict[str, Desk] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._intake = JournalIntake(self.units, self.clock)
        self._positions = Positions(self.units, self.clock)

    async def desk(self, name: str) -> Desk:
        """Take a new desk in."""
        enrolment, key = self.running.services.enrolment, Ed25519PrivateKey.generate()
        code = (await enrolment.new_code(self.center, name)).code
        done = await enrolment.enrol(code, Applicant(key.public_key().public_bytes_raw(), name, "0.1.0"))
        self.desks[name] = Desk(DeviceKey(self.center.id, done.device_id), key)
        return self.desks[name]

    async def push(self, desk: Desk, *entries: Entry) -> None:
        """Let what a desk recorded arrive."""
        for at in range(0, len(entries), 50):
            assert isinstance(await self._intake.store_batch(desk.key, entries[at : at + 50]), BatchStored)

    async def heartbeat(self, desk: Desk, *, minute: float = NOW_MINUTE, waiting: int = 0) -> None:
        """Let a desk say, at a minute, how much it has to send."""
        self.clock.set_wall_ms(int(START_MS + minute * MINUTE_MS))
        self._positions.note(desk.key, RecordApplied("epoch", 1, waiting))
        await self._positions.flush()
        self.clock.set_wall_ms(START_MS + NOW_MINUTE * MINUTE_MS)

    async def more_centers(self) -> None:
        """Found a second centre in which nobody is yet, and make somebody who looks after both."""
        report = await self.running.services.roster_import.run([SourceFile("more.csv", SECOND_CENTER.encode())])
        assert not report.problems, report.problems
        await self.running.services.accounts.create(NewUser(ADMIN, "Edda Admin", RoleId.ADMIN, CENTER), PASSWORD)

    def check_in(self, desk: Desk, child: str, minute: int = NOW_MINUTE, room: str = "") -> Entry:
        """Write down that a child came, into a room or the one it belongs to."""
        home = next((one for one in self.rooms if self.people[child] in self.home[one]), "")
        room_id = self.rooms[room or home] if room or home else ""
        return desk.check_in(
            self.people[child], minute=minute, room_id=room_id, auth_method="pin", identity_check="known_to_staff"
        )


@asynccontextmanager
async def open_dashboard_stage(settings: Settings) -> AsyncIterator[DashboardStage]:
    """Serve the nursery; `settings` must allow the dashboard over http."""
    clock = FakeClock(START_MS + NOW_MINUTE * MINUTE_MS)
    async with served(settings, clock) as (running, server, base_url):
        services = running.services
        for content in (shipped_csv(), MORE.encode()):
            report = await services.roster_import.run([SourceFile("roster.csv", content)])
            assert not report.problems, report.problems
        for email, role in ((MANAGER, RoleId.MANAGER), (STAFF, RoleId.STAFF)):
            await services.accounts.create(NewUser(email, f"Ada {role.name.title()}", role, CENTER), PASSWORD)
        center = await services.centers.by_code(CENTER)
        nobody = User("", "", "", "", is_active=True, grants=())
        await services.ratio_rules.put(center, Wish("2026-01-01", preset="england"), actor=nobody.id or center.id)
        engine = create_engine(settings.database_url.get_secret_value() if settings.database_url else "")
        units = UnitsOfWork(engine, clock=clock, luck=bytes, new_id=Ids(clock).new)
        stage = DashboardStage(base_url, running, server, clock, center, units)
        try:
            await _read(stage)
            await _bookings(stage)
            await _morning(stage)
            yield stage
        finally:
            await engine.dispose()


_PEOPLE = text("""
    SELECT person.external_id AS code, CAST(person.id AS text) AS id,
           CAST(child_profile.home_room_id AS text) AS room_id
    FROM person LEFT JOIN child_profile ON child_profile.child_id = person.id
    ORDER BY person.external_id
""")


async def _read(stage: DashboardStage) -> None:
    """Who and what there is, by the ids of the roster."""
    services = stage.running.services
    stage.rooms = {room.external_id: room.id for room in await services.centers.rooms(stage.center)}
    async with stage.units.begin() as unit:
        connection = unit.connection
        found = list(await connection.execute(_PEOPLE))
    stage.people = {row.code: row.id for row in found if row.code}
    for code, room_id in stage.rooms.items():
        stage.home[code] = [row.id for row in found if row.room_id == room_id]


# Code, and the local times of a service of every weekday.
SERVICES: Final = (
    ("DAY", time(7, 30), time(17, 30)),
    ("EARLY", time(7, 30), time(10, 30)),
    ("NOON", time(11), time(14)),
)
BOOKED: Final = {"DAY": ("DUCK", "HEDGE", "OTTER"), "EARLY": ("OWL",), "NOON": ("FOX",)}


async def _bookings(stage: DashboardStage) -> None:
    """Who is booked today: most for the day, some until half past ten, some from eleven on."""
    services, center, day = stage.running.services, stage.center, date(2026, 9, 21)
    stage.clock.set_wall_ms(START_MS - 600 * MINUTE_MS)
    members = (await services.members.page(center, after=None, limit=9)).items
    manager = next(one for one in members if one.email == MANAGER)
    grants = (Grant(RoleId.MANAGER, center.id),)
    user = User(manager.id, center.organisation_id, MANAGER, manager.display_name, is_active=True, grants=grants)
    for code, begin, end in SERVICES:
        wish = OfferWish(code, code.title(), ServiceUnit.SESSION, "EUR", 50, 31, begin, end, None, False, True)
        terms = TermsWish(Decimal(30), Decimal(1), 10, 100, 50, 24, 15, requires_booking=True)
        service_id = new_id()
        await services.offers.put(center, user, service_id, wish)
        await services.offers.put_terms(center, user, service_id, date(2026, 1, 1), terms)
        children = [child for room in BOOKED[code] for child in stage.home[room]]
        await services.bookings.book_all(center, user, [Booking(new_id(), one, service_id, day) for one in children])
    stage.clock.set_wall_ms(START_MS + NOW_MINUTE * MINUTE_MS)


async def _morning(stage: DashboardStage) -> None:
    """What happened so far today."""
    front, garden, attic = [await stage.desk(name) for name in ("Front desk", "Garden door", "Attic")]
    entries: dict[str, list[Entry]] = {"Front desk": [], "Garden door": [], "Attic": []}
    for number, room in enumerate(ROOMS):
        for at, staff in enumerate(STAFF_IN[room]):
            event = front.event("", EventKind.STAFF_IN, minute=-465 + at, person_id=stage.people[staff],
                                room_id=stage.rooms[room], auth_method="pin")  # fmt: skip
            entries["Front desk"].append(event)
        for at, child_id in enumerate(stage.home[room][: PRESENT_SHARE[room]]):
            desk, name = ((front, "Front desk"), (garden, "Garden door"))[at % 2]
            minute = -460 + at * 11 + number * 3
            entries[name].append(desk.check_in(child_id, minute=minute, room_id=stage.rooms[room], auth_method="pin",
                                               identity_check="known_to_staff"))  # fmt: skip
    first, second = stage.home["OWL"][0], stage.home["FOX"][0]
    ada = {"adult_name": "Grandfather Peña", "identity_check": "photo_id", "auth_method": "staff_attested"}
    entries["Front desk"].append(front.check_out(first, minute=-300, **ada))
    entries["Garden door"].append(garden.check_out(first, minute=-296, adult_name="Aunt Moreau", auth_method="pin"))
    entries["Garden door"].append(garden.check_in(second, minute=-290, room_id=stage.rooms["FOX"], auth_method="pin"))
    entries["Attic"].append(stage.check_in(attic, "C-901", -400))
    entries["Attic"].append(stage.check_in(attic, "C-902", -395))
    for name, desk in (("Front desk", front), ("Garden door", garden), ("Attic", attic)):
        await stage.push(desk, *entries[name])
    await stage.heartbeat(front)
    await stage.heartbeat(garden)
    await stage.heartbeat(attic, minute=-342, waiting=2)
