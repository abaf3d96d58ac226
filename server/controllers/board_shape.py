"""The live board as HTTP gives it, and its bytes, which are the same for all who get them."""

from datetime import datetime
from zoneinfo import ZoneInfo

from server.controllers import board_lists as lists
from server.controllers.board_lists import FIRST_MAX
from server.controllers.plan_shape import plan_out
from server.core.clock import datetime_of
from server.schemas.live import (
    BoardAllergiesOut,
    BoardCenterOut,
    BoardDeviceOut,
    BoardFindingOut,
    BoardFindingsOut,
    BoardLeftListOut,
    BoardNames,
    BoardOut,
    BoardRatioOut,
    BoardRoomOut,
    CountOut,
    CoveredOut,
    CurveOut,
    ListedChildrenOut,
    NotHereListOut,
    OverdueListOut,
    TotalsOut,
)
from server.services.board import Count, DeviceLine, LiveBoard, RoomBoard, RoomStatus, SaidFinding
from server.services.board_people import QUARTER_MS
from sync.ratio import RatioState
from sync.ratio_rules import WHOLE_PERCENT

MINUTE_MS = 60_000


def encoded_board(board: LiveBoard, names: BoardNames) -> tuple[bytes, bytes]:
    """Give the JSON of a board, and what of it matters: all but the moment at which it was made."""
    return _encoded(board_out(board) if names == "first" else nameless(board_out(board)))


def nameless(out: BoardOut) -> BoardOut:
    """Give a board as it is sent to a wall: every count and no list of people; desks and rooms keep their names."""
    lists = ("not_here", "overdue", "after_hours", "allergies", "left", "findings")
    return out.model_copy(update={key: getattr(out, key).model_copy(update={"items": []}) for key in lists})


def _encoded(out: BoardOut) -> tuple[bytes, bytes]:
    content = out.model_dump_json(exclude={"as_of"}).encode()
    # Written once and not twice: the moment stands in front of the rest.
    return b'{"as_of":"%s",%s' % (out.as_of.isoformat().encode(), content[1:]), content


def board_out(board: LiveBoard) -> BoardOut:
    """Give a board as clients get it."""
    zone = ZoneInfo(board.center.time_zone)
    return BoardOut(
        as_of=board.as_of.astimezone(zone),
        center=BoardCenterOut(id=board.center.id, name=board.center.name, time_zone=board.center.time_zone),
        epoch=board.mark.epoch,
        version=board.mark.version,
        coverage=CoveredOut(
            complete=board.covered.is_complete,
            bounded=board.covered.is_bounded,
            unconfirmed=board.covered.unconfirmed,
            says=list(board.covered.says),
        ),
        totals=TotalsOut(
            children=_count_out(board.children), staff=_count_out(board.staff), visitors=_count_out(board.visitors)
        ),
        ratio=_ratio_out(board.ratio, board.status, board.says),
        findings=_findings_out(board, zone),
        rooms=[_room_out(room) for room in board.rooms],
        without_room=None if board.without_room is None else _room_out(board.without_room),
        not_here=NotHereListOut(
            count=board.not_here_count,
            announced=board.announced_count,
            items=lists.not_here(board.not_here[:FIRST_MAX], zone),
        ),
        overdue=OverdueListOut(count=board.overdue_count, items=lists.overdue(board.overdue[:FIRST_MAX], zone)),
        plan=plan_out(board, zone),
        after_hours=ListedChildrenOut(
            count=board.after_hours_count, items=lists.after_hours(board.after_hours[:FIRST_MAX], zone)
        ),
        devices=[_device_out(one, zone) for one in board.devices],
        allergies=BoardAllergiesOut(count=board.allergies_count, items=lists.allergies(board.allergies[:FIRST_MAX])),
        curve=CurveOut(
            starts_at=_moment(board.curve.starts_at_ms, zone),
            step_min=QUARTER_MS // MINUTE_MS,
            children=list(board.curve.children),
            expected=list(board.curve.expected),
            capacity=board.curve.capacity,
        ),
        left=BoardLeftListOut(count=board.left_count, items=lists.left(board.left[:FIRST_MAX], zone)),
    )


def _count_out(count: Count) -> CountOut:
    return CountOut(certain=count.certain, least=count.least, most=count.most)


def _ratio_out(ratio: RatioState, status: RoomStatus, says: str) -> BoardRatioOut:
    return BoardRatioOut(
        status=status.value,
        reason=ratio.reason.value,
        says=says,
        counted_staff=ratio.counted_percent / WHOLE_PERCENT,
        staff_needed=ratio.staff_needed,
        children_allowed=ratio.children_allowed,
        children_more=ratio.children_more,
        group_cap=ratio.group_cap or None,
    )


def _room_out(room: RoomBoard) -> BoardRoomOut:
    return BoardRoomOut(
        room_id=room.room_id or None,
        name=room.name,
        capacity=room.capacity,
        over_capacity=room.is_over_capacity,
        children_count=_count_out(room.children_count),
        staff_count=room.staff_count,
        ratio=_ratio_out(room.ratio, room.status, room.says),
    )


def _findings_out(board: LiveBoard, zone: ZoneInfo) -> BoardFindingsOut:
    return BoardFindingsOut(
        critical=board.finding_counts.get("critical", 0),
        normal=board.finding_counts.get("normal", 0),
        set_aside=board.set_aside_count,
        items=[_finding_out(one, zone) for one in board.findings],
    )


def _finding_out(one: SaidFinding, zone: ZoneInfo) -> BoardFindingOut:
    line = one.line
    return BoardFindingOut(
        finding=line.finding,
        kind=line.kind,
        severity=line.severity,
        says=one.says,
        subject_id=line.subject_id,
        subject_name=line.subject_name,
        since=line.since.astimezone(zone) if line.since else None,
        found_at=line.found_at.astimezone(zone) if line.found_at else None,
    )


def _device_out(one: DeviceLine, zone: ZoneInfo) -> BoardDeviceOut:
    return BoardDeviceOut(
        device_id=one.device_id,
        name=one.name,
        state=one.state,
        heard_until=_local(one.heard_at_ms, zone),
        linked=one.is_linked,
        waiting=one.waiting,
        gap=one.gap.value if one.gap else None,
        position_at=_local(one.position_at_ms, zone),
        behind=one.behind,
        clock_offset_ms=one.clock_offset_ms,
        clock_suspect=one.is_clock_suspect,
    )


def _moment(wall_ms: int, zone: ZoneInfo) -> datetime:
    return datetime_of(wall_ms).astimezone(zone)


def _local(wall_ms: int | None, zone: ZoneInfo) -> datetime | None:
    return None if wall_ms is None else _moment(wall_ms, zone)
