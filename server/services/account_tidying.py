"""Takes away what is over: sessions, links that came by mail, counts of tries, and answers kept for repeats."""

from server.core.clock import Clock
from server.repositories import members, recoveries, request_keys, sessions, throttles
from server.repositories.unit_of_work import UnitsOfWork
from server.services import repeats
from server.services.sessions import IDLE_MAX
from server.services.throttles import FORGET_ROWS


class AccountTidying:
    """A job, which may be run by hand."""

    def __init__(self, units: UnitsOfWork, clock: Clock) -> None:
        """Work through `units`."""
        self._units = units
        self._clock = clock

    async def run(self) -> int:
        """Take away what is over, some thousands of rows at a time; gives how many rows."""
        now = self._clock.now()
        async with self._units.begin(origin="tidying") as unit:
            gone = await throttles.forget(unit.connection, now=now, rows_max=FORGET_ROWS)
            gone += await request_keys.forget(unit.connection, now=now, rows_max=repeats.FORGET_ROWS)
            gone += await sessions.forget(unit.session, now=now, used_before=now - IDLE_MAX)
            gone += await recoveries.forget(unit.session, now=now)
            gone += await members.forget_invitations(unit.session, now=now)
        return gone
