"""When children are announced not to come, who came all the same, and who is missing without a word."""

from datetime import date, datetime, time
from typing import Annotated
from uuid import UUID
from zoneinfo import ZoneInfo

from fastapi import Depends, Path, Query, Response, status

from server.controllers.api_router import api_router
from server.controllers.dependencies import CurrentUser, ServicesDep, require_role
from server.controllers.pagination import PageDep
from server.controllers.preconditions import ExpectedDep, set_etag
from server.schemas.absences import (
    AbsenceIn,
    AbsenceList,
    AbsenceOut,
    AbsenceTermsIn,
    AbsentChildOut,
    DayAbsenceList,
    DayAbsenceOut,
    FollowUpIn,
    FollowUpOut,
    MissingChildOut,
    MissingOut,
)
from server.services.absence_days import AbsenceFollowUp, CalledChild, FollowUp, FollowUpResult
from server.services.absences import Absence, AbsenceKind, Announcement, Terms, etag_of_absence
from server.services.access import STAFF_AND_UP, Center

router = api_router("/centers", tags=["absences"])
StaffedCenter = Annotated[Center, Depends(require_role(STAFF_AND_UP))]
ChildIdInPath = Annotated[UUID, Path(description="Id of a child of the centre")]
AbsenceIdInPath = Annotated[UUID, Path(description="Id of an absence of the child")]
Day = Annotated[date | None, Query(description="YYYY-MM-DD; today at the centre when left out")]
_OF_CHILD = "/{center_id}/children/{child_id}"


@router.get("/{center_id}/absences")
async def list_absences_of_day(
    center: StaffedCenter, services: ServicesDep, page: PageDep, day: Day = None
) -> DayAbsenceList:
    """List the absences that cover a day, with who has come all the same (staff)."""
    wanted, found = await services.absence_days.of_day(center, day)
    zone = ZoneInfo(center.time_zone)
    shown, cursor = page.part("absences of a day", found, lambda one: one.absence.id)
    items = [
        DayAbsenceOut(
            child=_child(one.child),
            absence=_absence(one.absence, zone),
            has_come=one.has_come,
            ended_at=_local(one.came_at, zone),
        )
        for one in shown
    ]
    return DayAbsenceList(day=wanted, items=items, next_cursor=cursor)


@router.get("/{center_id}/absences/unexplained")
async def list_unexplained(
    center: StaffedCenter,
    services: ServicesDep,
    page: PageDep,
    day: Day = None,
    by: Annotated[time | None, Query(description="HH:MM on the centre's clock; now when left out")] = None,
) -> MissingOut:
    """List who is expected on a day, has not come by a time and is announced by nobody, with the calls (staff).

    Expected are children on the roster, on weekdays, when the centre is not closed.
    """
    found = await services.absence_days.missing(center, day, by)
    zone = ZoneInfo(center.time_zone)
    shown, cursor = page.part("unexplained", found.children, lambda one: one.child.id)
    items = [
        MissingChildOut(
            child=_child(one.child),
            follow_ups=[_follow_up(call, zone) for call in one.follow_ups],
        )
        for one in shown
    ]
    return MissingOut(
        day=found.day,
        by=found.by.astimezone(zone),
        is_open=found.is_open,
        expected=found.expected,
        items=items,
        next_cursor=cursor,
    )


@router.post(_OF_CHILD + "/follow-ups", status_code=status.HTTP_201_CREATED)
async def note_follow_up(
    center: StaffedCenter, child_id: ChildIdInPath, user: CurrentUser, services: ServicesDep, body: FollowUpIn
) -> FollowUpOut:
    """Note that the family of a child was called that did not come, and what came of it (staff)."""
    said = FollowUp(str(body.follow_up_id), body.day, FollowUpResult(body.result), body.note)
    call = await services.absence_days.follow_up(center, user, str(child_id), said)
    return _follow_up(call, ZoneInfo(center.time_zone))


