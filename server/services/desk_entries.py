"""What people enter at the server and not at a desk: what was forgotten, what was wrong, what a guardian says to it.

Each becomes an event of the server's own desk with the account behind it, and so is decided, shown and proved like any
other. An entry for an earlier time is visible as such: when it happened and when it was recorded differ.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import msgspec

from server.core.clock import Clock, ms_of, utc_offset_min
from server.core.errors import Conflict, InvalidInput, NotFound
from server.models.rooms import Center
from server.repositories import reviews
from server.repositories.unit_of_work import UnitsOfWork
from server.services.access import User
from server.services.server_desk import ServerDesk
from sync.attendance import AttendanceEvent, Correction, EventKind, check_event, decode_event
from sync.journal import Outcome, ParkReason
from sync.limits import WALL_MS_MIN

__all__ = ["DeskEntries", "Entered", "Entry", "EventKind"]

KINDS: Final = frozenset(
    {
        EventKind.CHECK_IN,
        EventKind.CHECK_OUT,
        EventKind.ROOM_MOVE,
        EventKind.VOID,
        EventKind.CORRECT,
        EventKind.CONFIRM,
    }
)
_NEEDS_REASON: Final = frozenset({EventKind.VOID, EventKind.CORRECT})


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """What is entered; a part that does not go with its kind stays empty. `named`: the events that it is about.

    `auth_method`: how whoever enters it proved who they are. With the same `event_id` (a UUID of the caller's) it is
    entered once however often it is sent.
    """

    kind: EventKind
    event_id: str = ""
    child_id: str = ""
    occurred_at: datetime | None = None
    room_id: str = ""
    to_room_id: str = ""
    adult_id: str = ""
    adult_name: str = ""
    named: tuple[str, ...] = ()
    right_time: datetime | None = None
    disputes: bool = False
    reason_code: str = ""
    reason: str = ""
    auth_method: str = "account"
    note: str = ""


@dataclass(frozen=True, slots=True)
class Entered:
    """The event that it became, at which version of the log, and whether it contradicts others."""

    event_id: str
    version: int
    needs_review: bool


class DeskEntries:
    """Takes entries of people with an account."""

    def __init__(self, units: UnitsOfWork, desk: ServerDesk, clock: Clock, new_id: Callable[[], str]) -> None:
        """Write down through `desk`."""
        self._units = units
        self._desk = desk
        self._clock = clock
        self._new_id = new_id

    async def enter(self, center: Center, user: User, entry: Entry) -> Entered:
        """Store an entry.

        Raises:
            InvalidInput: a part is missing, does not go with the kind, or a time lies in the future.
            NotFound: the centre has no such child, or no such event of one child.
            Conflict: another event has this id.
            DatabaseUnavailable: it is not known whether it was stored; send it again with the same `event_id`.

        """
        if entry.kind not in KINDS:
            raise InvalidInput(f"What can be entered here: {', '.join(sorted(KINDS))}")
        if entry.kind in _NEEDS_REASON and not (entry.reason or entry.reason_code):
            raise InvalidInput("Say why: a void or a correction needs a reason")
        child_id, name = await self._child(center, entry)
        event = self._event(center, user, entry, child_id, name)
        try:
            check_event(event)
        except msgspec.ValidationError as error:
            raise InvalidInput(f"{error}") from None
        outcome = await self._desk.record(event)
        if outcome.reason is ParkReason.UNKNOWN_REFERENCE:
            raise NotFound("There is no such child at this centre")
        if outcome.outcome is Outcome.PARKED:
            raise Conflict("There is another event with this id")
        return Entered(event.event_id, outcome.version, outcome.outcome is Outcome.CONFLICT)

    async def _child(self, center: Center, entry: Entry) -> tuple[str, str]:
        """Whom the entry is about, and its provisional name: that of the events it names, which are of one child."""
        if not entry.named:
            return entry.child_id, ""
        async with self._units.read() as connection:
            found = await reviews.testimonies(connection, center.id, entry.named)
        events = [decode_event(bytes(one.record.event)) for one in found.values()]
        children = {(event.child_id, event.provisional_name) for event in events}
        if len(events) < len(set(entry.named)) or len(children) != 1 or not events[0].child_subject_id:
            raise NotFound("Name events of one child of this centre")
        ((child_id, name),) = children
        if entry.child_id not in ("", child_id):
            raise NotFound("These events are of another child")
        return child_id, name

    def _event(self, center: Center, user: User, entry: Entry, child_id: str, name: str) -> AttendanceEvent:
        now_ms = self._clock.wall_ms()
        occurred_at_ms = now_ms if entry.occurred_at is None else self._past_ms(entry.occurred_at, now_ms)
        is_correction, is_confirmation = entry.kind is EventKind.CORRECT, entry.kind is EventKind.CONFIRM
        right_ms = None if entry.right_time is None else self._past_ms(entry.right_time, now_ms)
        corrected = Correction(
            occurred_at_ms=right_ms, room_id=entry.room_id, adult_id=entry.adult_id, adult_name=entry.adult_name
        )
        if is_correction and corrected == Correction():
            raise InvalidInput("Say what is right: a time, a room or an adult")
        return AttendanceEvent(
            event_id=entry.event_id or self._new_id(),
            kind=entry.kind,
            center_id=center.id,
            child_id=child_id,
            provisional_name=name,
            occurred_at_ms=occurred_at_ms,
            recorded_at_ms=now_ms,
            utc_offset_min=utc_offset_min(now_ms, center.time_zone),
            clock_offset_ms=0,
            clock_error_ms=0,
            room_id="" if is_correction else entry.room_id,
            to_room_id=entry.to_room_id,
            adult_id="" if is_correction else entry.adult_id,
            adult_name="" if is_correction else entry.adult_name,
            auth_method=entry.auth_method,
            note=entry.note,
            supersedes=() if is_confirmation else entry.named,
            corrected=corrected if is_correction else None,
            confirms=entry.named if is_confirmation else (),
            disputes=entry.disputes,
            reason_code=entry.reason_code,
            reason=entry.reason,
            author_id=user.id,
            author=user.display_name,
        )

    def _past_ms(self, moment: datetime, now_ms: int) -> int:
        if moment.tzinfo is None:
            raise InvalidInput("A time needs an offset, such as +01:00")
        if not WALL_MS_MIN <= ms_of(moment) <= now_ms:
            raise InvalidInput("A time lies in the future, or before the year 2000")
        return ms_of(moment)
