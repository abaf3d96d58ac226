"""Entries that the server kept aside, and what a manager decides of each: it is taken in after all, or it is dismissed.

An entry is kept aside when it cannot count as it stands: it is of a child who is not on file, of a desk that may no
longer record, or says something impossible. Nothing was lost then, and somebody has to look: a child may be in the
building of whom no list knows. Taking one in records an event of the server's own desk that tells the same, under the
account of whoever decides, for the child who was meant. What was kept aside never changes.

An entry about a child who is not on file counts on the desk that told it, as long as the child is not there either. So
its answer takes back what it told by a void, which every desk hears.
"""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import msgspec

from server.core.clock import Clock, ms_of, utc_offset_min
from server.core.errors import Conflict, InvalidInput, NotFound
from server.models.rooms import Center
from server.models.set_aside import SetAsideAnswer, SetAsideVerdict
from server.repositories import reviews, set_aside
from server.repositories.set_aside import SetAsideEntry
from server.repositories.unit_of_work import UnitsOfWork
from server.services.access import User
from server.services.server_desk import ServerDesk
from sync.attendance import AttendanceEvent, EventKind, check_event, corrected_at_ms, decode_event
from sync.intake import WITNESSED_KIND
from sync.journal import EntryOutcome, Outcome, ParkReason
from sync.limits import WALL_MS_MIN
from sync.records import EventRecord

__all__ = ["Kept", "SetAside", "SetAsideEntry", "SetAsideVerdict", "TakenIn", "Verdict"]

CAN_BE_TAKEN_IN: Final = frozenset({EventKind.CHECK_IN, EventKind.CHECK_OUT, EventKind.ROOM_MOVE})
# Every desk of a centre may have told of one event, in each of its journals.
OF_ONE_EVENT_MAX: Final = 200
REASON_MAX: Final = 200
NOT_ON_FILE: Final = "not on file"
WHY: Final[dict[ParkReason, str]] = {
    ParkReason.UNKNOWN_KIND: "It is of a kind that this server does not know: update the server",
    ParkReason.UNREADABLE: "It cannot be read",
    ParkReason.IMPOSSIBLE_VALUE: "It says something impossible, such as a year that cannot be",
    ParkReason.UNKNOWN_REFERENCE: "The child is not on file here",
    ParkReason.WRONG_CENTER: "It is about another centre",
    ParkReason.ID_MISMATCH: "Another entry has its id, or it names an id that is not its own",
    ParkReason.DEVICE_NOT_ENTITLED: "The desk had been revoked",
    ParkReason.TOO_LARGE: "It is too large",
    ParkReason.LEASE_EXPIRED: "The desk had not heard the server for longer than it may",
}
_RECORD: Final = msgspec.json.Decoder(EventRecord)


