"""Writing one thing down: the event, its entry in the journal, one durable transaction."""

from dataclasses import dataclass

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
from sync.clock_evidence import ClockEstimate
from sync.journal import Draft
from sync.limits import WALL_MS_MAX, WALL_MS_MIN
from sync.stamps import next_stamp


@dataclass(frozen=True, kw_only=True)
class Wish:
    """What a person wants written down; `occurred_at_ms` None means now."""

    event_id: str
    kind: EventKind
    child_id: str
    time_zone: str
    occurred_at_ms: int | None = None
    room_id: str = ""
    adult_id: str = ""
    adult_name: str = ""
    staff_id: str = ""
    note: str = ""


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
    """An entry that is durable, where the desk stands with it, and what it had to say of itself beside it."""

    entry: OwnEntry
    progress: Progress
    noted: tuple[OwnEntry, ...]


def write_down(wish: Wish, reading: Reading, pen: Pen, replica: Replica) -> Written:
    """Append the entry; when this returns it is durable. Runs on the database's thread.

    Raises:
        DeskError: bad_input, a value that no server would take.
        StoreError: it could not be stored; with StorageFailed the disk could not even say whether it was.

    """

    def make_draft(progress: Progress) -> Draft:
        return _draft(wish, reading.moment, progress, reading.clock)

    before = replica.progress.read()
    try:
        with replica.database.transaction():
            let_time_pass(replica, pen, reading.moment, reading.step_ms)
            replica.journal.append(make_draft, pen.sign, child_id=wish.child_id)
    except (StorageFull, StorageFailed) as error:
        # A COMMIT that reports a failure may have taken effect all the same: the file, opened again, knows.
        if _find(replica, wish.event_id) is None:
            raise error from None
    entry = _find(replica, wish.event_id)
    assert entry is not None
    noted = tuple(one for one in noted_since(replica, before) if one.event_id != wish.event_id)
    return Written(entry, replica.progress.read(), noted)


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
    return AttendanceEvent(
        event_id=wish.event_id,
        kind=wish.kind,
        center_id=progress.center_id,
        child_id=wish.child_id,
        occurred_at_ms=occurred_at_ms,
        recorded_at_ms=recorded_at_ms,
        utc_offset_min=utc_offset_min(occurred_at_ms, wish.time_zone),
        clock_offset_ms=offset_ms,
        clock_error_ms=None if offset_ms is None else error_ms,
        room_id=wish.room_id,
        adult_id=wish.adult_id,
        adult_name=wish.adult_name,
        staff_id=wish.staff_id,
        note=wish.note,
        after_lease=progress.is_lease_over,
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
