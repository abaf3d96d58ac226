"""What this desk knows beside the events of a child, as the fold takes it: days, people, and when events arrived.

The server judges by the same records (`sync.reference`), so both find the same at one version of the log.
"""

from collections.abc import Mapping

from sync.circumstances import Circumstances, Span
from sync.records import CenterRecord, ChildRecord, PickupRecord, StaffRecord
from sync.reference import circumstances_of, employment


class Surroundings:
    """Pick-ups by child, who was on the staff when, and when the server got each event that it confirmed."""

    def __init__(self) -> None:
        """Know nothing yet."""
        self._pickups: dict[str, dict[str, PickupRecord]] = {}
        self._child_of_pickup: dict[str, str] = {}
        self._received_ms: dict[str, int] = {}
        self._staff: dict[str, StaffRecord] = {}
        # Made once for all children, and anew for another zone or other staff.
        self._employed: Mapping[str, tuple[Span, ...]] = {}
        self._employed_in: str | None = None

    def clear(self) -> None:
        """Forget everything."""
        self._pickups.clear()
        self._child_of_pickup.clear()
        self._received_ms.clear()
        self._staff.clear()
        self._employed_in = None

    def put_pickup(self, pickup_id: str, record: PickupRecord) -> str:
        """Take a pick-up in, and give the child whom it is about."""
        self.remove_pickup(pickup_id)
        self._pickups.setdefault(record.child_id, {})[pickup_id] = record
        self._child_of_pickup[pickup_id] = record.child_id
        return record.child_id

    def remove_pickup(self, pickup_id: str) -> str:
        """Forget a pick-up, and give the child whom it was about; empty when it was not known."""
        child_id = self._child_of_pickup.pop(pickup_id, "")
        self._pickups.get(child_id, {}).pop(pickup_id, None)
        return child_id

    def put_staff(self, person_id: str, record: StaffRecord) -> bool:
        """Take a member of staff in; says whether what they attest may be judged otherwise now."""
        before = self._staff.get(person_id)
        self._staff[person_id] = record
        return self._other_days(before, record)

    def remove_staff(self, person_id: str) -> bool:
        """Forget a member of staff; as `put_staff`."""
        return self._other_days(self._staff.pop(person_id, None), None)

    def _other_days(self, before: StaffRecord | None, after: StaffRecord | None) -> bool:
        old, new = ((one.employed_from or "", one.employed_to or "") if one else ("", "") for one in (before, after))
        if old != new:
            self._employed_in = None
        return old != new

    def put_event(self, event_id: str, received_at_ms: int) -> None:
        """The server got an event then (UTC milliseconds)."""
        self._received_ms[event_id] = received_at_ms

    def remove_event(self, event_id: str) -> None:
        """Forget an event."""
        self._received_ms.pop(event_id, None)

    def received_at_ms(self, event_id: str) -> int:
        """When the server got an event (UTC milliseconds); 0 when it is not known to have it."""
        return self._received_ms.get(event_id, 0)

    def of_child(self, child_id: str, center: CenterRecord, child: ChildRecord | None = None) -> Circumstances:
        """Say what is known of a child, with this record of it, beside its events."""
        if self._employed_in != center.time_zone:
            self._employed = employment(self._staff, center.time_zone)
            self._employed_in = center.time_zone
        pickups = self._pickups.get(child_id, {}).values()
        return circumstances_of(center, pickups, self._received_ms, child=child, employed=self._employed)


def judges_by(center: CenterRecord) -> tuple[object, ...]:
    """What of the centre's record events are judged by."""
    return (center.closures, center.locks, center.time_zone)
