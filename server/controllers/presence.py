"""Who was in the building when, and as was known when; roll-calls; headcounts."""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Annotated
from uuid import UUID
from zoneinfo import ZoneInfo

from fastapi import Query

from server.controllers.api_router import api_router
from server.controllers.dependencies import CenterIdInQuery, CurrentUser, ServicesDep
from server.controllers.pagination import PageDep
from server.schemas.presence import (
    CountOut,
    CoverageOut,
    DeskCoverageOut,
    HeadcountsOut,
    MarkedOut,
    MarkWordOut,
    Moment,
    PresenceOut,
    PresentOut,
    RollCallList,
    RollCallOut,
    RoomCountOut,
    RoomPresenceOut,
    SaidOut,
    UnmarkedOut,
)
from server.services.access import STAFF_AND_UP
from server.services.presence import Names, PresenceReport
from server.services.rollcalls import CoveredRollCall, RollCalls
from sync.attendance import Fact
from sync.desk_coverage import Coverage
from sync.presence import Group, Present
from sync.rollcall import Marked, RollCall, RollMark, RoomCount

router = api_router(tags=["attendance"])
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
DayInQuery = Annotated[date | None, Query(description="YYYY-MM-DD; today at the centre when left out")]


@router.get("/attendance/presence")
async def presence(
    center_id: CenterIdInQuery,
    user: CurrentUser,
    services: ServicesDep,
    at: Annotated[Moment | None, Query(description="RFC 3339 with an offset; now when left out")] = None,
    known_at: Annotated[Moment | None, Query(description="The same; what the server had received by then")] = None,
) -> PresenceOut:
    """Tell who was in the building at a moment, as was known at another (staff).

    Every event that the server had received by `known_at` counts with its own time, whenever it arrived; `known_at`
    may lie before `at`. Names are today's. `coverage` says which desks could hold something that is not here.
    """
    center = await services.centers.entitled(user, str(center_id), STAFF_AND_UP)
    return presence_out(await services.presence.at(center, at, known_at))


@router.get("/rollcalls")
async def rollcalls(
    center_id: CenterIdInQuery, user: CurrentUser, services: ServicesDep, page: PageDep, day: DayInQuery = None
) -> RollCallList:
    """List the roll-calls that began on a day, each merged from all desks (staff)."""
    center = await services.centers.entitled(user, str(center_id), STAFF_AND_UP)
    found = await services.rollcalls.of_day(center, day)
    shown, cursor = page.part(
        "rollcalls", [_rollcall_out(one, found) for one in found.rollcalls], lambda one: one.rollcall_id
    )
    return RollCallList(items=list(shown), next_cursor=cursor)


@router.get("/rollcalls/{rollcall_id}")
async def one_rollcall(
    rollcall_id: UUID, center_id: CenterIdInQuery, user: CurrentUser, services: ServicesDep
) -> RollCallOut:
    """Tell one roll-call, merged from all desks, with who was in and has not been marked (staff)."""
    center = await services.centers.entitled(user, str(center_id), STAFF_AND_UP)
    found = await services.rollcalls.one(center, str(rollcall_id))
    return _rollcall_out(found.rollcalls[0], found)


@router.get("/headcounts")
async def headcounts(
    center_id: CenterIdInQuery, user: CurrentUser, services: ServicesDep, day: DayInQuery = None
) -> HeadcountsOut:
    """Tell the headcounts of a day, room by room; the last one of a room counts (staff)."""
    center = await services.centers.entitled(user, str(center_id), STAFF_AND_UP)
    found = await services.rollcalls.headcounts(center, day)
    zone = ZoneInfo(center.time_zone)
    return HeadcountsOut(
        center_id=center.id,
        day=found.day,
        rooms=[_count_out(room, found.names, found.device_names, zone) for room in found.rooms],
        coverage=_coverage_out(found.coverage, zone, {}),
    )


def presence_out(found: PresenceReport) -> PresenceOut:
    """Give the shape of who was in."""
    zone, certain = ZoneInfo(found.center.time_zone), found.presence.certain

    def listed(present: Sequence[Present]) -> list[PresentOut]:
        shown = [_present_out(one, found.names, zone) for one in present]
        return sorted(shown, key=lambda one: (one.name.casefold(), one.id))

    return PresenceOut(
        center_id=found.center.id,
        at=found.at.astimezone(zone),
        known_at=found.known_at.astimezone(zone),
        version=found.version,
        children=listed([one for one in certain if one.group is Group.CHILD]),
        staff=listed([one for one in certain if one.group is Group.STAFF]),
        visitors=listed([one for one in certain if one.group is Group.VISITOR]),
        perhaps=listed(found.presence.perhaps),
        rooms=_rooms_out(certain, found.names),
        coverage=_coverage_out(found.coverage, zone, found.arrived_later),
    )


