"""The part of a live board that is about plans, as HTTP gives it."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from server.core.clock import datetime_of
from server.schemas.live import PlanOut, RoomPlanOut
from server.services.board import LiveBoard
from server.services.board_plan import FORECAST_STEP


def plan_out(board: LiveBoard, zone: ZoneInfo) -> PlanOut:
    """Give how many are expected where and when."""
    return PlanOut(
        expected=board.expected_count,
        rooms=[RoomPlanOut(room_id=one.room_id, now=one.now, today=one.today) for one in board.room_plans],
        starts_at=_moment(board.forecast.starts_at_ms, zone),
        step_min=FORECAST_STEP // timedelta(minutes=1),
        arrivals=list(board.forecast.arrivals),
        departures=list(board.forecast.departures),
    )


def _moment(wall_ms: int, zone: ZoneInfo) -> datetime:
    return datetime_of(wall_ms).astimezone(zone)
