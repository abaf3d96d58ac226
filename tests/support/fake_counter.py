"""The door and the counter of the desk in memory: PINs in the clear, codes without signatures."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from kiosk.messages import Mark, Presence
from kiosk.services.counter import AppCode, Scanned, Undoable
from kiosk.services.desk import Recorded, RosterLine
from kiosk.services.door import Approval, DoorMode, DoorState, StaffMember
from kiosk.services.errors import DeskError
from kiosk.services.families import FamilyMember
from kiosk.services.newcomers import Newcomer
from kiosk.services.release import Refusal, Release
from sync.pictures import Picture
from tests.support.clock import FakeClock

IDLE_MS = 120_000
UNDO_MS = 60_000


def _open_gate() -> asyncio.Event:
    gate = asyncio.Event()
    gate.set()
    return gate


@dataclass
class FakeDoor:
    """Opens for whoever has a PIN; for everybody while nobody has one."""

    clock: FakeClock
    pins: dict[str, str] = field(default_factory=dict)
    by: str = ""
    used_ms: int = 0

    def state(self) -> DoorState:
        if not self.pins:
            return DoorState(DoorMode.NO_PINS)
        if self.by and self.clock.monotonic_ms() - self.used_ms >= IDLE_MS:
            self.by = ""
        return DoorState(DoorMode.UNLOCKED, self.by, self.by) if self.by else DoorState(DoorMode.LOCKED)

    def staff(self) -> list[StaffMember]:
        return [StaffMember(name, name) for name in sorted(self.pins)]

    async def unlock(self, person_id: str, pin: str) -> DoorState:
        self._check(person_id, pin)
        self.by = person_id
        self.touch()
        return self.state()

    async def approve(self, person_id: str, pin: str) -> Approval:
        self._check(person_id, pin)
        return Approval(person_id, person_id)

    def lock(self) -> None:
        self.by = ""

    def touch(self) -> None:
        if self.by:
            self.used_ms = self.clock.monotonic_ms()

    def _check(self, person_id: str, pin: str) -> None:
        if self.pins[person_id] != pin:
            raise DeskError("pin_wrong", "That is not the PIN. 9 more tries.")


@dataclass
class FakeCounter:
    """Families by name, and everything it was asked to record."""

    clock: FakeClock
    lines: Callable[[], dict[str, RosterLine]]
    record: Callable[[RosterLine, Presence, str], Recorded]
    families: dict[str, tuple[str, ...]] = field(default_factory=dict)
    codes: dict[str, str] = field(default_factory=dict)
    list_is_old: bool = False
    released: list[Release] = field(default_factory=list)
    refused: list[Refusal] = field(default_factory=list)
    pictures: dict[str, Picture] = field(default_factory=dict)
    recorded: list[Recorded] = field(default_factory=list)
    gate: asyncio.Event = field(default_factory=_open_gate)  # closed: a disk that takes its time
    last: tuple[Recorded, ...] = ()
    before: dict[str, RosterLine] = field(default_factory=dict)
    last_ms: int = 0

    def family(self, child_id: str) -> list[FamilyMember]:
        known = self.lines()
        if child_id not in known:
            raise DeskError("unknown_child", "This child is not on the roster of this desk.")
        is_in = known[child_id].status is Presence.IN
        ids = [child_id, *(one for one in self.families.get(child_id, ()) if one != child_id)]
        return [FamilyMember(known[one], chosen=True) for one in ids if (known[one].status is Presence.IN) == is_in]

    def undoable(self) -> Undoable | None:
        left_ms = UNDO_MS - (self.clock.monotonic_ms() - self.last_ms)
        return Undoable(self.last, left_ms) if self.last and left_ms > 0 else None

    def scan(self, text: str) -> Scanned:
        adult_id = self.codes.get(text)
        if adult_id is None:
            raise DeskError("unknown_code", "This code is not known here; find the child by name.")
        if adult_id in self.lines():
            return Scanned("", (self.lines()[adult_id],), "barcode")
        return Scanned(adult_id, tuple(self.lines()[one] for one in self.families[adult_id]))

    def app_code(self) -> AppCode:
        return AppCode("C3FKDD47", 60_000)

    def picture(self, person_id: str) -> Picture | None:
        return self.pictures.get(person_id)

    def is_list_old(self) -> bool:
        return self.list_is_old

    async def arrive(self, child_ids: Sequence[str]) -> tuple[Recorded, ...]:
        await self.gate.wait()
        for one in child_ids:
            if self.lines()[one].status is Presence.IN:
                raise DeskError("already_in", "It is in already; nothing was recorded.")
        return self._note([self.lines()[one] for one in child_ids], Presence.IN, "check_in")

    def resembling(self, name: str) -> tuple[RosterLine, ...]:
        return tuple(line for line in self.lines().values() if line.display_name.casefold() == name.casefold())

    async def take_in(self, newcomer: Newcomer) -> Recorded:
        given, _, family = newcomer.name.partition(" ")
        line = RosterLine(
            child_id=f"guest {newcomer.name}",
            given_name=given,
            family_name=family,
            display_name=newcomer.name,
            room_id=newcomer.room_id,
            room_name="",
            status=Presence.NOT_ARRIVED,
            since_ms=None,
            mark=Mark.NONE,
            last_event_id="",
            alerts=(),
            is_on_file=False,
        )
        return self._note([line], Presence.IN, "check_in")[0]

    async def release(self, child_ids: Sequence[str], release: Release) -> tuple[Recorded, ...]:
        self.released.append(release)
        return self._note([self.lines()[one] for one in child_ids], Presence.OUT, "check_out")

    async def refuse(self, child_ids: Sequence[str], refusal: Refusal) -> tuple[Recorded, ...]:
        self.refused.append(refusal)
        return self._note([self.lines()[one] for one in child_ids], Presence.IN, "release_refused")

    async def has_label(self) -> bool:
        return False

    async def undo(self) -> tuple[Recorded, ...]:
        found = self.undoable()
        if found is None:
            raise DeskError("nothing_to_undo", "There is nothing to take back.")
        self.lines().update(self.before)
        self.last = ()
        return found.recorded

    def _note(self, lines: list[RosterLine], status: Presence, kind: str) -> tuple[Recorded, ...]:
        self.before = {line.child_id: line for line in lines}
        self.last = tuple(self.record(line, status, kind) for line in lines)
        self.last_ms = self.clock.monotonic_ms()
        self.recorded += self.last
        return self.last