@dataclass(frozen=True, slots=True)
class Kept:
    """An entry with the event in it (None: nobody can read it), and the child's name when there is one on file."""

    entry: SetAsideEntry
    event: AttendanceEvent | None
    child_name: str

    @property
    def can_be_taken_in(self) -> bool:
        """Whether an event can tell again what it told."""
        return self.event is not None and self.event.kind in CAN_BE_TAKEN_IN

    @property
    def why(self) -> str:
        """Why it was kept aside, in a sentence."""
        return WHY.get(self.entry.reason, "A person must look at it")


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is decided of an entry. Taken in it is of `child_id`, or of a child called `name` who is not on file (yet).

    Both are empty: of the child it names. `occurred_at` says otherwise when it happened; None: as it says.
    """

    entry_hash: bytes
    verdict: SetAsideVerdict
    child_id: str = ""
    name: str = ""
    occurred_at: datetime | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class TakenIn:
    """How many entries were answered at once, and the event that tells it now (empty when it was dismissed)."""

    entries: int
    event_id: str


class SetAside:
    """Lists what was kept aside, and takes decisions."""

    def __init__(self, units: UnitsOfWork, desk: ServerDesk, clock: Clock) -> None:
        """Write down through `desk`."""
        self._units = units
        self._desk = desk
        self._clock = clock

    async def page(
        self, center: Center, *, answered: bool | None, after: tuple[datetime, bytes] | None, limit: int
    ) -> list[Kept]:
        """Give entries of a centre, those that came last first; `answered` None: all of them."""
        async with self._units.read() as connection:
            found = await set_aside.page(connection, center.id, answered=answered, after=after, limit=limit)
            events = [event_of(entry) for entry in found]
            children = sorted({event.child_id for event in events if event is not None and event.child_id})
            names = await reviews.staff_names(connection, center.id, children)
        return [
            Kept(entry, event, names.get(event.child_id, "") if event else "")
            for entry, event in zip(found, events, strict=True)
        ]

    async def decide(self, center: Center, user: User, said: Verdict) -> TakenIn:
        """Decide what becomes of an entry, and of all others that tell of the same event; twice is the same as once.

        Raises:
            NotFound: the centre has no such entry, or no such child.
            InvalidInput: it cannot be taken in as it stands; the message says what to add.
            Conflict: it was decided otherwise.
            DatabaseUnavailable: it is not known whether it was stored; decide it again.

        """
        async with self._units.read() as connection:
            entry = await set_aside.find(connection, center.id, said.entry_hash)
            if entry is None:
                raise NotFound("There is no such entry")
            event = event_of(entry)
            alike = await set_aside.of_event(connection, center.id, entry.event_id, limit=OF_ONE_EVENT_MAX)
            on_file = await reviews.staff_names(connection, center.id, [event.child_id] if event else [])
        event_id = ""
        if said.verdict is SetAsideVerdict.TAKEN_IN:
            event_id = await self._take_in(center, user, entry, said, is_on_file=bool(on_file))
        if entry.verdict:
            if (entry.verdict, entry.answer_event_id) != (said.verdict, event_id):
                raise Conflict("It was decided otherwise: correct or void the event instead")
            return TakenIn(0, event_id)
        if entry.reason is ParkReason.UNKNOWN_REFERENCE and event is not None:
            await self._void(center, user, event, said.reason, is_on_file=bool(on_file))
        same = [one for one in alike if one.hash == entry.hash or event_of(one) == event]
        await self._keep(center, user, said, same, event_id)
        return TakenIn(len(same), event_id)

    async def _take_in(
        self, center: Center, user: User, entry: SetAsideEntry, said: Verdict, *, is_on_file: bool
    ) -> str:
        told = event_of(entry)
        if told is None or told.kind not in CAN_BE_TAKEN_IN:
            raise InvalidInput("Only arrivals, departures and moves of children can be taken in; dismiss it")
        child_id = said.child_id or told.child_id
        name = said.name or told.provisional_name
        if not said.child_id and not is_on_file and not name:
            raise InvalidInput("The child is not on file: say which child it is, or how the child is called")
        event_id = str(uuid.uuid5(uuid.UUID(told.event_id), f"taken in of {child_id}"))
        if entry.verdict:
            return event_id
        event = msgspec.structs.replace(
            told,
            event_id=event_id,
            center_id=center.id,
            child_id=child_id,
            provisional_name="" if said.child_id or is_on_file else name,
            occurred_at_ms=self._moment_ms(told, said.occurred_at),
            after_lease=False,
            clock_suspect=False,
        )
        outcome = await self._record(self._entered(event, center, user, f"from {entry.device_name}. {said.reason}"))
        if outcome.reason is ParkReason.UNKNOWN_REFERENCE:
            raise NotFound("There is no such child at this centre")
        return event_id

    async def _void(self, center: Center, user: User, told: AttendanceEvent, reason: str, *, is_on_file: bool) -> None:
        now_ms = self._clock.wall_ms()
        event = AttendanceEvent(
            event_id=str(uuid.uuid5(uuid.UUID(told.event_id), "set aside")),
            kind=EventKind.VOID,
            center_id=center.id,
            child_id=told.child_id,
            provisional_name="" if is_on_file else NOT_ON_FILE,
            occurred_at_ms=now_ms,
            recorded_at_ms=now_ms,
            supersedes=(told.event_id,),
            auth_method="account",
        )
        await self._record(self._entered(event, center, user, f"kept aside, and decided. {reason}"))

    def _entered(self, event: AttendanceEvent, center: Center, user: User, reason: str) -> AttendanceEvent:
        """The event as the server's own desk tells it, whose clock is right, for whoever entered it."""
        now_ms = self._clock.wall_ms()
        return msgspec.structs.replace(
            event,
            recorded_at_ms=now_ms,
            utc_offset_min=utc_offset_min(now_ms, center.time_zone),
            clock_offset_ms=0,
            clock_error_ms=0,
            reason=reason.strip()[:REASON_MAX],
            author_id=user.id,
            author=user.display_name,
        )

    async def _record(self, event: AttendanceEvent) -> EntryOutcome:
        try:
            check_event(event)
        except msgspec.ValidationError as error:
            raise InvalidInput(f"{error}") from None
        outcome = await self._desk.record(event)
        if outcome.outcome is Outcome.PARKED and outcome.reason is not ParkReason.UNKNOWN_REFERENCE:
            raise Conflict("There is another event with this id")
        return outcome

    def _moment_ms(self, told: AttendanceEvent, said: datetime | None) -> int:
        if said is not None and said.tzinfo is None:
            raise InvalidInput("A time needs an offset, such as +01:00")
        at_ms = corrected_at_ms(told) if said is None else ms_of(said)
        if not WALL_MS_MIN <= at_ms <= self._clock.wall_ms():
            raise InvalidInput("It would lie in the future, or before the year 2000: say when it happened")
        return at_ms

    async def _keep(
        self, center: Center, user: User, said: Verdict, same: Sequence[SetAsideEntry], event_id: str
    ) -> None:
        now = self._clock.now()
        async with self._units.begin(actor=user.id, origin="api") as unit:
            set_aside.add_answers(
                unit,
                [
                    SetAsideAnswer(
                        center_id=center.id,
                        entry_hash=one.hash,
                        verdict=said.verdict.value,
                        event_id=event_id or None,
                        reason=said.reason,
                        answered_at=now,
                        answered_by=user.id or None,
                    )
                    for one in same
                ],
            )


def event_of(entry: SetAsideEntry) -> AttendanceEvent | None:
    """Give the event in an entry, also in one that tells what its desk saw of another; None when it cannot be read."""
    try:
        body = bytes(_RECORD.decode(entry.body).event) if entry.kind == WITNESSED_KIND else entry.body
        return decode_event(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
