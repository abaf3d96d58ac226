"""Entries of a desk's own, for tests of what it knows."""

from kiosk.store.journal import OwnEntry
from sync.attendance import encode_event
from sync.journal import Outcome, ParkReason
from tests.support.kiosk import CHILD_ID, INCARNATION, NOON_MS, event_of

TODAY = (NOON_MS - 1_000, NOON_MS + 1_000_000)


def own(number: int, outcome: Outcome | None, version: int = 0) -> OwnEntry:
    event = event_of(number)
    return OwnEntry(
        seq=number,
        event_id=event.event_id,
        kind=event.kind,
        child_id=CHILD_ID,
        body=encode_event(event).decode(),
        hlc=number,
        incarnation=INCARNATION,
        recorded_at_ms=NOON_MS + number,
        outcome=outcome,
        reason=ParkReason.NOT_PARKED,
        version=version,
    )
