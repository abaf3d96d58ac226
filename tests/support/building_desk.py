"""A whole desk on a file in memory, without a network: the shipped use-cases on an invented centre."""

import asyncio
import secrets
from pathlib import Path
from typing import Final

import msgspec

from kiosk.keys import new_keys
from kiosk.services.desk import Desk
from kiosk.services.following import Following
from kiosk.services.opening import OpenFolder, pen_of
from kiosk.settings import DataFolder, LinkSettings
from kiosk.store.database import Database
from kiosk.store.folder_lock import FolderLock
from kiosk.store.replica import Replica
from sync import effects as do
from sync.attendance import AttendanceEvent, EventKind, encode_event
from sync.messages import Plan
from sync.ratio_rules import RatioBand, RatioMode, RatioRuleSet, RatioScope
from sync.records import (
    AdultRecord,
    CenterRecord,
    ChildRecord,
    Entity,
    EventRecord,
    PickupRecord,
    RoomRecord,
    StaffRecord,
    bucket_of_day,
)
from tests.support.kiosk_center import CENTER_ID, FakeCenter
from tests.support.kiosk_clock import StandingClock

MORNING_MS: Final = 1_789_973_880_000  # 2026-09-21T06:58:00Z, which is 07:58 in Lisbon
ZONE: Final = "Europe/Lisbon"
MINUTE_MS: Final = 60_000
OWN_DEVICE: Final = "018f0000-0000-7000-8000-0000000000d1"
BACK_DOOR: Final = "018f0000-0000-7000-8000-0000000000d2"


def id_of(number: int) -> str:
    return f"018f0000-0000-7000-8000-{number:012x}"


BEES, FOXES, OWLS = id_of(1), id_of(2), id_of(3)
ANA, INES, MARTIM, ZOE, AFONSO, BEATRIZ, DIOGO, EVA = (id_of(number) for number in range(10, 18))
SOFIA, PEDRO, LUISA = (id_of(number) for number in range(30, 33))
MARIA, JOAO = id_of(40), id_of(41)
CHILDREN: Final = {
    ANA: ("Ana", "Silva", BEES, "2025-01-10"),
    AFONSO: ("Afonso", "Almeida", BEES, "2025-03-02"),
    BEATRIZ: ("Beatriz", "Cardoso", BEES, "2024-12-24"),
    INES: ("Inês", "Gonçalves", FOXES, "2022-02-02"),
    MARTIM: ("Martim", "Sousa", FOXES, "2022-06-06"),
    DIOGO: ("Diogo", "Faria", FOXES, "2022-09-19"),
    ZOE: ("Zoë", "Brandão", OWLS, "2020-05-05"),
    EVA: ("Eva", "Freitas", OWLS, "2020-08-08"),
}
STAFF: Final = {SOFIA: ("Sofia", "Reis"), PEDRO: ("Pedro", "Vaz"), LUISA: ("Luísa", "Pires")}
RULES: Final = RatioRuleSet(
    effective_from="2020-01-01",
    name="Test rules",
    mode=RatioMode.YOUNGEST_PRESENT,
    scope=RatioScope.ROOM,
    bands=(
        RatioBand(code="under_2", from_months=0, to_months=24, children_per_adult=2, group_cap=6),
        RatioBand(code="older", from_months=24, to_months=216, children_per_adult=8, group_cap=16),
    ),
)


class UnlinkedDesk(Desk):
    """The shipped desk; its link stays down, and a test plays the server through `hear_of`."""

    center: FakeCenter

    async def run_link(self) -> None:
        """Stay until cancelled."""
        await asyncio.Event().wait()

    async def follow(self) -> None:
        """Take in everything that the centre's log has beyond this desk's cursor."""
        version = self._following.knowledge.version
        page = self.center.page(version)
        await self._store().perform(do.StorePage(page))

    async def hear_of(
        self, *events: AttendanceEvent, device_id: str = BACK_DOOR, device_name: str = "Back door"
    ) -> None:
        """Another desk, the back door unless it is said, told the server of these events, and the server this desk."""
        for event in events:
            record = EventRecord(
                event=msgspec.Raw(encode_event(event)),
                device_id=device_id,
                device_name=device_name,
                incarnation="11111111-1111-4111-8111-111111111112",
                seq=len(self.center.changes),
                hlc=len(self.center.changes),
                received_at_ms=event.recorded_at_ms,
                outcome="applied",
            )
            self.center.put(Entity.EVENT, event.event_id, record, bucket_of_day(event.occurred_at_ms, ZONE))
        await self.follow()


def event_at(kind: EventKind, at_ms: int, number: int, **said: object) -> AttendanceEvent:
    """An event of another desk, entered when it happened (UTC milliseconds)."""
    return AttendanceEvent(
        event_id=id_of(0xE000 + number),
        kind=kind,
        center_id=CENTER_ID,
        occurred_at_ms=at_ms,
        recorded_at_ms=at_ms,
        **said,  # type: ignore[arg-type]
    )


def sample_center() -> FakeCenter:
    """Three rooms, eight children, three members of staff, rules for two ages."""
    center = FakeCenter()
    record = CenterRecord(code="OAK", name="Little Oaks Nursery", time_zone=ZONE, ratio_rules=(RULES,))
    center.put(Entity.CENTER, center.center_id, record)
    for sort, (room_id, name, capacity) in enumerate(((BEES, "Bees", 4), (FOXES, "Foxes", 10), (OWLS, "Owls", 0))):
        center.put(Entity.ROOM, room_id, RoomRecord(name=name, capacity=capacity, sort=sort))
    for child_id, (given, family, room_id, birth) in CHILDREN.items():
        child = ChildRecord(given_name=given, family_name=family, home_room_id=room_id, birth_date=birth)
        center.put(Entity.CHILD, child_id, child)
    for person_id, (given, family) in STAFF.items():
        center.put(Entity.STAFF, person_id, StaffRecord(given_name=given, family_name=family, role="educator"))
    adults = ((MARIA, "Maria", "Silva", "authorised"), (JOAO, "João", "Pinto", "not_authorised"))
    for number, (adult_id, given, family, status) in enumerate(adults):
        center.put(Entity.ADULT, adult_id, AdultRecord(given_name=given, family_name=family))
        pickup = PickupRecord(child_id=ANA, adult_id=adult_id, status=status, relationship="parent")
        center.put(Entity.PICKUP, id_of(50 + number), pickup)
    return center


async def open_building(folder: Path, clock: StandingClock, center: FakeCenter | None = None) -> UnlinkedDesk:
    """A desk of the centre that has received everything; close it with `close`."""
    server = center or sample_center()
    keys = msgspec.structs.replace(
        new_keys("http://127.0.0.1:9", "Front desk", secrets.token_bytes),
        device_id=OWN_DEVICE,
        center_id=server.center_id,
        center_name="Little Oaks Nursery",
    )
    data = DataFolder(folder)
    data.create()
    replica = Replica(Database.in_memory())
    replica.prepare(
        device_id=OWN_DEVICE, center_id=server.center_id, incarnation="11111111-1111-4111-8111-111111111111"
    )
    lock = FolderLock(data.lock)
    lock.acquire()
    opened = OpenFolder(data, lock, keys, replica, pen_of(keys, clock, secrets.token_bytes), None)
    desk = UnlinkedDesk(opened, Following(replica, keys, clock), clock, secrets.token_bytes, LinkSettings())
    desk.center = server
    for part in server.snapshot():
        await desk._store().perform(do.StoreSnapshotPart(part, Plan.SNAPSHOT))
    return desk
