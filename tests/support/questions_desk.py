"""A desk with every question that there is, one on each child: to walk through them, by test and by hand.

`python -m tests.support.questions_desk` shows it. Words behind it are the print command of its labels.
"""

import asyncio
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from kiosk.app import KioskApp
from kiosk.services.desk_file import LabelSettings
from sync.attendance import AttendanceEvent, EventKind, FindingKind
from sync.records import CenterRecord, ChildRecord, ClosureRecord, Entity, LockRecord, StaffRecord
from tests.support.building_desk import (
    AFONSO,
    ANA,
    BACK_DOOR,
    BEATRIZ,
    BEES,
    DIOGO,
    EVA,
    FOXES,
    INES,
    JOAO,
    LUISA,
    MARTIM,
    MINUTE_MS,
    MORNING_MS,
    OWLS,
    PEDRO,
    ZOE,
    ZONE,
    UnlinkedDesk,
    event_at,
    id_of,
    open_building,
    sample_center,
)
from tests.support.kiosk_center import FakeCenter
from tests.support.kiosk_clock import StandingClock

GATE: Final = id_of(0xD3)
DESKS: Final = {BACK_DOOR: "Back door", GATE: "Gate"}
YESTERDAY: Final = 24 * 60
RUI, MIA, LARA, LEONOR, TOM = (id_of(number) for number in range(60, 65))
MORE_CHILDREN: Final = {
    RUI: ("Rui", "Matos"),
    LARA: ("Lara", "Neves"),
    LEONOR: ("Leonor", "Nunes"),
    TOM: ("Tomás", "Reis"),
}
NOT_ON_FILE: Final = {MIA: ("Mia", "Ek")}
ASKED_OF: Final = {
    ANA: FindingKind.RELEASED_ON_STALE_AUTHORISATION,
    AFONSO: FindingKind.POSSIBLE_MISSED_CHECK_OUT,
    BEATRIZ: FindingKind.OVERLAPPING_STAYS,
    DIOGO: FindingKind.CHECK_OUT_WITHOUT_CHECK_IN,
    EVA: FindingKind.TWO_COLLECTORS,
    INES: FindingKind.MOVEMENT_AFTER_DEPARTURE,
    LARA: FindingKind.PRESENCE_ON_CLOSURE,
    LEONOR: FindingKind.ADJUSTMENT_AFTER_LOCK,
    MARTIM: FindingKind.TIME_UNCERTAIN,
    MIA: FindingKind.UNKNOWN_REFERENCE,
    RUI: FindingKind.ACTOR_NOT_ENTITLED,
    TOM: FindingKind.RELEASED_BY_OVERRIDE,
    ZOE: FindingKind.DISPUTED_BY_GUARDIAN,
}
IN, OUT = EventKind.CHECK_IN, EventKind.CHECK_OUT


def questions_center() -> FakeCenter:
    """The sample centre, closed the day before; figures of a day are locked, and one of the staff has left."""
    center = sample_center()
    closed = (ClosureRecord(first_day="2026-09-20", last_day="2026-09-20", reason="Sunday"),)
    locks = (
        LockRecord(first_day="2026-09-19", last_day="2026-09-19", locked_at_ms=MORNING_MS - 3 * YESTERDAY * MINUTE_MS),
    )
    center.put(
        Entity.CENTER,
        center.center_id,
        CenterRecord(code="OAK", name="Little Oaks Nursery", time_zone=ZONE, closures=closed, locks=locks),
    )
    for child_id, (given, family) in MORE_CHILDREN.items():
        center.put(Entity.CHILD, child_id, ChildRecord(given_name=given, family_name=family, home_room_id=OWLS))
    gone = StaffRecord(given_name="Luísa", family_name="Pires", role="educator", employed_to="2026-08-31")
    center.put(Entity.STAFF, LUISA, gone)
    return center


def contradictions() -> list[tuple[str, AttendanceEvent]]:
    """By which desk, and what: minutes before 07:58."""
    told: list[tuple[str, AttendanceEvent]] = []

    def tell(kind: EventKind, child_id: str, minutes: int, *, desk: str = BACK_DOOR, **said: object) -> str:
        event = event_at(kind, MORNING_MS - minutes * MINUTE_MS, 0x100 + len(told), child_id=child_id, **said)
        told.append((desk, event))
        return event.event_id

    tell(IN, ANA, 50, room_id=BEES)
    tell(OUT, ANA, 10, adult_id=JOAO)
    tell(IN, AFONSO, 58, room_id=BEES)
    tell(IN, AFONSO, 18, room_id=BEES)
    tell(IN, BEATRIZ, 48, desk=GATE, room_id=BEES)
    tell(IN, BEATRIZ, 28, room_id=BEES)
    tell(OUT, BEATRIZ, 13, desk=GATE, adult_name="Carla Cardoso")
    tell(OUT, DIOGO, 8, adult_name="Nuno Faria")
    tell(IN, EVA, 58, room_id=OWLS)
    tell(OUT, EVA, 28, adult_name="Marta Freitas")
    tell(OUT, EVA, 23, desk=GATE, adult_name="Paulo Freitas")
    tell(IN, INES, 58, room_id=FOXES)
    tell(OUT, INES, 28, adult_name="Rosa Gonçalves")
    tell(EventKind.ROOM_MOVE, INES, 18, to_room_id=BEES)
    tell(IN, LARA, YESTERDAY - 10, room_id=OWLS)
    tell(OUT, LARA, YESTERDAY - 200, adult_name="Olga Neves")
    tell(IN, LEONOR, 2 * YESTERDAY - 10, room_id=OWLS)
    tell(OUT, LEONOR, 2 * YESTERDAY - 200, adult_name="Vera Nunes")
    tell(IN, MARTIM, 20, room_id=FOXES, clock_suspect=True)
    tell(IN, MIA, 15, room_id=BEES, provisional_name=" ".join(NOT_ON_FILE[MIA]))
    tell(IN, RUI, 25, room_id=OWLS, staff_id=LUISA)
    tell(IN, TOM, 55, room_id=FOXES, staff_id=PEDRO)
    tell(OUT, TOM, 5, adult_name="Jo Reis", reason_code="override", reason="passport seen")
    came = tell(IN, ZOE, 40, room_id=OWLS)
    tell(EventKind.CONFIRM, ZOE, 3, confirms=(came,), disputes=True, author="Lia Brandão", note="We came at eight.")
    return told


@asynccontextmanager
async def asking_desk(folder: Path) -> AsyncIterator[tuple[UnlinkedDesk, StandingClock]]:
    """The desk at 07:58, which has heard all of it from two others."""
    clock = StandingClock(MORNING_MS)
    desk = await open_building(folder, clock, questions_center())
    try:
        for device_id, event in contradictions():
            await desk.hear_of(event, device_id=device_id, device_name=DESKS[device_id])
        yield desk, clock
    finally:
        await desk.close()


async def show(folder: Path, print_command: tuple[str, ...]) -> None:
    """The screens on this terminal, with a printer where there is a command."""
    async with asking_desk(folder) as (desk, clock):
        desk.building.labels.settings = LabelSettings(print_command=print_command, time_limit_s=5)
        printing = asyncio.create_task(desk.building.labels.run())
        await KioskApp(desk, clock).run_async()
        printing.cancel()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as data:
        asyncio.run(show(Path(data), tuple(sys.argv[1:])))
