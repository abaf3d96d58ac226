"""A desk in memory for tests of the screen; the suite in tests/contract/desk.py holds it to the real one."""

import asyncio
import unicodedata
from dataclasses import dataclass, replace
from itertools import count

from kiosk.messages import (
    ChildChanged,
    DeskStatus,
    EntrySettled,
    LinkChanged,
    LinkPhase,
    Mark,
    Presence,
    Quarantined,
    Resync,
    Revoked,
)
from kiosk.services.building import Building
from kiosk.services.desk import Collector, Recorded, RosterLine, Wish
from kiosk.services.errors import DeskError
from kiosk.services.subscription import Hub, Subscription
from sync.journal import Outcome, ParkReason
from sync.records import AlertRecord
from tests.support.clock import FakeClock
from tests.support.fake_counter import FakeCounter, FakeDoor

ROOMS = {"room-1": "Bees", "room-2": "Foxes", "room-3": "Owls"}
MINUTE_MS = 60_000


@dataclass(frozen=True)
class Child:
    """A child of a made-up centre; ids are short because only tests read them."""

    child_id: str
    given_name: str
    family_name: str
    room_id: str = "room-1"
    alerts: tuple[AlertRecord, ...] = ()
    collectors: tuple[Collector, ...] = ()


def plain(text: str) -> str:
    """A name without accents and case."""
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    return "".join(character for character in decomposed if not unicodedata.combining(character))


