"""What this desk knows, in memory: the centre's records, and every fact by child, confirmed or its own.

The store is the truth; this is read from it at the start and kept in step by what the store says it did, so that
a roster of 500 children needs no query.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

import msgspec

from kiosk.services.made import Made, Order
from kiosk.services.own_facts import OwnOthers, counts_by_itself, fact_of_own, tells_the_same
from kiosk.services.surroundings import Surroundings, judges_by
from kiosk.services.witnessed import Witnessed
from kiosk.store.journal import OwnEntry
from kiosk.store.records import StoredRecord
from sync.attendance import ChildAttendance, EventKind, Fact, fold
from sync.change_log import Change, Operation
from sync.intake import fact_of_record
from sync.journal import Outcome
from sync.records import (
    AdultRecord,
    CenterRecord,
    ChildRecord,
    CredentialRecord,
    Entity,
    EventRecord,
    PickupRecord,
    PictureRecord,
    RoomRecord,
    StaffRecord,
)

_NOTHING: Final = CenterRecord(code="", name="", time_zone="UTC")
_DECODERS: Final[dict[str, msgspec.json.Decoder[Any]]] = {
    Entity.CENTER: msgspec.json.Decoder(CenterRecord),
    Entity.ROOM: msgspec.json.Decoder(RoomRecord),
    Entity.CHILD: msgspec.json.Decoder(ChildRecord),
    Entity.ADULT: msgspec.json.Decoder(AdultRecord),
    Entity.PICKUP: msgspec.json.Decoder(PickupRecord),
    Entity.STAFF: msgspec.json.Decoder(StaffRecord),
    Entity.EVENT: msgspec.json.Decoder(EventRecord),
    Entity.CREDENTIAL: msgspec.json.Decoder(CredentialRecord),
    Entity.PICTURE: msgspec.json.Decoder(PictureRecord),
}
_EVENT_KINDS: Final = frozenset(kind.value for kind in EventKind)


def is_of_a_child(entry: OwnEntry) -> bool:
    """Whether an entry tells what this desk recorded of a child; others tell of the desk, or of what it has seen."""
    return entry.kind in _EVENT_KINDS and entry.child_id != ""


class Confirmed(NamedTuple):
    """A fact that the server stored, and the name of the desk that recorded it."""

    fact: Fact
    device_name: str


@dataclass(frozen=True)
class News:
    """What a run of changes brought: events by (child, event), and whether anything else changed.

    `lost`: events that were known are no longer; what was told of them does not hold any more.
    """

    events: tuple[tuple[str, str], ...] = ()
    reference_changed: bool = False
    lost: bool = False


@dataclass
class Knowledge:
    """Everything this desk knows; `version` is the cursor it was read at."""

    device_id: str
    version: int = 0
    center: CenterRecord = _NOTHING
    rooms: dict[str, RoomRecord] = field(default_factory=dict)
    children: dict[str, ChildRecord] = field(default_factory=dict)
    adults: dict[str, AdultRecord] = field(default_factory=dict)
    pickups: dict[str, PickupRecord] = field(default_factory=dict)
    staff: dict[str, StaffRecord] = field(default_factory=dict)
    credentials: dict[str, CredentialRecord] = field(default_factory=dict)
    pictures: dict[str, PictureRecord] = field(default_factory=dict)
    _confirmed: dict[str, dict[str, Confirmed]] = field(default_factory=dict)
    _child_of_event: dict[str, str] = field(default_factory=dict)
    _own: dict[str, OwnEntry] = field(default_factory=dict)
    _own_facts: dict[str, dict[str, Fact]] = field(default_factory=dict)
    _others_waiting: set[str] = field(default_factory=set)
    witnessed: Witnessed = field(default_factory=Witnessed)
    _others: OwnOthers = field(default_factory=OwnOthers)
    _around: Surroundings = field(default_factory=Surroundings)
    # What was made of a child's facts, and the children whose facts may be others since.
    _made: dict[str, Made] = field(default_factory=dict)
    _stale: set[str] = field(default_factory=set)
    # Own entries without an answer; answered ones whose fact the log here does not hold yet; children to look at again.
    _waiting: set[str] = field(default_factory=set)
    _ahead: dict[str, OwnEntry] = field(default_factory=dict)
    _parked: dict[str, OwnEntry] = field(default_factory=dict)
    _stirred: set[str] = field(default_factory=set)

    # -- what is learnt

    def load(self, version: int, records: Iterable[StoredRecord], own: Sequence[OwnEntry]) -> News:
        """Begin anew from the store, also with outcomes that were taken back.

        Of the own entries known before, those that wait stay known: they were recorded while the store was read.
        """
        before = frozenset(self._child_of_event)
        self._stirred.update(self.children)
        self._ahead.clear()
        self.version = version
        self.center = _NOTHING
        for table in (
            self.rooms,
            self.children,
            self.adults,
            self.pickups,
            self.staff,
            self.credentials,
            self.pictures,
            self._confirmed,
            self._child_of_event,
        ):
            table.clear()
        self._around.clear()
        self._judge_anew(tuple(self._made))
        for record in records:
            self._put(record.entity, record.entity_id, record.body)
        self._forget_settled_but(frozenset(entry.event_id for entry in own))
        self._others_waiting.clear()
        self.witnessed.clear()
        for entry in own:
            self._put_own(entry)
        fresh = [event for event in self._child_of_event if event not in before]
        return News(
            self._told_of_children(fresh),
            reference_changed=True,
            lost=any(event not in self._child_of_event for event in before),
        )

    def apply(self, version: int, changes: Iterable[Change]) -> News:
        """Follow a page that was applied."""
        events: list[str] = []
        reference_changed = False
        for change in changes:
            if change.entity != Entity.EVENT:
                reference_changed = True
            elif change.operation is Operation.PUT and change.entity_id not in self._child_of_event:
                events.append(change.entity_id)
            if change.operation is Operation.PUT:
                self._put(change.entity, change.entity_id, change.body)
            else:
                self._remove(change.entity, change.entity_id)
        for entry in tuple(self._ahead.values()):
            if entry.version <= version:
                del self._ahead[entry.event_id]
                self._stir(entry.child_id)
        self.version = version
        return News(self._told_of_children(events), reference_changed)

    def _told_of_children(self, event_ids: Iterable[str]) -> tuple[tuple[str, str], ...]:
        """The children of those events that are known here; staff, visitors and roll-calls are on no roster."""
        told = []
        for event_id in event_ids:
            subject_id = self._child_of_event.get(event_id)
            if subject_id is None:
                continue
            event = self._confirmed[subject_id][event_id].fact.event
            if child_id := event.child_subject_id:
                told.append((child_id, event.event_id))
        return tuple(told)

    def add_own(self, entry: OwnEntry) -> None:
        """An entry of this desk; a settled one is never made unsettled again."""
        known = self._own.get(entry.event_id)
        if known is None or known.outcome is None or entry.outcome is not None:
            self._put_own(entry)

    def _put_own(self, entry: OwnEntry) -> None:
        if not is_of_a_child(entry):
            if entry.outcome is None:
                self._others_waiting.add(entry.event_id)
            else:
                self._others_waiting.discard(entry.event_id)
            if subject_id := self.witnessed.put(entry) or self._others.put(entry, self.device_id):
                self._stir(subject_id)
            return
        known = self._own.get(entry.event_id)
        self._own[entry.event_id] = entry
        if known is None or not tells_the_same(known, entry):
            fact = fact_of_own(entry, self.device_id)
            if fact is not None:
                self._own_facts.setdefault(entry.child_id, {})[entry.event_id] = fact
        if entry.outcome is Outcome.PARKED:
            self._parked[entry.event_id] = entry
        else:
            self._parked.pop(entry.event_id, None)
        if entry.outcome is None:
            self._waiting.add(entry.event_id)
        else:
            self._waiting.discard(entry.event_id)
        if entry.version > self.version:
            self._ahead[entry.event_id] = entry
        else:
            self._ahead.pop(entry.event_id, None)
        self._stir(entry.child_id)

    def _stir(self, child_id: str) -> None:
        """Something about a child is not what it was."""
        self._stale.add(child_id)
        self._stirred.add(child_id)

    def _judge_anew(self, child_ids: Iterable[str]) -> None:
        """The same facts of these may come to something else now."""
        for child_id in filter(None, child_ids):
            self._stir(child_id)
            if child_id in self._made:
                self._made[child_id].attendance = None

    def take_stirred(self) -> set[str]:
        """The children about whom something was learnt since this was last asked."""
        stirred, self._stirred = self._stirred, set()
        return stirred

    def _forget_settled_but(self, kept: frozenset[str]) -> None:
        self._others.forget_settled_but(kept)
        for entry in tuple(self._own.values()):
            if entry.outcome is not None and entry.event_id not in kept:
                del self._own[entry.event_id]
                self._ahead.pop(entry.event_id, None)
                self._parked.pop(entry.event_id, None)
                self._own_facts.get(entry.child_id, {}).pop(entry.event_id, None)

    def _put(self, entity: str, entity_id: str, body: bytes | str) -> None:
        """A record that this version cannot read is kept by the store and left out here."""
        try:
            record = _DECODERS[entity].decode(body)
        except (KeyError, ValueError, msgspec.DecodeError, UnicodeDecodeError):
            return
        match record:
            case EventRecord():
                self._put_event(entity_id, record)
            case CenterRecord():
                if judges_by(record) != judges_by(self.center):
                    self._judge_anew(tuple(self._made))
                self.center = record
            case RoomRecord():
                self.rooms[entity_id] = record
            case ChildRecord():
                self.children[entity_id] = record
                self._judge_anew((entity_id,))
            case AdultRecord():
                self.adults[entity_id] = record
            case PickupRecord():
                self.pickups[entity_id] = record
                self._judge_anew((self._around.put_pickup(entity_id, record),))
            case StaffRecord():
                self.staff[entity_id] = record
                if self._around.put_staff(entity_id, record):
                    self._judge_anew(tuple(self._made))
            case CredentialRecord():
                self.credentials[entity_id] = record
            case PictureRecord():
                self.pictures[entity_id] = record

    def _put_event(self, event_id: str, record: EventRecord) -> None:
        try:
            fact = fact_of_record(record)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return
        child_id = fact.event.subject_id
        self._confirmed.setdefault(child_id, {})[event_id] = Confirmed(fact, record.device_name)
        self._child_of_event[event_id] = child_id
        self._around.put_event(event_id, record.received_at_ms)
        self._judge_anew((child_id,))

    def _remove(self, entity: str, entity_id: str) -> None:
        match entity:
            case Entity.EVENT:
                child_id = self._child_of_event.pop(entity_id, "")
                self._confirmed.get(child_id, {}).pop(entity_id, None)
                self._around.remove_event(entity_id)
                self._stir(child_id)
            case Entity.ROOM:
                self.rooms.pop(entity_id, None)
            case Entity.CHILD:
                self.children.pop(entity_id, None)
                self._judge_anew((entity_id,))
            case Entity.ADULT:
                self.adults.pop(entity_id, None)
            case Entity.PICKUP:
                self.pickups.pop(entity_id, None)
                self._judge_anew((self._around.remove_pickup(entity_id),))
            case Entity.STAFF:
                self.staff.pop(entity_id, None)
                if self._around.remove_staff(entity_id):
                    self._judge_anew(tuple(self._made))
            case Entity.CREDENTIAL:
                self.credentials.pop(entity_id, None)
            case Entity.PICTURE:
                self.pictures.pop(entity_id, None)

    # -- what is known

    def attendance(self, child_id: str) -> ChildAttendance:
        """The fold of everything known of a child."""
        made = self._made_of(child_id)
        if made.attendance is None:
            known = self._around.of_child(child_id, self.center, self.children.get(child_id))
            made.attendance = fold(made.facts.values(), known)
        return made.attendance

    def facts(self, child_id: str) -> Mapping[str, Fact]:
        """Confirmed facts, and own and witnessed ones that no confirmed record tells of yet, by event id."""
        return self._made_of(child_id).facts

    def orders(self, child_id: str) -> Collection[Order]:
        """The places of the same facts in their order."""
        return self._made_of(child_id).orders()

    def _made_of(self, child_id: str) -> Made:
        """What is made of a child's facts: anew only when its facts are others.

        An answer, or the record of an own entry, changes how sure a fact is, and seldom the fact itself.
        """
        made = self._made.get(child_id)
        if made is not None and child_id not in self._stale:
            return made
        self._stale.discard(child_id)
        facts = self._merge(child_id)
        if made is None or made.facts != facts:
            made = self._made[child_id] = made.with_facts(facts) if made else Made(facts)
        return made

    def _merge(self, child_id: str) -> dict[str, Fact]:
        facts = {event_id: known.fact for event_id, known in self._confirmed.get(child_id, {}).items()}
        is_on_file = child_id in self.children
        for event_id, fact in self._own_facts.get(child_id, {}).items():
            if counts_by_itself(self._own[event_id], self.version, is_on_file=is_on_file):
                facts.setdefault(event_id, fact)
        seen = self.witnessed.counting(child_id, self.version, is_on_file=is_on_file)
        for event_id, fact in (*seen, *self._others.counting(child_id, self.version)):
            facts.setdefault(event_id, fact)
        return facts

    def subjects(self) -> frozenset[str]:
        """Everybody and everything of which a fact may be known: people, roll-calls, rooms."""
        known = (self._confirmed.keys(), self._own_facts.keys(), self.witnessed.subjects(), self._others.subjects())
        return frozenset().union(*known)

    def is_waiting(self, event_id: str) -> bool:
        """Whether an own event has no answer yet."""
        return event_id in self._waiting or event_id in self._others_waiting

    def heard_from(self) -> dict[str, tuple[str, int]]:
        """Of each other desk its name, and when the server got the last event from it that is here (UTC ms)."""
        heard: dict[str, tuple[str, int]] = {}
        for known in self._confirmed.values():
            for event_id, (fact, name) in known.items():
                at_ms = self._around.received_at_ms(event_id)
                if fact.device_id != self.device_id and at_ms > heard.get(fact.device_id, ("", -1))[1]:
                    heard[fact.device_id] = (name, at_ms)
        return heard

    def newest_own(self, child_id: str) -> OwnEntry | None:
        """The last entry of this desk for a child."""
        entries = [self._own[event_id] for event_id in self._own_facts.get(child_id, {})]
        return max(entries, key=lambda entry: (entry.hlc, entry.seq), default=None)

    def waiting(self) -> int:
        """How many entries of all journals have no answer yet, whatever they tell of."""
        return len(self._others_waiting) + len(self._waiting)

    def is_kept_aside(self, event_id: str) -> bool:
        """Whether the server keeps an own entry of a child for a person."""
        return event_id in self._parked

    def parked(self) -> list[OwnEntry]:
        """Own entries that the server keeps for a person."""
        return list(self._parked.values())

    def device_name(self, child_id: str, event_id: str) -> str:
        """The desk that recorded a confirmed event; empty for one that is only known here."""
        known = self._confirmed.get(child_id, {}).get(event_id)
        return known.device_name if known else ""

    def is_own(self, event_id: str) -> bool:
        """Whether this desk recorded the event."""
        return event_id in self._own
