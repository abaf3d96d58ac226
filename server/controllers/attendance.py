"""Who is in, who came and who left."""

from datetime import UTC, date, datetime, timedelta
from typing import Annotated
from uuid import UUID
from zoneinfo import ZoneInfo

from fastapi import Header, Query, Response

from server.controllers.api_router import api_router
from server.controllers.dependencies import CenterIdInQuery, CurrentUser, ServicesDep
from server.schemas.attendance import (
    AnnouncedOut,
    AsOf,
    AttendanceOut,
    ChildAttendanceOut,
    EventOut,
    FindingOut,
    StayOut,
)
from server.services.access import STAFF_AND_UP
from server.services.attendance import (
    AttendanceDay,
    ChildDay,
    DayAbsence,
    DayEvent,
)
from sync.attendance import Stay

router = api_router(tags=["attendance"])
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@router.get("/attendance", response_model=AttendanceOut, responses={304: {"description": "Nothing is new"}})
async def attendance(  # noqa: PLR0913 - each is a part of the request
    center_id: CenterIdInQuery,
    user: CurrentUser,
    services: ServicesDep,
    response: Response,
    *,
    day: Annotated[date | None, Query(description="YYYY-MM-DD; today at the centre when left out")] = None,
    child_id: Annotated[UUID | None, Query(description="One child only")] = None,
    if_none_match: Annotated[str | None, Header(max_length=200)] = None,
) -> AttendanceOut | Response:
    """Tell a centre's day: each child's status, stays, findings and events (staff).

    All times are as they were recorded, whenever they arrived. The answer has an ETag, which changes when the
    centre's log does.
    """
    center = await services.centers.entitled(user, str(center_id), STAFF_AND_UP)
    found = await services.attendance.of_day(center, day, str(child_id) if child_id else None)
    etag = f'W/"{found.epoch}.{found.version}.{found.day}"'
    if if_none_match == etag:
        return Response(status_code=304, headers={"etag": etag})
    response.headers["etag"] = etag
    return _day_out(found)


def _day_out(found: AttendanceDay) -> AttendanceOut:
    zone = ZoneInfo(found.center.time_zone)
    return AttendanceOut(
        center_id=found.center.id,
        day=found.day,
        as_of=AsOf(version=found.version, time=found.as_of.astimezone(zone)),
        children_present=found.children_present,
        children=[_child_out(child, zone, found.device_names) for child in found.children],
    )


def _child_out(day: ChildDay, zone: ZoneInfo, device_names: dict[str, str]) -> ChildAttendanceOut:
    child = day.child
    by_id = {event.fact.event.event_id: event.fact.device_id for event in day.events}
    return ChildAttendanceOut(
        child_id=child.id,
        given_name=child.given_name,
        family_name=child.family_name,
        preferred_name=child.preferred_name,
        home_room_id=child.home_room_id or None,
        status=day.presence.value,
        absence=_announced_out(day.absence),
        stays=[_stay_out(stay, zone, by_id, device_names) for stay in day.stays],
        findings=[
            FindingOut(kind=one.kind.value, critical=one.is_critical, event_ids=list(one.event_ids))
            for one in day.findings
        ],
        events=[_event_out(event, zone) for event in day.events],
    )


def _announced_out(found: DayAbsence | None) -> AnnouncedOut | None:
    if found is None:
        return None
    row = found.absence
    return AnnouncedOut(absence_id=row.id, kind=row.kind, first_day=row.first_day, last_day=row.last_day)


def _stay_out(stay: Stay, zone: ZoneInfo, devices: dict[str, str], names: dict[str, str]) -> StayOut:
    ends = [fact for fact in (stay.check_in, stay.check_out) if fact is not None]
    seen_by = [fact.device_id for fact in ends] + [devices.get(one, "") for one in stay.corroborated_by]
    return StayOut(
        started_at=_local(stay.started_at_ms, zone),
        ended_at=_local(stay.ended_at_ms, zone),
        disputed=stay.disputed,
        check_in=stay.check_in.event.event_id if stay.check_in else None,
        check_out=stay.check_out.event.event_id if stay.check_out else None,
        corroborated_by=list(stay.corroborated_by),
        device_names=list(dict.fromkeys(names[device] for device in seen_by if device in names)),
    )


def _event_out(event: DayEvent, zone: ZoneInfo) -> EventOut:
    said = event.fact.event
    return EventOut(
        event_id=said.event_id,
        kind=said.kind.value,
        occurred_at=_moment(said.occurred_at_ms, zone),
        recorded_at=_moment(said.recorded_at_ms, zone),
        received_at=_moment(event.record.received_at_ms, zone),
        device_id=event.fact.device_id,
        device_name=event.record.device_name,
        adult_id=said.adult_id,
        adult_name=said.adult_name,
        auth_method=said.auth_method,
        identity_check=said.identity_check,
        outcome=event.record.outcome,
    )


def _moment(wall_ms: int, zone: ZoneInfo) -> datetime:
    return (_EPOCH + timedelta(milliseconds=wall_ms)).astimezone(zone)


def _local(wall_ms: int | None, zone: ZoneInfo) -> datetime | None:
    return None if wall_ms is None else _moment(wall_ms, zone)
