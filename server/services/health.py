"""Whether this server can do its work."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from server.core.errors import Unavailable
from server.repositories import health
from server.repositories.unit_of_work import UnitsOfWork

ANSWER_DEADLINE_S: Final = 3.0


@dataclass(frozen=True, slots=True)
class Readiness:
    """What was checked, and in a word what came out."""

    checks: dict[str, str]

    @property
    def is_ready(self) -> bool:
        """Whether everything is fine."""
        return all(result == "ok" for result in self.checks.values())


class Health:
    """Asks the database."""

    def __init__(self, units: UnitsOfWork, wanted_revision: str | None, is_draining: Callable[[], bool]) -> None:
        """Expect the schema at `wanted_revision`; `is_draining` says that this server is about to stop."""
        self._units = units
        self._wanted = wanted_revision
        self._is_draining = is_draining

    async def readiness(self) -> Readiness:
        """Check database and schema, within three seconds; never raises for what it checks."""
        if self._is_draining():
            return Readiness({"server": "stopping"})
        try:
            async with asyncio.timeout(ANSWER_DEADLINE_S), self._units.read() as connection:
                found = await health.revision(connection)
        except (Unavailable, TimeoutError):
            return Readiness({"database": "does not answer"})
        schema = "ok" if found == self._wanted else f"is at {found}, {self._wanted} is needed"
        return Readiness({"database": "ok", "schema": schema})