class FakeDesk:
    """Children, events and a link that does as a test says; what is beside the door is in `building_desk`."""

    building: Building

    def __init__(self, children: list[Child], clock: FakeClock) -> None:
        self._clock = clock
        self._children = {child.child_id: child for child in children}
        self._lines = {child.child_id: _line_of(child) for child in children}
        self._numbers = count(1)
        self._hub = Hub()
        self._waiting: dict[str, str] = {}
        self._needs_review = 0
        self._status = DeskStatus(
            link=LinkPhase.ONLINE,
            offline_since_ms=None,
            waiting=0,
            needs_review=0,
            version=1,
            head_version=1,
            data_as_of_ms=clock.wall_ms(),
            center_name="Little Oaks Nursery",
            device_name="Front desk",
            time_zone="Europe/Lisbon",
        )
        self.quarantined: Quarantined | None = None
        self.wishes: list[Wish] = []
        self._collected_by = ""
        self.door = FakeDoor(clock)
        self.counter = FakeCounter(clock, self._known_lines, self._record)
        self.fail_next: Exception | None = None
        self.run_link_failure: Exception | None = None

    async def roster(self) -> list[RosterLine]:
        """Every child, by room and name."""
        self._fail_if_told()
        self._refuse_if_locked()
        return sorted(self._lines.values(), key=_order)

    async def collectors(self, child_id: str) -> list[Collector]:
        """The child's adults."""
        self._fail_if_told()
        self._refuse_if_locked()
        return list(self._child(child_id).collectors)

    async def check_in(self, child_id: str) -> Recorded:
        """Record an arrival."""
        self._fail_if_told()
        line = self._line(child_id)
        if line.status is Presence.IN:
            raise DeskError("already_in", f"{line.display_name} is in already; nothing was recorded.")
        return self._record(line, Presence.IN, "check_in")

    async def check_out(self, child_id: str, *, adult_id: str = "", adult_name: str = "") -> Recorded:
        """Record a departure."""
        self._fail_if_told()
        line = self._line(child_id)
        if line.status is not Presence.IN:
            raise DeskError("already_out", f"{line.display_name} is not in; nothing was recorded.")
        self._require_may_collect(child_id, adult_id, adult_name)
        self._collected_by = adult_id or adult_name
        return self._record(line, Presence.OUT, "check_out")

    async def record(self, *wishes: Wish) -> tuple[Recorded, ...]:
        """Record anything; kept in `wishes`, and a test looks there."""
        self._fail_if_told()
        self.wishes.extend(wishes)
        now_ms = self._clock.wall_ms()
        return tuple(Recorded(f"event-{next(self._numbers)}", one.kind, one.child_id, "", now_ms) for one in wishes)

    @property
    def collected_by(self) -> str:
        """Who collected last, by id or name."""
        last = self.counter.released[-1] if self.counter.released else None
        return (last.adult_id or last.adult_name) if last else self._collected_by

    async def status(self) -> DeskStatus:
        """How things stand."""
        self._fail_if_told()
        return replace(self._status, waiting=len(self._waiting), needs_review=self._needs_review)

    async def run_link(self) -> None:
        """Stay until cancelled."""
        if self.run_link_failure:
            raise self.run_link_failure
        await asyncio.Event().wait()

    def subscribe(self) -> Subscription:
        """Messages from now on."""
        return self._hub.subscribe()

    # What a test tells it to do.

    async def go_offline(self) -> None:
        """Lose the link now."""
        self._status = replace(self._status, link=LinkPhase.OFFLINE, offline_since_ms=self._clock.wall_ms())
        self._hub.publish(LinkChanged(await self.status()))

    async def go_online(self) -> None:
        """Get the link back, with all data."""
        now_ms = self._clock.wall_ms()
        self._status = replace(self._status, link=LinkPhase.ONLINE, offline_since_ms=None, data_as_of_ms=now_ms)
        self._hub.publish(LinkChanged(await self.status()))

    async def lock(self) -> None:
        """Let the lease end."""
        self._status = replace(self._status, link=LinkPhase.OFFLINE, locked=True, lease_left_ms=0)
        self._hub.publish(LinkChanged(await self.status()))

    async def unlock(self) -> None:
        """Let the server answer."""
        self._status = replace(self._status, locked=False, lease_left_ms=30 * 24 * 60 * MINUTE_MS)
        self._hub.publish(Resync())
        await self.go_online()

    async def let_lease_run_down(self, left_ms: int) -> None:
        """So much of the lease is left."""
        self._status = replace(self._status, lease_left_ms=left_ms)
        self._hub.publish(LinkChanged(await self.status()))

    async def revoke(self, sentence: str) -> None:
        """The manager has switched this desk off."""
        self._lines.clear()
        self._status = replace(self._status, link=LinkPhase.NEEDS_PERSON, detail=sentence, revoked=True)
        self._hub.publish(Revoked(sentence))
        self._hub.publish(LinkChanged(await self.status()))

    async def settle(self, event_id: str, mark: Mark = Mark.CONFIRMED) -> None:
        """Have the server answer an entry."""
        child_id = self._waiting.pop(event_id)
        self._needs_review += mark is Mark.NEEDS_REVIEW
        line = self._lines[child_id]
        if line.last_event_id == event_id:
            self._lines[child_id] = replace(line, mark=mark)
        message = EntrySettled(
            event_id=event_id,
            kind="check_in",
            child_id=child_id,
            outcome=Outcome.APPLIED,
            reason=ParkReason.NOT_PARKED,
            version=2,
            mark=mark,
        )
        self._hub.publish(message)
        self._hub.publish(LinkChanged(await self.status()))

    def waiting_ids(self) -> list[str]:
        """The entries that the server has not answered, oldest first."""
        return list(self._waiting)

    def announce(self, child_id: str, kind: str) -> None:
        """The office says that a child will not come today."""
        self._lines[child_id] = replace(self._lines[child_id], absence=kind)
        self._hub.publish(Resync())

    def seen_elsewhere(self, child_id: str, status: Presence) -> None:
        """Another desk recorded this."""
        now_ms = self._clock.wall_ms()
        event_id = f"other-{next(self._numbers)}"
        self._lines[child_id] = replace(
            self._lines[child_id], status=status, since_ms=now_ms, last_event_id=event_id, mark=Mark.CONFIRMED
        )
        self._hub.publish(
            ChildChanged(child_id, event_id=event_id, status=status, since_ms=now_ms, device_name="Back", own=False)
        )

    def remove(self, child_id: str) -> None:
        """The child left the centre for good."""
        line = self._lines.pop(child_id)
        self._hub.publish(
            ChildChanged(child_id, event_id="", status=line.status, since_ms=None, device_name="", own=False)
        )

    def close_messages(self) -> None:
        """End every subscription."""
        self._hub.close()

    def _known_lines(self) -> dict[str, RosterLine]:
        self._fail_if_told()
        return self._lines

    def _record(self, line: RosterLine, status: Presence, kind: str) -> Recorded:
        now_ms, event_id = self._clock.wall_ms(), f"event-{next(self._numbers)}"
        self._waiting[event_id] = line.child_id
        self._lines[line.child_id] = replace(
            line, status=status, since_ms=now_ms, absence="", mark=Mark.RECORDED, last_event_id=event_id
        )
        self._hub.publish(
            ChildChanged(line.child_id, event_id=event_id, status=status, since_ms=now_ms, device_name="", own=True)
        )
        name = "" if self._status.locked else line.display_name
        return Recorded(event_id, kind, line.child_id, name, now_ms)

    def _require_may_collect(self, child_id: str, adult_id: str, adult_name: str) -> None:
        known = self._child(child_id).collectors
        if adult_id and adult_id not in {each.adult_id for each in known}:
            raise DeskError("unknown_adult", "This adult is not on the list; give a name instead.")
        for each in known:
            is_meant = each.adult_id == adult_id or plain(each.name) == plain(adult_name)
            if is_meant and each.status not in {"authorised", "temporary"}:
                raise DeskError("not_authorised", "This adult may not collect. Call the manager.")

    def _child(self, child_id: str) -> Child:
        self._line(child_id)
        return self._children[child_id]

    def _line(self, child_id: str) -> RosterLine:
        if child_id not in self._lines:
            raise DeskError("unknown_child", "This child is not on the roster of this desk.")
        return self._lines[child_id]

    def _refuse_if_locked(self) -> None:
        if self._status.locked:
            raise DeskError("locked", "This desk shows no names any more; connect it.")

    def _fail_if_told(self) -> None:
        failure, self.fail_next = self.fail_next, None
        if failure is not None:
            raise failure


def _line_of(child: Child) -> RosterLine:
    return RosterLine(
        child_id=child.child_id,
        given_name=child.given_name,
        family_name=child.family_name,
        display_name=f"{child.given_name} {child.family_name}",
        room_id=child.room_id,
        room_name=ROOMS[child.room_id],
        status=Presence.NOT_ARRIVED,
        since_ms=None,
        mark=Mark.NONE,
        last_event_id="",
        alerts=child.alerts,
    )


def _order(line: RosterLine) -> tuple[str, str, str]:
    return (line.room_name, plain(line.family_name), plain(line.given_name))
