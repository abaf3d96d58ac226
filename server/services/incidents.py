"""What went wrong on the desks of a centre, and what a restore lost and got back: for people to look at."""

from dataclasses import dataclass

from server.models.rooms import Center
from server.repositories import incident_reading
from server.repositories.incident_reading import IncidentRow, RestoredLife
from server.repositories.unit_of_work import UnitsOfWork

__all__ = ["CenterIncidents", "IncidentRow", "Incidents", "RestoredLife"]

LISTED_MAX = 200


@dataclass(frozen=True, slots=True)
class CenterIncidents:
    """The newest incidents of a centre, and every restore of its log."""

    restores: tuple[RestoredLife, ...]
    incidents: tuple[IncidentRow, ...]


class Incidents:
    """Lists what devices told and what the server noticed; nothing here is ever changed."""

    def __init__(self, units: UnitsOfWork) -> None:
        """Read through `units`."""
        self._units = units

    async def of_center(self, center: Center) -> CenterIncidents:
        """Give the newest `LISTED_MAX` incidents of a centre, the newest first, and its restores in order."""
        async with self._units.read() as connection:
            restores = await incident_reading.restored_lives(connection, center.id)
            incidents = await incident_reading.newest(connection, center.id, limit=LISTED_MAX)
        return CenterIncidents(tuple(restores), tuple(incidents))
