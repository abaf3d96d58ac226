"""What is kept for how long, and the job that erases whom the law asks nobody to keep any more.

A child's file and its attendance are kept for `RETENTION_YEARS` after it left; then the child is erased as if somebody
had asked for it. What happened stays without a name. A legal hold keeps a child, whatever its age.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Final

import structlog

from server.core.asking import job_asks
from server.core.clock import Clock
from server.models.erasure import Erasure, ErasureKind, ErasureReason, ErasureState
from server.repositories import erasures, people, retention
from server.repositories.unit_of_work import UnitsOfWork
from server.services.erasing import erase
from server.services.mail_sender import KEPT
from server.services.sessions import IDLE_MAX

ACTOR: Final = "retention"
# Each is a transaction of its own; what is left over comes an hour later.
CHILDREN_A_RUN_MAX: Final = 20

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class DataClass:
    """A class of data, for how long it is kept, and how many rows are over."""

    name: str
    kept: str
    over: int


class Retention:
    """Ends the keeping of children who left long ago; the other classes have jobs of their own."""

    def __init__(self, units: UnitsOfWork, clock: Clock, new_id: Callable[[], str], years: int) -> None:
        """Keep children for so many years after they left; 0: until somebody erases them."""
        self._units = units
        self._clock = clock
        self._new_id = new_id
        self._years = years

    async def plan(self) -> list[DataClass]:
        """Say what is over in each class, and do nothing."""
        now = self._clock.now()
        async with self._units.read() as connection:
            over = await retention.count_over(connection, mails=now - KEPT, sessions=now - IDLE_MAX, now=now)
            children = 0 if not self._years else await retention.count_children_over(connection, before=self._before())
        kept = f"{self._years} years after they left" if self._years else "until somebody erases them"
        return [
            DataClass("children, with the adults nobody else needs", kept, children),
            DataClass("mails that were sent or given up", f"{KEPT.days} days", over["mails"]),
            DataClass("sessions of the API", f"{IDLE_MAX.days} days unused", over["sessions"]),
            DataClass("links of mails", "until they are over", over["links"]),
            DataClass("files of exports", "until they are taken, 7 days at most", over["exports"]),
            DataClass("counts of tries", "until they mean nothing", over["counts"]),
        ]

    async def run(self) -> int:
        """Erase children who left long enough ago, some at a time; gives how many.

        Raises:
            DatabaseUnavailable: the ones that were erased are; the next run goes on.

        """
        if not self._years:
            return 0
        async with self._units.read() as connection:
            due = await retention.children_over(connection, before=self._before(), limit=CHILDREN_A_RUN_MAX)
        return sum([await self._erase(center_id, child_id) for center_id, child_id in due])

    async def _erase(self, center_id: str, child_id: str) -> int:
        now = self._clock.now()
        async with self._units.begin(actor=ACTOR, origin="retention") as unit:
            await unit.lock_head(center_id)
            standing = await erasures.of_person(unit.session, center_id, child_id)
            held = await retention.children_over(unit.connection, before=self._before(), limit=CHILDREN_A_RUN_MAX)
            if (center_id, child_id) not in held:
                return 0  # it came back, or is held, since we looked
            erasure = standing or Erasure(
                center_id=center_id, id=self._new_id(), kind=ErasureKind.CHILD.value, person_id=child_id, state="",
                asked_at=now, asked_by=ACTOR,
            )  # fmt: skip
            erasure.state, erasure.reason = ErasureState.DONE.value, ErasureReason.RETENTION_OVER.value
            erasure.ended_at, erasure.ended_by, erasure.swept_at = now, ACTOR, now
            await people.add(unit.session, [erasure])
            await erase(unit, erasure)
            unit.note_change(center_id, job_asks(ACTOR), "erasure", erasure.id)
        _log.warning("person_erased", center=center_id, erasure=erasure.id, kind=erasure.kind, by=ACTOR)
        return 1

    def _before(self) -> date:
        return years_before(self._clock.now(), self._years)


def years_before(now: datetime, years: int) -> date:
    """Give the day so many years before today (UTC); of the 29th of February, the 28th."""
    today = now.astimezone(UTC).date()
    try:
        return today.replace(year=today.year - years)
    except ValueError:
        return today.replace(year=today.year - years, day=28)
