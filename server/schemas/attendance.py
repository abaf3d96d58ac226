"""Shapes of attendance; every time has the centre's own offset (RFC 3339)."""

from datetime import date, datetime
from typing import Literal

from server.schemas.base import Output


class StayOut(Output):
    """One presence: the times as they were recorded, and the events that say so.

    `started_at` null: nobody saw the child come. `ended_at` null: the child is still in.
    """

    started_at: datetime | None
    ended_at: datetime | None
    disputed: bool
    check_in: str | None
    check_out: str | None
    corroborated_by: list[str]
    device_names: list[str]


class FindingOut(Output):
    """A contradiction that a person must settle."""

    kind: str
    critical: bool
    event_ids: list[str]


class EventOut(Output):
    """A fact: when it happened, when it was entered, and when the server got it."""

    event_id: str
    kind: str
    occurred_at: datetime
    recorded_at: datetime
    received_at: datetime
    device_id: str
    device_name: str
    adult_id: str
    adult_name: str
    auth_method: str
    identity_check: str
    outcome: str


class AnnouncedOut(Output):
    """A child that has not come is announced not to: from which day to which (both included), and why."""

    absence_id: str
    kind: str
    first_day: date
    last_day: date


class ChildAttendanceOut(Output):
    """A child's day; `absence`: it is announced for the day, and the child has come at no time of the absence."""

    child_id: str
    given_name: str
    family_name: str
    preferred_name: str
    home_room_id: str | None
    status: Literal["in", "out", "none"]
    absence: AnnouncedOut | None
    stays: list[StayOut]
    findings: list[FindingOut]
    events: list[EventOut]


class AsOf(Output):
    """What the answer is made from: a version of the centre's log, and when it was asked."""

    version: int
    time: datetime


class AttendanceOut(Output):
    """A day of a centre."""

    center_id: str
    day: date
    as_of: AsOf
    children_present: int
    children: list[ChildAttendanceOut]
