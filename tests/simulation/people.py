"""What people do: an office that keeps the reference data, and parents and staff who press at the desks."""

from typing import TYPE_CHECKING, Any

import msgspec

from kiosk.store.progress import Progress
from sync.attendance import AttendanceEvent, Correction, EventKind, encode_event
from sync.attendance_events import OVERRIDE
from sync.change_log import ChangeDraft, Operation
from sync.journal import Draft
from sync.records import (
    REFERENCE_BUCKET,
    AbsenceRecord,
    CenterRecord,
    ChildRecord,
    ClosureRecord,
    Entity,
    PickupRecord,
    RoomRecord,
    StaffRecord,
    StatusChange,
    encode_record,
)
from sync.stamps import next_stamp
from tests.simulation.luck import Luck
from tests.simulation.model_store import ModelServerStore

if TYPE_CHECKING:
    from tests.simulation.device import Device
    from tests.simulation.world import World

TIME_ZONE = "Europe/Berlin"
ADULTS = ("", "Aunt Alma", "Father Bo", "Grandmother Chi")
NAMES = ("Ada", "Ben", "Cem", "Dora", "Eli", "Fay", "Gus", "Hana")
# What else is pressed than that a child came or left, and how often among all presses.
OTHERWISE = 0.3
OTHER_KINDS = (
    EventKind.ROOM_MOVE,
    EventKind.ROOM_MOVE,
    EventKind.VOID,
    EventKind.CORRECT,
    EventKind.AUTO_CLOSE,
    EventKind.CONFIRM,
    EventKind.REVIEW_RESOLVED,
)
# The day on which every seed begins, with those before and after it: what a record says of days.
DAYS = ("2026-03-01", "2026-03-02", "2026-03-03")
STATUSES = ("authorised", "temporary", "not_authorised", "suspended")
# How many of the last events of a child, at any desk of the centre, people still think of.
REMEMBERED = 12
POISON = ("unknown_child", "wrong_center", "unknown_kind", "no_json", "nul", "year_1", "other_event_id")


def put(entity: Entity, entity_id: str, record: msgspec.Struct, *, ends_unit: bool = False) -> ChangeDraft:
    """A change that writes a record of the reference data."""
    return ChangeDraft(
        bucket=REFERENCE_BUCKET,
        entity=entity,
        entity_id=entity_id,
        operation=Operation.PUT,
        body=encode_record(record),
        ends_unit=ends_unit,
    )


