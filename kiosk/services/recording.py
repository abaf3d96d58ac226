"""Writing down what belongs together: the events, their entries in the journal, one durable transaction."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import partial
from typing import Any, Final

import msgspec

from kiosk.services.errors import DeskError
from kiosk.services.moments import utc_offset_min
from kiosk.services.timekeeping import Moment, let_time_pass, noted_since
from kiosk.store.errors import StorageFailed, StorageFull, StoreError
from kiosk.store.journal import OwnEntry
from kiosk.store.pen import Pen
from kiosk.store.progress import Progress
from kiosk.store.replica import Replica
from sync.attendance import AttendanceEvent, EventKind, decode_event, encode_event
from sync.attendance_events import Correction
from sync.clock_evidence import ClockEstimate
from sync.journal import Draft
from sync.limits import WALL_MS_MAX, WALL_MS_MIN
from sync.stamps import next_stamp


@dataclass(frozen=True, kw_only=True)
class Wish:
    """What a person wants written down of a child, of somebody else, of a roll-call or a room.

    `occurred_at_ms` None means now (UTC milliseconds). Which fields go with which kind says
    `sync.attendance_events.fields_of_kind`. `event_id` and `time_zone` are filled in by whoever records it.
    """

    kind: EventKind
    event_id: str = ""
    time_zone: str = ""
    occurred_at_ms: int | None = None
    child_id: str = ""
    provisional_name: str = ""
    person_id: str = ""
    person_name: str = ""
    rollcall_id: str = ""
    mark: str = ""
    headcount: int | None = None
    room_id: str = ""
    to_room_id: str = ""
    adult_id: str = ""
    adult_name: str = ""
    staff_id: str = ""
    auth_method: str = "staff_attested"
    identity_check: str = "none"
    warnings: tuple[str, ...] = ()
    reason_code: str = ""
    reason: str = ""
    note: str = ""
    supersedes: tuple[str, ...] = ()
    corrected: Correction | None = None
    finding: str = ""
    answer: str = ""
    left_at_ms: int | None = None

    @property
    def of_child_id(self) -> str:
        """The child whose day it changes; a mark of a roll-call is about the roll-call."""
        return "" if self.rollcall_id else self.child_id


_NOT_SAID: Final = frozenset({"time_zone", "occurred_at_ms"})
_SAID: Final = tuple(one.name for one in fields(Wish) if one.name not in _NOT_SAID)


@dataclass(frozen=True)
class Reading:
    """The clocks when something is recorded: what they say, by how much they were set, and how wrong they are.

    `step_ms`: the wall clock was set by so much since the last reading. `clock` None: only the store knows its error.
    """

    moment: Moment
    step_ms: int = 0
    clock: ClockEstimate | None = None


@dataclass(frozen=True)
class Written:
    """Entries that are durable, where the desk stands with them, and what it had to say of itself beside them."""

    entries: tuple[OwnEntry, ...]
    progress: Progress
    noted: tuple[OwnEntry, ...]


def write_down(wishes: Sequence[Wish], reading: Reading, pen: Pen, replica: Replica) -> Written:
    """Append an entry for each wish, all of them in one transaction; when this returns they are durable.

    A plug pulled in the middle leaves all of them or none. Runs on the database's thread.

    Raises:
        DeskError: bad_input, a value that no server would take.
        StoreError: it could not be stored; with StorageFailed the disk could not even say whether it was.

    """
    before = replica.progress.read()
    try:
        with replica.database.transaction():
            let_time_pass(replica, pen, reading.moment, reading.step_ms)
            for wish in wishes:
                make_draft = partial(_draft, wish, reading.moment, clock=reading.clock)
                replica.journal.append(make_draft, pen.sign, child_id=wish.of_child_id)
    except (StorageFull, StorageFailed) as error:
        # A COMMIT that reports a failure may have taken effect all the same: the file, opened again, knows.
        if _find(replica, wishes[0].event_id) is None:
            raise error from None
    entries = tuple(entry for wish in wishes if (entry := _find(replica, wish.event_id)) is not None)
    assert len(entries) == len(wishes)
    ids = frozenset(wish.event_id for wish in wishes)
    noted = tuple(one for one in noted_since(replica, before) if one.event_id not in ids)
    return Written(entries, replica.progress.read(), noted)


def _find(replica: Replica, event_id: str) -> OwnEntry | None:
    try:
        return replica.journal.find(event_id)
    except StoreError as error:
        message = "The disk failed and cannot say what it holds; start the desk again and look at the roster."
        raise StorageFailed(message) from error


def _draft(wish: Wish, moment: Moment, progress: Progress, clock: ClockEstimate | None = None) -> Draft:
    event = _event(wish, moment, progress, clock)
    try:
        body = encode_event(event)
        decode_event(body)
    except (msgspec.ValidationError, UnicodeEncodeError, OverflowError) as error:
        message = "This cannot be recorded: a time, an id or a text is not what it must be; correct it."
        raise DeskError("bad_input", message) from error
    return Draft(
        event_id=event.event_id,
        kind=event.kind,
        body=body,
        hlc=next_stamp(previous=progress.hlc, wall_ms=moment.wall_ms),
        wall_ms=moment.wall_ms,
        monotonic_ms=moment.monotonic_ms,
        boot_id=moment.boot_id,
        base_epoch=progress.epoch,
        base_version=progress.version,
    )


def _event(wish: Wish, moment: Moment, progress: Progress, clock: ClockEstimate | None) -> AttendanceEvent:
    known_ms, error_ms = progress.clock_offset_ms, progress.clock_error_ms
    if clock is not None:
        known_ms, error_ms = clock.offset_ms, clock.error_ms
    recorded_at_ms, offset_ms = possible_time(moment.wall_ms, known_ms)
    occurred_at_ms = recorded_at_ms if wish.occurred_at_ms is None else wish.occurred_at_ms
    said: dict[str, Any] = {name: getattr(wish, name) for name in _SAID}
    return AttendanceEvent(
        center_id=progress.center_id,
        occurred_at_ms=occurred_at_ms,
        recorded_at_ms=recorded_at_ms,
        utc_offset_min=utc_offset_min(occurred_at_ms, wish.time_zone),
        clock_offset_ms=offset_ms,
        clock_error_ms=None if offset_ms is None else error_ms,
        after_lease=progress.is_lease_over,
        **said,
    )


def possible_time(wall_ms: int, offset_ms: int | None) -> tuple[int, int | None]:
    """A wall time an event may carry, and the clock offset to state beside it.

    A clock that is wrong by years must not stop a desk: a reading outside of 2000 to 2100 is replaced by the
    server's time as far as this desk can tell, or by the nearest bound. The entry keeps the true reading.
    """
    if WALL_MS_MIN <= wall_ms <= WALL_MS_MAX:
        return wall_ms, offset_ms
    corrected_ms = wall_ms + (offset_ms or 0)
    return min(max(corrected_ms, WALL_MS_MIN), WALL_MS_MAX), None if offset_ms is None else 0
