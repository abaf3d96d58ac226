"""The stream of a parent: where their children are, as it changes."""

from datetime import datetime
from functools import partial
from typing import Annotated, Final
from zoneinfo import ZoneInfo

from fastapi import Header, Response
from fastapi.sse import EventSourceResponse, format_sse_event

from server.controllers.api_router import api_router
from server.controllers.dependencies import CurrentUser, GoodUntilMs, LiveHubDep, ServicesDep
from server.controllers.event_stream import EventStream
from server.core.clock import datetime_of
from server.schemas.my_live import MyLiveChildOut, MyLiveOut
from server.services.access import User
from server.services.bundle import Services
from server.services.family_live import FamilyNow, centers_of
from server.services.family_status import ChildNow
from server.services.live_hub import Frame, Seat, Topic

router = api_router("/my", tags=["families"])
_EVENT_ID_MAX: Final = 200
_STREAMED: Final = (
    "`event: children` with all my children as its data (MyLiveOut); `event: still` when nothing is new; "
    "`event: bye` with a reason at the end"
)


@router.get(
    "/live",
    # Not `response_class`: FastAPI would encode each event for each viewer anew.
    response_class=Response,
    responses={200: {"description": _STREAMED, "model": MyLiveOut, "content": {EventSourceResponse.media_type: {}}}},
)
async def my_live(
    user: CurrentUser,
    good_until_ms: GoodUntilMs,
    services: ServicesDep,
    hub: LiveHubDep,
    *,
    last_event_id: Annotated[str, Header(max_length=_EVENT_ID_MAX)] = "",
) -> Response:
    """Stream where my children are as it changes (guardian); each event tells all of them, and none needs another.

    The id of an event is made of the versions of the logs of their centres. A stream that resumes with a current
    `Last-Event-ID` begins with a comment, any other with an event. It ends with `event: bye` and a reason: `draining`,
    `rights_lost` (the session ended, or I have a role at other centres than before: connect again), `token_expired` or
    `failed`. A child whom I may not see any more is in no event after 5 seconds.
    """
    center_ids = await services.parents.live.open(user)
    topic = Topic(
        f"family {user.id} {' '.join(center_ids)}",
        center_ids,
        partial(_frame, services, user.id, center_ids),
        follows_rights=True,
    )
    seat = Seat(user.id, good_until_ms, partial(_has_still, center_ids), last_event_id, user.session_id)
    return EventStream(hub, hub.join(topic, seat))


def _has_still(center_ids: tuple[str, ...], user: User) -> bool:
    return centers_of(user) == center_ids


async def _frame(services: Services, user_id: str, center_ids: tuple[str, ...]) -> Frame:
    found = await services.parents.live.of(user_id, center_ids)
    out = _out(found)
    event = format_sse_event(event="children", data_str=out.model_dump_json(), id=found.mark)
    return Frame(found.mark, event, out.model_dump_json(exclude={"as_of"}).encode())


def _out(found: FamilyNow) -> MyLiveOut:
    return MyLiveOut(as_of=found.as_of, children=[_child_out(one) for one in found.children])


def _child_out(one: ChildNow) -> MyLiveChildOut:
    child, zone = one.child, ZoneInfo(one.child.time_zone)

    def local(wall_ms: int | None) -> datetime | None:
        return None if wall_ms is None else datetime_of(wall_ms).astimezone(zone)

    return MyLiveChildOut(
        id=child.child_id,
        center_id=child.center_id,
        center_name=child.center_name,
        given_name=child.given_name,
        family_name=child.family_name,
        preferred_name=child.preferred_name,
        status=one.status.value,
        since=local(one.since_ms),
        room_name=one.room,
        expected_from=None if one.due is None else one.due.starts_at.astimezone(zone),
        expected_to=None if one.due is None else one.due.ends_at.astimezone(zone),
        confirmed_by_desk=one.is_confirmed,
        disputed=one.is_disputed,
        sure=one.is_sure,
        known_until=local(one.known_until_ms),
        says=list(one.says),
    )