class Office:
    """The reference data of one centre, and the people who change it."""

    def __init__(self, world: "World", store: ModelServerStore) -> None:
        self.store = store
        self.luck = world.luck(f"office {store.center_id}")
        self.children = [self.luck.uuid() for _ in range(world.plan.children)]
        self.rooms: list[str] = []
        self.told: dict[str, list[str]] = {}
        people = world.luck(f"people {store.center_id}")
        self.adults = [people.uuid() for _ in range(2)]
        self.staff = [people.uuid() for _ in range(2)]
        self._true_ms = world.true_wall_ms
        self._pickups: dict[tuple[str, str], tuple[str, PickupRecord]] = {}
        self._days: dict[str, dict[str, Any]] = {}
        center = CenterRecord(code="ELM", name="Elm House", time_zone=TIME_ZONE)
        children = [put(Entity.CHILD, child, self._child(child)) for child in self.children]
        store.write([put(Entity.CENTER, store.center_id, center), *children])

    def edit(self) -> None:
        """Change something in one transaction."""
        self.store.write(self.luck.pick((self._rename, self._add_room, self._remove_room, self._enrol_with_room))())

    def rule(self) -> None:
        """Change something by which events are judged, also those that were recorded before."""
        kinds = (self._let_collect, self._let_collect, self._announce, self._announce, self._enrol, self._employ)
        self.store.write(self.luck.pick((*kinds, self._close))())

    def _let_collect(self) -> list[ChangeDraft]:
        """One of the adults may collect one of the children, or no more, from this moment on."""
        child, adult = self.luck.pick(self.children[:4]), self.luck.pick(self.adults)
        status = self.luck.pick(STATUSES)
        pickup_id, known = self._pickups.get((child, adult), (self.luck.uuid(), None))
        record = PickupRecord(child_id=child, adult_id=adult, status=status)
        if known is not None and known.status != status:
            before = known.history or (StatusChange(since_ms=0, status=known.status),)
            changes = (*before, StatusChange(since_ms=self._true_ms(), status=status))
            record = msgspec.structs.replace(record, history=changes)
        self._pickups[child, adult] = (pickup_id, record)
        return [put(Entity.PICKUP, pickup_id, record)]

    def _announce(self) -> list[ChangeDraft]:
        """A child is announced not to come; now and then all that was announced is withdrawn."""
        child, (first, last) = self.luck.pick(self.children[:4]), sorted(self.luck.pick(DAYS) for _ in range(2))
        absence = AbsenceRecord(absence_id=self.luck.uuid(), first_day=first, last_day=last, kind="sick")
        days = self._days.setdefault(child, {})
        days["absences"] = () if self.luck.chance(0.2) else (*days.get("absences", ()), absence)
        return [put(Entity.CHILD, child, self._child(child))]

    def _enrol(self) -> list[ChangeDraft]:
        child = self.luck.pick(self.children[:4])
        self._days.setdefault(child, {})["enrolled_from"] = self.luck.pick(DAYS)
        return [put(Entity.CHILD, child, self._child(child))]

    def _employ(self) -> list[ChangeDraft]:
        """A member of staff has left, or it was said wrongly."""
        last = self.luck.pick(("", *DAYS))
        record = StaffRecord(
            given_name="Ruth", family_name="Appiah", role="educator", employed_to=last or msgspec.UNSET
        )
        return [put(Entity.STAFF, self.luck.pick(self.staff), record)]

    def _close(self) -> list[ChangeDraft]:
        day = self.luck.pick(DAYS)
        closed = self.luck.pick(((), (ClosureRecord(first_day=day, last_day=day),)))
        center = CenterRecord(code="ELM", name="Elm House", time_zone=TIME_ZONE, closures=closed or msgspec.UNSET)
        return [put(Entity.CENTER, self.store.center_id, center)]

    def _child(self, child: str) -> ChildRecord:
        """A name of this moment, with what was said of the child's days."""
        said = {name: days for name, days in self._days.get(child, {}).items() if days}
        given, family = self.luck.pick(NAMES), f"of {self.luck.between(1, 99)}"
        return ChildRecord(given_name=given, family_name=family, **said)

    def _rename(self) -> list[ChangeDraft]:
        drafts = []
        for _ in range(2):
            child = self.luck.pick(self.children)
            drafts.append(put(Entity.CHILD, child, self._child(child)))
        return drafts

    def _add_room(self) -> list[ChangeDraft]:
        self.rooms.append(self.luck.uuid())
        return [put(Entity.ROOM, self.rooms[-1], RoomRecord(name="Foxes"))]

    def _remove_room(self) -> list[ChangeDraft]:
        if not self.rooms:
            return self._add_room()
        room = self.rooms.pop(self.luck.between(0, len(self.rooms) - 1))
        removed = put(Entity.ROOM, room, RoomRecord(name=""))
        return [msgspec.structs.replace(removed, operation=Operation.REMOVE, body=b"")]

    def _enrol_with_room(self) -> list[ChangeDraft]:
        child = self.luck.uuid()
        self.children.append(child)
        return [*self._add_room(), put(Entity.CHILD, child, self._child(child)), *self._rename()]


