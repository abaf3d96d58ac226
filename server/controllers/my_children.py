"""A guardian's children, and where they are."""

from datetime import datetime
from zoneinfo import ZoneInfo

from fastapi import Response

from server.controllers.api_router import api_router
from server.controllers.dependencies import CurrentUser, ServicesDep
from server.controllers.pagination import PageDep
from server.core.clock import datetime_of
from server.schemas.my_children import DeskHeardOut, HeardOut, MyChildList, MyChildOut, MyRightsOut, StatusOut
from server.services.my_children import MyChild

router = api_router("/my", tags=["families"])


@router.get("/children")
async def my_children(user: CurrentUser, services: ServicesDep, page: PageDep, response: Response) -> MyChildList:
    """List the children whom I may see, and where each is now, by which desks (guardian)."""
    response.headers["cache-control"] = "no-store"
    shown, cursor = page.part("my children", await services.parents.children.now(user), lambda one: one.child.child_id)
    return MyChildList(items=[_out(child) for child in shown], next_cursor=cursor)


def _out(mine: MyChild) -> MyChildOut:
    child = mine.child
    return MyChildOut(
        id=child.child_id,
        center_id=child.center_id,
        center_name=child.center_name,
        given_name=child.given_name,
        family_name=child.family_name,
        preferred_name=child.preferred_name,
        enrolled=child.enrolled,
        relationship=child.kind,
        rights=MyRightsOut(
            book=child.can_book,
            receive_notifications=child.receives_notifications,
            announce_pickups=child.legal_guardian,
        ),
        now=_status_out(mine),
    )


def _status_out(mine: MyChild) -> StatusOut:
    zone = ZoneInfo(mine.child.time_zone)

    def local(wall_ms: int | None) -> datetime | None:
        return None if wall_ms is None else datetime_of(wall_ms).astimezone(zone)

    return StatusOut(
        status=mine.whereabouts.value,
        since=local(mine.since_ms),
        room_name=mine.room,
        confirmed_by_desk=mine.is_confirmed,
        disputed=mine.is_disputed,
        as_of=mine.as_of.astimezone(zone),
        coverage=HeardOut(
            complete=mine.coverage.is_complete,
            desks=[
                DeskHeardOut(
                    name=desk.name, heard_until=local(desk.heard_until_ms), gap=desk.gap.value if desk.gap else None
                )
                for desk in mine.coverage.desks
            ],
        ),
    )
