"""What it takes to erase somebody at a centre, in one transaction: the caller holds the centre's head.

At once go health notes, photos, cards, pick-ups, relationships, accounts' links, addresses, and every name. What
happened stays, of a person without a name: attendance for as long as the law asks, bookings for what was charged. Desks
hear of it by the log like of any change; behind the log's end, in journals and in facts, what spoke of the person is
emptied, and commitments and hashes stay, so that every chain still verifies.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import msgspec

from server.models.absences import AbsenceKind
from server.models.columns import TableRow
from server.models.erasure import Erasure, ErasureKind
from server.models.people import Person
from server.repositories import erasures, exports, people, scope
from server.repositories.erasures import EntryOf, HeldOf, SpokenOf
from server.repositories.journals import escaped
from server.repositories.unit_of_work import Connection, UnitOfWork
from server.services.erased_words import without_adult, without_words
from sync.attendance import decode_event
from sync.attendance_events import AttendanceEvent
from sync.intake import WITNESSED_KIND
from sync.records import Entity, EventRecord, encode_record

GIVEN_NAME: Final = "Erased"
FAMILY_NAME: Final = "child"
ENTRY: Final = "entry"
ALWAYS: Final = datetime(1970, 1, 1, tzinfo=UTC)
# Of 500 bytes each, in a unit that a desk takes as one whole (500 changes, 248 KiB).
EVENTS_A_UNIT: Final = 100

Without = Callable[[AttendanceEvent], AttendanceEvent | None]
_RECORD: Final = msgspec.json.Decoder(EventRecord)


@dataclass(frozen=True, slots=True)
class Erased:
    """Who goes with a person: adults whom nobody else needs, and the accounts that they had."""

    adults: Sequence[Person]
    held: HeldOf

    @property
    def account_ids(self) -> frozenset[str]:
        """Give whose words in events go, too."""
        return frozenset(link.user_id for link in self.held.accounts)


async def who_goes(unit: UnitOfWork, center_id: str, kind: ErasureKind, person_id: str) -> Erased:
    """Give everything that an erasure takes away, and whom besides the person."""
    if kind is ErasureKind.ADULT:
        held = HeldOf([], [], [], [], [], [], [], [], [], [], [])
        leaving = await erasures.people(unit.session, center_id, [person_id])
    else:
        held = await erasures.rows_of_child(unit.session, center_id, person_id)
        adult_ids = {one.adult_id for one in held.relationships} | {one.adult_id for one in held.pickups}
        needed = await erasures.adults_of_others(unit.connection, center_id, adult_ids, person_id)
        leaving = await erasures.people(unit.session, center_id, adult_ids - needed)
    await erasures.add_rows_of_people(unit.session, center_id, [person_id, *(one.id for one in leaving)], held)
    return Erased(leaving, held)


async def erase(unit: UnitOfWork, erasure: Erasure) -> None:
    """Erase a person at a centre; what is gone already changes nothing, so it can be done again."""
    center_id, kind = erasure.center_id, ErasureKind(erasure.kind)
    goes = await who_goes(unit, center_id, kind, erasure.person_id)
    gone = _take_records(unit, erasure, goes)
    await _forget_rows(unit, erasure, goes)
    unit.end_unit()
    await erasures.register(unit.connection, center_id, erasure.id, gone)
    await hide_words(unit, erasure, goes.account_ids, since=ALWAYS)


async def hide_words(unit: UnitOfWork, erasure: Erasure, account_ids: Collection[str], *, since: datetime) -> int:
    """Take names and notes out of what came in since then of an erased person; gives of how many events."""
    center_id = erasure.center_id

    def without(event: AttendanceEvent) -> AttendanceEvent | None:
        if erasure.kind == ErasureKind.ADULT:
            return without_adult(event)
        return without_words(event, account_ids)

    ids = [erasure.person_id]
    await erasures.forget_reasons(unit.connection, center_id, ids)
    spoken = await erasures.events_of(unit.connection, center_id, ids, since=since)
    bodies = _put_hidden(unit, center_id, spoken, without)
    entries = await erasures.entries_of(unit.connection, center_id, ids, since=since)
    names = [one.event_id for one in entries if one.body and _speaks(one, without)]
    records = [(Entity.EVENT.value, event_id) for event_id, _ in bodies] + [(ENTRY, name) for name in names]
    if not records and since != ALWAYS:
        return 0
    await erasures.register(unit.connection, center_id, erasure.id, sorted(set(records)))

    async def empty(connection: Connection) -> None:
        await erasures.empty(connection, center_id, erasure.id, bodies)

    unit.once_logged(empty)
    return len(bodies)


def _put_hidden(
    unit: UnitOfWork, center_id: str, spoken: Sequence[SpokenOf], without: Without
) -> list[tuple[str, bytes]]:
    """Put the records of events anew without what was typed; gives the events that changed, with their bytes."""
    bodies: list[tuple[str, bytes]] = []
    for one in spoken:
        record = _RECORD.decode(one.record)
        hidden = without(decode_event(bytes(record.event)))
        if hidden is None:
            continue
        body = encode_record(hidden)
        replaced = msgspec.structs.replace(record, event=msgspec.Raw(body))
        unit.put(center_id, Entity.EVENT, one.event_id, replaced, bucket=one.bucket)
        bodies.append((one.event_id, body))
        if len(bodies) % EVENTS_A_UNIT == 0:
            unit.end_unit()
    return bodies


def _speaks(entry: EntryOf, without: Without) -> bool:
    """Whether an entry holds what somebody typed, or cannot be read, so that nobody knows what it holds."""
    try:
        body = bytes(_RECORD.decode(entry.body).event) if entry.kind == escaped(WITNESSED_KIND) else entry.body
        return without(decode_event(body)) is not None
    except (msgspec.DecodeError, UnicodeDecodeError):
        return True


def _take_records(unit: UnitOfWork, erasure: Erasure, goes: Erased) -> list[tuple[str, str]]:
    """Take from the desks what they hold of the person and of who goes along; gives entity and id of each."""
    held = goes.held
    gone = [(Entity.PICKUP, one.id) for one in held.pickups]
    gone += [(Entity.CREDENTIAL, one.id) for one in held.credentials]
    gone += [(Entity.PICTURE, one.person_id) for one in held.photos]
    gone += [(Entity.ADULT, one.id) for one in goes.adults]
    if erasure.kind == ErasureKind.CHILD:
        gone.append((Entity.CHILD, erasure.person_id))
    for entity, entity_id in gone:
        unit.remove(erasure.center_id, entity, entity_id)
    # Also what was taken from the desks before, as the photo that somebody had once.
    past = [(Entity.PICTURE, person_id) for person_id in (erasure.person_id, *(one.id for one in goes.adults))]
    return [(entity.value, entity_id) for entity, entity_id in dict.fromkeys((*gone, *past))]


async def _forget_rows(unit: UnitOfWork, erasure: Erasure, goes: Erased) -> None:
    """Take the rows away, and the names from those that stay."""
    held = goes.held
    emails = sorted({one.email.lower() for one in goes.adults if one.email})
    if emails:
        await erasures.forget_addresses(unit.connection, erasure.center_id, emails)
    for absence in held.absences:
        absence.kind, absence.note, absence.informed_by = AbsenceKind.OTHER.value, "", ""
    for call in held.follow_ups:
        call.note = ""
    for booking in held.bookings:
        booking.reason = ""
    # Nothing is booked any more; bookings ahead end like those of any child that is not on the roster.
    today = (erasure.ended_at or ALWAYS).date()
    for schedule in held.schedules:
        if schedule.last_day is None or schedule.last_day > today:
            schedule.last_day = today
    await exports.end_of_erased(
        unit.connection,
        child_ids=[erasure.person_id],
        user_ids=sorted(goes.account_ids),
        at=erasure.ended_at or ALWAYS,
    )
    rows: list[TableRow] = [
        *held.credentials, *held.photos, *held.alerts, *held.pickups, *held.relationships, *held.accounts,
        *held.profiles,
    ]  # fmt: skip
    await scope.take_out(unit.session, rows, goes.adults)
    child = await people.find(unit.session, erasure.center_id, erasure.person_id)
    if child is not None:
        child.given_name, child.family_name, child.preferred_name = GIVEN_NAME, FAMILY_NAME, ""
        child.external_id, child.birth_date, child.phone, child.email = child.id, None, "", ""
        await people.flush(unit.session)