class Visitors:
    """Who stands before one desk."""

    def __init__(self, world: "World", device: "Device") -> None:
        self.world = world
        self.device = device

    def press(self, number: int) -> None:
        """Somebody presses; now and then what comes of it can be no fact. The number is the luck of this visit."""
        luck = self.world.luck(f"visit {number} at {self.device.name}")
        office = self.world.offices[self.device.center_id]
        is_poison = self.world.plan.has("poison") and luck.chance(0.15)
        child = luck.pick(office.children[:4])
        poison = luck.pick(POISON) if is_poison else ""
        event_id, adult = luck.uuid(), luck.pick(ADULTS)
        kind = luck.pick((EventKind.CHECK_IN, EventKind.CHECK_OUT))
        typed_ms = -luck.between(1, 90) * 60_000 if luck.chance(0.2) else 0
        other = luck.uuid()
        more: dict[str, Any] = {}
        if luck.chance(OTHERWISE):
            kind = luck.pick(OTHER_KINDS)
            more = self._what_goes_with(kind, office.told.get(child, [other]), luck)
        office.told.setdefault(child, []).append(event_id)
        del office.told[child][:-REMEMBERED]
        if poison == "unknown_child":
            child = other
        if self.world.plan.rulings:
            more |= self._who_acts(kind, number)

        def draft(progress: Progress) -> Draft:
            wall_ms = self.device.wall_ms()
            event = AttendanceEvent(
                event_id=event_id,
                kind=kind,
                center_id=other if poison == "wrong_center" else self.device.center_id,
                child_id=child,
                occurred_at_ms=-62_135_596_800_000 if poison == "year_1" else wall_ms + typed_ms,
                recorded_at_ms=wall_ms,
                clock_offset_ms=progress.clock_offset_ms,
                clock_error_ms=progress.clock_error_ms,
                adult_name="" if "adult_id" in more else "N\x00" if poison == "nul" else adult,
                after_lease=progress.is_lease_over,
                **more,
            )
            self.world.checkers.lease_looked_at(self.device, progress)
            self.world.truth.saw(event, true_ms=self.world.true_wall_ms(), skew_ms=self.device.skew_ms)
            return self._draft(progress, event, wall_ms, poison, other)

        self.device.press(child, draft)

    def _who_acts(self, kind: EventKind, number: int) -> dict[str, Any]:
        """Whom the desk knows of those who act; beside the luck of the visit, which stays what it was."""
        luck = self.world.luck(f"people of visit {number} at {self.device.name}")
        office = self.world.offices[self.device.center_id]
        found = {"staff_id": luck.pick(("", *office.staff))}
        if kind is EventKind.CHECK_OUT and luck.chance(0.7):
            found["adult_id"] = luck.pick(office.adults)
        if kind is EventKind.CHECK_OUT and luck.chance(0.2):
            found |= {"reason_code": OVERRIDE, "reason": "sent by the mother"}
        return found

    def _what_goes_with(self, kind: EventKind, told: list[str], luck: Luck) -> dict[str, Any]:
        """What an event of this kind says; what it names was told at any desk of the centre, an act among it or not."""
        named = tuple(dict.fromkeys(luck.pick(told) for _ in range(luck.between(1, 2))))
        wall_ms = self.world.true_wall_ms()
        match kind:
            case EventKind.ROOM_MOVE:
                return {"to_room_id": luck.uuid()}
            case EventKind.VOID:
                return {"supersedes": named}
            case EventKind.CORRECT:
                earlier = Correction(occurred_at_ms=wall_ms - luck.between(0, 120) * 60_000)
                return {"supersedes": named, "corrected": luck.pick((earlier, Correction(adult_name=luck.pick(NAMES))))}
            case EventKind.CONFIRM:
                return {"confirms": named, "disputes": luck.chance(0.3)}
            case EventKind.REVIEW_RESOLVED:
                left_at_ms = luck.pick((None, wall_ms - luck.between(0, 120) * 60_000))
                finding = ":".join(("possible_missed_check_out", *sorted(named)))
                return {"finding": finding, "answer": "asked", "supersedes": named[1:], "left_at_ms": left_at_ms}
        return {}

    def _draft(self, progress: Progress, event: AttendanceEvent, wall_ms: int, poison: str, other: str) -> Draft:
        return Draft(
            event_id=other if poison == "other_event_id" else event.event_id,
            kind="nap_began" if poison == "unknown_kind" else event.kind.value,
            body=b"never was JSON" if poison == "no_json" else encode_event(event),
            hlc=next_stamp(previous=progress.hlc, wall_ms=wall_ms),
            wall_ms=wall_ms,
            monotonic_ms=self.world.timeline.now_ms,
            boot_id=f"{self.device.name}-{self.device.boots}",
            base_epoch=progress.epoch,
            base_version=progress.version,
        )