@router.get(_OF_CHILD + "/absences")
async def list_absences_of_child(
    center: StaffedCenter, child_id: ChildIdInPath, services: ServicesDep, page: PageDep
) -> AbsenceList:
    """List the last 200 absences of a child (staff)."""
    found = await services.absences.of_child(center, str(child_id))
    shown, cursor = page.part("absences of a child", found, lambda one: one.id)
    return AbsenceList(items=[_absence(one, ZoneInfo(center.time_zone)) for one in shown], next_cursor=cursor)


@router.post(_OF_CHILD + "/absences", status_code=status.HTTP_201_CREATED)
async def announce(
    center: StaffedCenter, child_id: ChildIdInPath, user: CurrentUser, services: ServicesDep, body: AbsenceIn
) -> AbsenceOut:
    """Announce that a child will not come (staff). Every desk shows it, and nobody looks for the child."""
    said = Announcement(
        absence_id=str(body.absence_id),
        first_day=body.first_day,
        last_day=body.last_day,
        terms=_terms(body),
        informed_at=body.informed_at,
        informed_by=body.informed_by,
    )
    found = await services.absences.announce(center, user, str(child_id), said)
    return _absence(found, ZoneInfo(center.time_zone))


@router.put(_OF_CHILD + "/absences/{absence_id}")
async def change(  # noqa: PLR0913 - each is a part of the request
    center: StaffedCenter,
    child_id: ChildIdInPath,
    absence_id: AbsenceIdInPath,
    user: CurrentUser,
    services: ServicesDep,
    *,
    body: AbsenceTermsIn,
    expected: ExpectedDep,
    response: Response,
) -> AbsenceOut:
    """Say why the child does not come, and what follows from it, in other words (staff; If-Match). The days stay."""
    found = await services.absences.change(
        center, user, child_id=str(child_id), absence_id=str(absence_id), terms=_terms(body), expected=expected
    )
    set_etag(response, etag_of_absence(found))
    return _absence(found, ZoneInfo(center.time_zone))


@router.post(_OF_CHILD + "/absences/{absence_id}/withdrawal")
async def withdraw(
    center: StaffedCenter,
    child_id: ChildIdInPath,
    absence_id: AbsenceIdInPath,
    user: CurrentUser,
    services: ServicesDep,
) -> AbsenceOut:
    """Take an announcement back: the child is expected again (staff)."""
    found = await services.absences.withdraw(center, user, str(child_id), str(absence_id))
    return _absence(found, ZoneInfo(center.time_zone))


def _terms(body: AbsenceTermsIn) -> Terms:
    return Terms(AbsenceKind(body.kind), body.justified, body.billable, body.note)


def _child(child: CalledChild) -> AbsentChildOut:
    return AbsentChildOut(
        child_id=child.id,
        given_name=child.given_name,
        family_name=child.family_name,
        preferred_name=child.preferred_name,
        home_room_id=child.home_room_id or None,
    )


def _follow_up(call: AbsenceFollowUp, zone: ZoneInfo) -> FollowUpOut:
    return FollowUpOut(
        follow_up_id=call.id,
        child_id=call.child_id,
        day=call.day,
        at=call.at.astimezone(zone),
        by=call.by_name,
        result=FollowUpResult(call.result).value,
        note=call.note,
    )


def _absence(row: Absence, zone: ZoneInfo) -> AbsenceOut:
    return AbsenceOut(
        absence_id=row.id,
        child_id=row.child_id,
        first_day=row.first_day,
        last_day=row.last_day,
        kind=AbsenceKind(row.kind).value,
        justified=row.justified,
        billable=row.billable,
        note=row.note,
        informed_at=_local(row.informed_at, zone),
        informed_by=row.informed_by,
        created_at=row.created_at.astimezone(zone),
        changed_at=row.changed_at.astimezone(zone),
        withdrawn_at=_local(row.withdrawn_at, zone),
        etag=f'"{etag_of_absence(row)}"',
    )


def _local(moment: datetime | None, zone: ZoneInfo) -> datetime | None:
    return None if moment is None else moment.astimezone(zone)