def _present_out(one: Present, names: Names, zone: ZoneInfo) -> PresentOut:
    person = names.people.get(one.subject_id)
    return PresentOut(
        id=one.subject_id,
        name=_name(one.subject_id, names) or one.name,
        preferred_name=person.preferred_name if person else "",
        room_id=one.room_id or None,
        room_name=names.rooms.get(one.room_id, ""),
        since=_local(one.since_ms, zone),
        in_room_since=_local(one.room_since_ms, zone),
        until=_local(one.until_ms, zone),
        disputed=one.disputed,
        assumed=one.assumed,
        findings=[kind.value for kind in one.findings],
        event_ids=list(one.event_ids),
    )


def _rooms_out(present: Sequence[Present], names: Names) -> list[RoomPresenceOut]:
    """Every room that there is, those that are not on file any more, and last those of whom nobody said where."""
    found = {one.room_id for one in present}
    listed = [*names.rooms, *sorted(found - names.rooms.keys() - {""}), *(found & {""})]

    def count(room_id: str, group: Group) -> int:
        return sum(one.group is group and one.room_id == room_id for one in present)

    return [
        RoomPresenceOut(
            room_id=room_id or None,
            room_name=names.rooms.get(room_id, ""),
            children=count(room_id, Group.CHILD),
            staff=count(room_id, Group.STAFF),
            visitors=count(room_id, Group.VISITOR),
        )
        for room_id in listed
    ]


def _coverage_out(found: Coverage, zone: ZoneInfo, arrived_later: Mapping[str, int]) -> CoverageOut:
    return CoverageOut(
        at=_moment(found.at_ms, zone),
        complete=found.is_complete,
        desks=[
            DeskCoverageOut(
                device_id=desk.device_id,
                name=desk.name,
                heard_until=_local(desk.heard_until_ms, zone),
                waiting=desk.waiting,
                linked=desk.is_linked,
                gap=desk.gap.value if desk.gap else None,
                arrived_later=arrived_later.get(desk.device_id, 0),
            )
            for desk in found.desks
        ],
    )


def _rollcall_out(found: CoveredRollCall, all_found: RollCalls) -> RollCallOut:
    rollcall, names, zone = found.rollcall, all_found.names, ZoneInfo(all_found.center.time_zone)
    counts = {mark: sum(one.mark is mark for one in rollcall.marks) for mark in RollMark}
    return RollCallOut(
        rollcall_id=rollcall.rollcall_id,
        room_id=rollcall.room_id or None,
        room_name=names.rooms.get(rollcall.room_id, ""),
        begun_at=_moment(found.begun_at_ms, zone),
        started_at=_local(rollcall.started_at_ms, zone),
        ended_at=_local(rollcall.ended_at_ms, zone),
        starts=[_said_out(fact, all_found.device_names, zone) for fact in rollcall.starts],
        ends=[_said_out(fact, all_found.device_names, zone) for fact in rollcall.ends],
        present=counts[RollMark.PRESENT],
        missing=counts[RollMark.MISSING],
        elsewhere=counts[RollMark.ELSEWHERE],
        marks=[_marked_out(one, rollcall, all_found) for one in rollcall.marks],
        unmarked=[
            UnmarkedOut(id=one, name=_name(one, names) or all_found.called.get(one, "")) for one in rollcall.unmarked
        ],
        coverage=_coverage_out(found.coverage, zone, {}),
    )


def _marked_out(one: Marked, rollcall: RollCall, found: RollCalls) -> MarkedOut:
    zone = ZoneInfo(found.center.time_zone)
    said = [(word, _said_out(word, found.device_names, zone)) for word in one.words]
    return MarkedOut(
        id=one.subject_id,
        name=_name(one.subject_id, found.names) or found.called.get(one.subject_id, ""),
        mark=one.mark.value,
        expected=one.subject_id not in rollcall.unexpected,
        disagreed=one.is_disagreed,
        words=[MarkWordOut(**out.model_dump(), mark=RollMark(word.event.mark).value) for word, out in said],
    )


def _count_out(room: RoomCount, names: Names, device_names: Mapping[str, str], zone: ZoneInfo) -> RoomCountOut:
    counts = [
        CountOut(**_said_out(fact, device_names, zone).model_dump(), headcount=fact.event.headcount or 0)
        for fact in room.counts
    ]
    return RoomCountOut(
        room_id=room.room_id or None,
        room_name=names.rooms.get(room.room_id, ""),
        latest=counts[-1],
        earlier=counts[:-1],
    )


def _said_out(fact: Fact, device_names: Mapping[str, str], zone: ZoneInfo) -> SaidOut:
    return SaidOut(
        event_id=fact.event.event_id,
        at=_moment(fact.at_ms, zone),
        device_id=fact.device_id,
        device_name=device_names.get(fact.device_id, ""),
        staff_id=fact.event.staff_id,
    )


def _name(person_id: str, names: Names) -> str:
    person = names.people.get(person_id)
    return f"{person.given_name} {person.family_name}".strip() if person else ""


def _moment(wall_ms: int, zone: ZoneInfo) -> datetime:
    return (_EPOCH + timedelta(milliseconds=wall_ms)).astimezone(zone)


def _local(wall_ms: int | None, zone: ZoneInfo) -> datetime | None:
    return None if wall_ms is None else _moment(wall_ms, zone)
