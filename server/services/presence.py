"""Who was in the building at a moment, as far as was known at another, and which desks that list relies on."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

import msgspec

from server.core.clock import Clock, datetime_of
from server.core.errors import FieldProblem, InvalidInput
from server.models.rooms import Center
from server.repositories import attendance_days, change_log, presence
from server.repositories.presence import DeskRow, PersonName
from server.repositories.unit_of_work import Connection, UnitsOfWork
from server.services.attendance import YEAR_MAX, YEAR_MIN
from sync.desk_coverage import Coverage, DeskWord, coverage, is_linked
from sync.intake import fact_of_record
from sync.limits import REPLICA_DAYS, WALL_MS_MAX, WALL_MS_MIN
from sync.presence import Presence, Received, arrived_later, presence_at, subjects_known
from sync.records import EventRecord

PEOPLE_MAX: Final = 5_000
ROOMS_MAX: Final = 1_000
DESKS_MAX: Final = 1_000
# A thousand children and staff with four facts a day, for the days before the moment and as many behind it.
EVENTS_MAX: Final = 1_000 * 4 * (2 * REPLICA_DAYS + 1)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Names:
    """How the people on file are called today, by id, and the rooms, in the order in which people list them."""

    people: Mapping[str, PersonName]
    rooms: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class PresenceReport:
    """Who was in at `at` by what the server had received by `known_at`.

    `coverage` is the statement as of `known_at`; `arrived_later` counts by device what has come since and bears on it.
    """

    center: Center
    at: datetime
    known_at: datetime
    as_of: datetime
    version: int
    presence: Presence
    names: Names
    coverage: Coverage
    arrived_later: Mapping[str, int]


class PresenceReports:
    """Answers who was in when, as was known when."""

    def __init__(self, units: UnitsOfWork, clock: Clock) -> None:
        """Read through `units`."""
        self._units = units
        self._clock = clock

    def now(self) -> datetime:
        """Give the moment by which "now" is meant (aware)."""
        return self._clock.now()

    async def at(self, center: Center, at: datetime | None, known_at: datetime | None) -> PresenceReport:
        """Give who was in at a moment (aware; now when None), as was known at another (now when None, or later).

        Raises:
            InvalidInput: a moment is not in the years 2000 to 2099.

        """
        as_of = self._clock.now()
        wanted, known = _in_bounds(at or as_of, "at"), min(_in_bounds(known_at or as_of, "known_at"), as_of)
        at_ms, known_at_ms = wall_ms(wanted), wall_ms(known)
        async with self._units.read() as connection:
            head = await change_log.read_head(connection, center.id)
            records = await records_around(connection, center.id, wanted, wanted)
            names = await read_names(connection, center.id)
            desks = await presence.desks(connection, center.id, limit=DESKS_MAX)
        # In a thread: thousands of facts would hold up everybody's heartbeats.
        received = await asyncio.to_thread(received_of, records)
        found = await asyncio.to_thread(lambda: presence_at(subjects_known(received, known_at_ms), at_ms))
        words = desk_words(desks, received, known_at_ms=known_at_ms, now_ms=wall_ms(as_of))
        return PresenceReport(
            center=center,
            at=wanted,
            known_at=known,
            as_of=as_of,
            version=head.version if head else 0,
            presence=found,
            names=names,
            # What lies ahead has not happened: no desk can hold anything of it.
            coverage=coverage(words, min(at_ms, wall_ms(as_of))),
            arrived_later=arrived_later(received, at_ms=at_ms, known_at_ms=known_at_ms),
        )


async def records_around(
    connection: Connection, center_id: str, first: datetime, last: datetime
) -> Sequence[EventRecord]:
    """Give the facts on which presence between two moments depends.

    A stay that is open goes back `REPLICA_DAYS` at most, as on a desk; what ends one or cuts it comes within as many
    days; acts count whenever they were recorded.
    """
    window = timedelta(days=REPLICA_DAYS)
    return await attendance_days.event_records(
        connection, center_id, since=first - window, before=last + window, child_id=None, limit=EVENTS_MAX
    )


async def read_names(connection: Connection, center_id: str) -> Names:
    """Give the names of the people and rooms of a centre."""
    return Names(
        people=await presence.names(connection, center_id, limit=PEOPLE_MAX),
        rooms=await presence.room_names(connection, center_id, limit=ROOMS_MAX),
    )


def received_of(records: Iterable[EventRecord]) -> tuple[Received, ...]:
    """The facts of these records, with when each was received; those of a newer server's kinds are left out."""
    found = []
    for record in records:
        try:
            found.append(Received(fact_of_record(record), record.received_at_ms))
        except (msgspec.DecodeError, UnicodeDecodeError):
            continue  # kept in the log, and says nothing here
    return tuple(found)


def desk_words(
    desks: Iterable[DeskRow], received: Iterable[Received], *, known_at_ms: int, now_ms: int
) -> dict[str, DeskWord]:
    """The last word of each desk that had been heard by `known_at_ms` (UTC milliseconds).

    Of its positions only the newest is kept. Where that is younger, the last fact that had come from the desk says when
    it was heard at least, and nobody knows any more how much waited behind it.
    """
    facts_at_ms: dict[str, int] = {}
    for one in received:
        if one.received_at_ms <= known_at_ms:
            device_id = one.fact.device_id
            facts_at_ms[device_id] = max(one.received_at_ms, facts_at_ms.get(device_id, 0))
    return {desk.device_id: _word(desk, facts_at_ms.get(desk.device_id), known_at_ms, now_ms) for desk in desks}


def _word(desk: DeskRow, fact_at_ms: int | None, known_at_ms: int, now_ms: int) -> DeskWord:
    if desk.told_at is not None and (told_at_ms := wall_ms(desk.told_at)) <= known_at_ms:
        linked = is_linked(told_at_ms, now_ms)
        return DeskWord(name=desk.name, heard_at_ms=told_at_ms, waiting=desk.waiting, is_linked=linked)
    seen_at_ms = wall_ms(desk.last_seen_at) if desk.last_seen_at is not None else None
    heard = [ms for ms in (fact_at_ms, seen_at_ms) if ms is not None and ms <= known_at_ms]
    return DeskWord(name=desk.name, heard_at_ms=max(heard, default=None))


def wall_ms(moment: datetime) -> int:
    """Give the UTC milliseconds of an aware moment, exactly; a part of a millisecond is cut off."""
    return (moment - _EPOCH) // timedelta(milliseconds=1)


def _in_bounds(moment: datetime, what: str) -> datetime:
    """The moment to the millisecond."""
    at_ms = wall_ms(moment)
    if not WALL_MS_MIN <= at_ms < WALL_MS_MAX:
        detail = f"Ask for a moment in the years {YEAR_MIN} to {YEAR_MAX} (UTC)"
        raise InvalidInput(detail, (FieldProblem(f"#query/{what}", detail),))
    return datetime_of(at_ms)
