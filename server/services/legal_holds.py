"""Legal holds: of whom nothing may be erased, by no manager and by no job, until somebody lifts the hold."""

from collections.abc import Sequence
from typing import Final

import structlog

from server.core.clock import Clock
from server.core.errors import Conflict, NotFound
from server.models.erasure import LegalHold
from server.models.people import PersonKind
from server.models.rooms import Center
from server.repositories import erasures, people
from server.repositories.unit_of_work import UnitsOfWork
from server.services.access import User

__all__ = ["LegalHold", "LegalHolds"]

HOLDS_MAX: Final = 200

_log = structlog.get_logger(__name__)


class LegalHolds:
    """Places holds and lifts them."""

    def __init__(self, units: UnitsOfWork, clock: Clock) -> None:
        """Write through `units`."""
        self._units = units
        self._clock = clock

    async def of_center(self, center: Center) -> Sequence[LegalHold]:
        """Give the holds that stand."""
        async with self._units.begin() as unit:
            return await erasures.holds(unit.session, center.id)

    async def place(self, center: Center, user: User, hold_id: str, person_id: str, reason: str) -> LegalHold:
        """Hold a child or an adult; the same with the same id a second time changes nothing.

        Raises:
            NotFound: the centre has no such child or adult.
            Conflict: another hold has this id, or there are too many.

        """
        async with self._units.begin(actor=user.id, origin="api") as unit:
            # An erasure holds the head too: either it is over and nobody is there, or it sees the hold.
            await unit.lock_head(center.id)
            person = await people.find(unit.session, center.id, person_id)
            if person is None or person.kind == PersonKind.STAFF:
                raise NotFound("There is no such child or adult at this centre")
            standing = await erasures.find_hold(unit.session, center.id, hold_id)
            if standing is not None:
                if (standing.person_id, standing.reason) != (person_id, reason):
                    raise Conflict("Another hold has this id")
                return standing
            if len(await erasures.holds(unit.session, center.id)) >= HOLDS_MAX:
                raise Conflict(f"The centre has {HOLDS_MAX} holds, and that is all it can")
            hold = LegalHold(
                center_id=center.id, id=hold_id, person_id=person_id, reason=reason, placed_at=self._clock.now(),
                placed_by=user.id,
            )  # fmt: skip
            await people.add(unit.session, [hold])
        _log.info("legal_hold_placed", center=center.id, hold=hold_id, by=user.id)
        return hold

    async def lift(self, center: Center, user: User, hold_id: str) -> None:
        """Lift a hold, a second time too. Raises NotFound."""
        async with self._units.begin(actor=user.id, origin="api") as unit:
            await unit.lock_head(center.id)
            hold = await erasures.find_hold(unit.session, center.id, hold_id)
            if hold is None:
                raise NotFound("There is no such hold at this centre")
            if hold.lifted_at is None:
                hold.lifted_at, hold.lifted_by = self._clock.now(), user.id
        _log.info("legal_hold_lifted", center=center.id, hold=hold_id, by=user.id)
