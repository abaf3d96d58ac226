"""What the records of a centre say beside its events: for the shipped fold, and as days for the second reducer."""

from collections.abc import Iterable
from typing import Any

import msgspec

from sync.circumstances import Circumstances
from sync.intake import Intake
from sync.messages import SnapshotRecord
from sync.records import CenterRecord, ChildRecord, Entity, EventRecord, PickupRecord, StaffRecord
from sync.reference import circumstances_of, employment

_NO_CENTER = CenterRecord(code="", name="", time_zone="UTC")
_DECODERS: dict[str, msgspec.json.Decoder[Any]] = {
    Entity.CENTER: msgspec.json.Decoder(CenterRecord),
    Entity.CHILD: msgspec.json.Decoder(ChildRecord),
    Entity.PICKUP: msgspec.json.Decoder(PickupRecord),
    Entity.STAFF: msgspec.json.Decoder(StaffRecord),
}
_EVENT = msgspec.json.Decoder(EventRecord)


class Reference:
    """The records of one state of a log that judge its events."""

    def __init__(self, records: Iterable[SnapshotRecord], *, events: bool = True) -> None:
        self.center = _NO_CENTER
        self.children: dict[str, ChildRecord] = {}
        self.pickups: dict[str, list[PickupRecord]] = {}
        self.staff: dict[str, StaffRecord] = {}
        self.received_ms: dict[str, int] = {}
        for record in records:
            if record.entity == Entity.EVENT:
                if events:
                    self.received_ms[record.entity_id] = _EVENT.decode(record.body).received_at_ms
            elif record.entity in _DECODERS:
                self._take(record.entity_id, _DECODERS[record.entity].decode(record.body))
        self._employed = employment(self.staff, self.center.time_zone)

    def _take(self, key: str, record: Any) -> None:
        match record:
            case CenterRecord():
                self.center = record
            case ChildRecord():
                self.children[key] = record
            case PickupRecord():
                self.pickups.setdefault(record.child_id, []).append(record)
            case StaffRecord():
                self.staff[key] = record

    def known_of(self, subject_id: str) -> Circumstances:
        """As the server judges by them."""
        return circumstances_of(
            self.center,
            self.pickups.get(subject_id, ()),
            self.received_ms,
            child=self.children.get(subject_id),
            employed=self._employed,
        )

    def teach(self, intake: Intake) -> None:
        """Tell an intake, as the shipped one is told from the tables."""
        intake.learn(
            known_children=(), stored=(), pickups=self.pickups, children=self.children, employed=self._employed
        )

    def around(self, subject_id: str) -> dict[str, Any]:
        """As `tests.unit.sync.naive_circumstances` takes them."""
        plain = msgspec.to_builtins
        child = self.children.get(subject_id)
        return {
            "center": plain(self.center),
            "child": None if child is None else plain(child),
            "pickups": plain(self.pickups.get(subject_id, [])),
            "staff": plain(self.staff),
            "received": self.received_ms,
        }
