"""What it takes to write into the journal beside the database: the key, the clocks and the luck of this desk."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from kiosk.store.progress import Progress
from sync.incidents import INCIDENT_KIND, Detail, DeviceIncident, Incident, encode_incident
from sync.journal import Draft, Sign
from sync.limits import WALL_MS_MAX, WALL_MS_MIN
from sync.stamps import next_stamp

NO_CHILD: Final = ""


@dataclass(frozen=True, kw_only=True)
class Pen:
    """`new_id` gives a fresh UUID each time, in canonical form; `boot_id` says since when `monotonic_ms` counts."""

    sign: Sign
    new_id: Callable[[], str]
    monotonic_ms: Callable[[], int]
    boot_id: str

    def draft(self, progress: Progress, *, event_id: str, kind: str, body: bytes, wall_ms: int) -> Draft:
        """What this desk has to say at `wall_ms` of its clock, from where it stands."""
        return Draft(
            event_id=event_id,
            kind=kind,
            body=body,
            hlc=next_stamp(previous=progress.hlc, wall_ms=wall_ms),
            wall_ms=wall_ms,
            monotonic_ms=self.monotonic_ms(),
            boot_id=self.boot_id,
            base_epoch=progress.epoch,
            base_version=progress.version,
        )

    def incident(self, progress: Progress, incident: Incident, detail: Detail, *, wall_ms: int) -> Draft:
        """An entry about this device; the detail names no person."""
        event_id = self.new_id()
        body = encode_incident(
            DeviceIncident(
                event_id=event_id,
                incident=incident,
                occurred_at_ms=min(max(wall_ms, WALL_MS_MIN), WALL_MS_MAX),
                detail=detail,
            )
        )
        return self.draft(progress, event_id=event_id, kind=INCIDENT_KIND, body=body, wall_ms=wall_ms)
