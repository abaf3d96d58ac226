"""What guardians announced, and how it is suspended in the transaction of whoever decides that they may no more."""

from datetime import date
from zoneinfo import ZoneInfo

from server.core.clock import Clock
from server.models.people import PickupAuthorisation, PickupStatus
from server.models.rooms import Center
from server.repositories import guardian_accounts, people, pickups
from server.repositories.unit_of_work import UnitOfWork
from server.services import roster_records
from server.services.projections import refold
from server.services.roster_changes import note_status
from sync.records import Entity


def today_at(center: Center, clock: Clock) -> date:
    """Give the day it is at a centre."""
    return clock.now().astimezone(ZoneInfo(center.time_zone)).date()


async def suspend(unit: UnitOfWork, pickup: PickupAuthorisation, now_ms: int) -> None:
    """Let nobody be collected on an announcement from now on, tell every desk, and judge anew; heads are held."""
    note_status(pickup, PickupStatus.SUSPENDED, now_ms)
    pickup.status = PickupStatus.SUSPENDED.value
    await people.flush(unit.session)
    rows = await pickups.rows(unit.session, pickup.center_id, pickup.id)
    assert rows is not None, "an announcement has its relationship and its adult"
    unit.put(pickup.center_id, Entity.PICKUP, pickup.id, roster_records.pickup_record(pickup, rows[1]))
    await refold(unit.connection, pickup.center_id, [pickup.child_id])


async def suspend_of_adult(
    unit: UnitOfWork, clock: Clock, center: Center, adult_id: str, *, child_id: str | None = None
) -> None:
    """Suspend what an adult's account announced and what is not over: for one child, or for all of them."""
    link = await guardian_accounts.find(unit.session, center.id, adult_id)
    if link is None:
        return
    since = today_at(center, clock)
    for pickup in await pickups.announced(unit.session, center.id, announced_by=link.user_id, since=since):
        if child_id in (None, pickup.child_id):
            await suspend(unit, pickup, clock.wall_ms())
