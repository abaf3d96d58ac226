"""The pages of the dashboard. What they show comes from the API, which the browser asks with the same cookie."""

import dataclasses
from datetime import date
from typing import Annotated, Final, Literal
from uuid import UUID
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Form, Query, Request, Response

from server.controllers.dependencies import ServicesDep
from server.controllers.moment_field import read_moment
from server.controllers.page_route import (
    HOME,
    FormCenter,
    PageCenter,
    PageRoute,
    PageUser,
    framed,
    page_response,
    see_other,
)
from server.controllers.page_route import center_page_frame as _frame
from server.controllers.presence import presence_out
from server.services.access import STAFF_AND_UP
from server.web.qr import qr_picture

CENTER: Final = "/dashboard/centers/{center_id}"
# Each asks for a board of some 50 kB twice a minute.
CENTERS_SHOWN_MAX: Final = 60

root = APIRouter(include_in_schema=False)
router = APIRouter(route_class=PageRoute, include_in_schema=False)
# As a `datetime-local` field sends it; empty: now. What is longer than a time is said at the field.
LocalTime = Annotated[str, Query(max_length=1_000)]


@root.get("/")
async def beginning() -> Response:
    """Lead people who typed the server's name alone to the dashboard."""
    return see_other(HOME)


@router.get(HOME)
async def home(request: Request, user: PageUser, services: ServicesDep) -> Response:
    """Lead to the centre where the reader works; where there are several, show them at a glance."""
    visible = await services.centers.visible_to(user)
    mine = [center for center, roles in visible if roles & STAFF_AND_UP]
    if len(mine) == 1:
        return see_other(CENTER.format(center_id=mine[0].id))
    if not mine:
        return page_response("nothing_here", framed(request, services, user, title="Nothing here yet"))
    frame = framed(request, services, user, title="Your centres", script="centers.js")
    shown = mine[:CENTERS_SHOWN_MAX]
    return page_response("centers", frame, centers=shown, is_cut=len(shown) < len(mine))


@router.get(f"{CENTER}")
async def live(
    request: Request,
    center: PageCenter,
    user: PageUser,
    services: ServicesDep,
    wall: Annotated[Literal["1"] | None, Query()] = None,
) -> Response:
    """Show what is going on at a centre now; with `wall=1` without a name, to hang on a wall."""
    frame = _frame(request, services, user, center, title="Now", section="live", script="live.js")
    return page_response("live", dataclasses.replace(frame, wall=wall is not None))


@router.get(f"{CENTER}/reviews")
async def reviews(
    request: Request,
    center: PageCenter,
    user: PageUser,
    services: ServicesDep,
    state: Annotated[Literal["open", "answered"], Query()] = "open",
) -> Response:
    """Show the findings with both sides' evidence, and let a manager answer."""
    frame = _frame(request, services, user, center, title="Findings", section="reviews", script="reviews.js")
    return page_response("reviews", frame, state=state)


@router.get(f"{CENTER}/children/{{child_id}}")
async def child(
    request: Request,
    center: PageCenter,
    user: PageUser,
    services: ServicesDep,
    child_id: UUID,
    day: Annotated[date | None, Query()] = None,
) -> Response:
    """Show a child's day: its photo, stays, and every event behind them."""
    await services.attendance.of_day(center, day, str(child_id))
    photo = await services.photos.tag_of_child(center, str(child_id))
    frame = _frame(request, services, user, center, title="A child's day", section="", script="timeline.js")
    shown_day = day.isoformat() if day else ""
    return page_response("child", frame, child_id=str(child_id), day=shown_day, photo=photo[:16])


@router.get(f"{CENTER}/devices")
async def devices(request: Request, center: PageCenter, user: PageUser, services: ServicesDep) -> Response:
    """Show the desks: when each was heard, what waits there, how its clock is."""
    frame = _frame(request, services, user, center, title="Devices", section="devices", script="devices.js")
    return page_response("devices", frame)


@router.post(f"{CENTER}/devices/enrolment-code")
async def enrolment_code(
    request: Request,
    center: FormCenter,
    user: PageUser,
    services: ServicesDep,
    *,
    device_name: Annotated[str, Form(max_length=200)] = "",
) -> Response:
    """Make a one-time code for a new desk, and show it this once (manager)."""
    made = await services.enrolment.new_code(center, device_name)
    command = f"rollcall-kiosk enrol --server {request.app.state.base_url} --code {made.code}"
    return page_response(
        "enrolment_code",
        _frame(request, services, user, center, title="A code", section="devices", script=""),
        device_name=device_name.strip(),
        code=made.code,
        expires_at=made.expires_at.astimezone(ZoneInfo(center.time_zone)),
        command=command,
        qr=qr_picture(command),
    )


@router.get(f"{CENTER}/present")
async def present(
    request: Request,
    center: PageCenter,
    user: PageUser,
    services: ServicesDep,
    *,
    at: LocalTime = "",
    known_at: LocalTime = "",
) -> Response:
    """Show who is in now, or was in at any moment, as a list to print; it needs no script."""
    zone, now = ZoneInfo(center.time_zone), services.presence.now()
    fields = {"at": read_moment(at, zone, now), "known_at": read_moment(known_at, zone, now)}
    is_wrong = any(field.problem for field in fields.values())
    found = None
    if not is_wrong:
        found = presence_out(await services.presence.at(center, fields["at"].moment, fields["known_at"].moment))
    return page_response(
        "present",
        _frame(request, services, user, center, title="Who was in", section="present", script=""),
        status=422 if is_wrong else 200,
        found=found,
        is_now=found is not None and fields["at"].moment is None,
        fields=fields,
        now_local=now.astimezone(zone).strftime("%Y-%m-%dT%H:%M"),
    )
