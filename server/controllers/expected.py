"""Who should come."""

from datetime import date
from typing import Annotated
from zoneinfo import ZoneInfo

from fastapi import Depends, Query

from server.controllers.api_router import api_router
from server.controllers.dependencies import ServicesDep, require_role
from server.schemas.expected import ExpectedChildOut, ExpectedOut, ExpectedTimeOut
from server.services.access import STAFF_AND_UP, Center
from server.services.expected import ExpectedChild

router = api_router("/centers/{center_id}/expected", tags=["planning"])
StaffedCenter = Annotated[Center, Depends(require_role(STAFF_AND_UP))]


@router.get("")
async def expected(
    center: StaffedCenter,
    services: ServicesDep,
    day: Annotated[date | None, Query(description="YYYY-MM-DD; today at the centre when left out")] = None,
) -> ExpectedOut:
    """List the children who have a place on a day, or whose schedule has it (staff). A request counts, waiting not."""
    found = await services.expected.of_day(center, day)
    zone = ZoneInfo(center.time_zone)
    return ExpectedOut(
        center_id=center.id,
        day=found.day,
        is_closed=found.is_closed,
        children=[_child_out(one, zone) for one in found.children],
    )


def _child_out(found: ExpectedChild, zone: ZoneInfo) -> ExpectedChildOut:
    child = found.child
    return ExpectedChildOut(
        child_id=child.id,
        given_name=child.given_name,
        family_name=child.family_name,
        preferred_name=child.preferred_name,
        home_room_id=child.home_room_id or None,
        times=[
            ExpectedTimeOut(
                starts_at=one.span.starts_at.astimezone(zone),
                ends_at=one.span.ends_at.astimezone(zone),
                service_id=one.service_id,
                service_code=one.service_code,
                booking_id=one.booking_id,
                schedule_id=one.schedule_id,
                status=one.status.value if one.status else None,
            )
            for one in found.times
        ],
    )
