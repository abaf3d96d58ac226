"""What this desk knows beside the events of a child, as the fold takes it: who may collect, and when events arrived.

The server judges by the same records (`sync.reference`), so both find the same at one version of the log.
"""

from sync.circumstances import Circumstances
from sync.records import CenterRecord, PickupRecord
from sync.reference import circumstances_of


class Surroundings:
    """Pick-ups by child, and when the server got each event that it confirmed."""

    def __init__(self) -> None:
        """Know nothing yet."""
        self._pickups: dict[str, dict[str, PickupRecord]] = {}
        self._child_of_pickup: dict[str, str] = {}
        self._received_ms: dict[str, int] = {}

    def clear(self) -> None:
        """Forget everything."""
        self._pickups.clear()
        self._child_of_pickup.clear()
        self._received_ms.clear()

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

    def put_event(self, event_id: str, received_at_ms: int) -> None:
        """The server got an event then (UTC milliseconds)."""
        self._received_ms[event_id] = received_at_ms

    def remove_event(self, event_id: str) -> None:
        """Forget an event."""
        self._received_ms.pop(event_id, None)

    def received_at_ms(self, event_id: str) -> int:
        """When the server got an event (UTC milliseconds); 0 when it is not known to have it."""
        return self._received_ms.get(event_id, 0)

    def of_child(self, child_id: str, center: CenterRecord) -> Circumstances:
        """Say what is known of a child beside its events."""
        return circumstances_of(center, self._pickups.get(child_id, {}).values(), self._received_ms)
