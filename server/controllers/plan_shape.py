"""The part of a live board that is about plans, as HTTP gives it."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from server.core.clock import datetime_of
from server.schemas.live import (
    CallOut,
    NotHereListOut,
    NotHereOut,
    OverdueListOut,
    OverdueOut,
    PlanOut,
    RoomPlanOut,
)
from server.services.board import LiveBoard, Missed
from server.services.board_plan import FORECAST_STEP, LastCall


def not_here_out(board: LiveBoard, zone: ZoneInfo) -> NotHereListOut:
    """Give who has not come."""
    return NotHereListOut(
        count=board.not_here_count,
        announced=board.announced_count,
        items=[_missed_out(one, zone) for one in board.not_here],
    )


def overdue_out(board: LiveBoard, zone: ZoneInfo) -> OverdueListOut:
    """Give who is in after what was booked."""
    items = [
        OverdueOut(
            child_id=one.child_id,
            name=one.name,
            room_name=one.room_name,
            since=_moment(one.since_ms, zone),
            due_at=_moment(one.due_ms, zone),
        )
        for one in board.overdue
    ]
    return OverdueListOut(count=board.overdue_count, items=items)


def plan_out(board: LiveBoard, zone: ZoneInfo) -> PlanOut:
    """Give how many are expected where and when."""
    return PlanOut(
        rooms=[RoomPlanOut(room_id=one.room_id, now=one.now, today=one.today) for one in board.room_plans],
        starts_at=_moment(board.forecast.starts_at_ms, zone),
        step_min=FORECAST_STEP // timedelta(minutes=1),
        arrivals=list(board.forecast.arrivals),
        departures=list(board.forecast.departures),
    )


def _missed_out(one: Missed, zone: ZoneInfo) -> NotHereOut:
    call = one.call
    return NotHereOut(
        child_id=one.child_id,
        name=one.name,
        room_name=one.room_name,
        expected_at=None if one.expected_at_ms is None else _moment(one.expected_at_ms, zone),
        call=None if call is None else _call_out(call, zone),
    )


def _call_out(call: LastCall, zone: ZoneInfo) -> CallOut:
    return CallOut(at=call.at.astimezone(zone), by=call.by_name, result=call.result, note=call.note, calls=call.calls)


def _moment(wall_ms: int, zone: ZoneInfo) -> datetime:
    return datetime_of(wall_ms).astimezone(zone)
