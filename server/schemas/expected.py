"""Shapes of who should come; every time has the centre's own offset (RFC 3339)."""

from datetime import date, datetime

from pydantic import Field

from server.schemas.base import Output


class ExpectedTimeOut(Output):
    """When a child should be there: by a booking, or by a schedule whose day is not booked yet (`status` null)."""

    starts_at: datetime
    ends_at: datetime
    service_id: str
    service_code: str
    booking_id: str | None
    schedule_id: str | None
    status: str | None = Field(examples=["confirmed", "requested"])


class ExpectedChildOut(Output):
    """A child and its times of the day."""

    child_id: str
    given_name: str
    family_name: str
    preferred_name: str
    home_room_id: str | None
    times: list[ExpectedTimeOut]


class ExpectedOut(Output):
    """A day of a centre, the children by name."""

    center_id: str
    day: date
    is_closed: bool
    children: list[ExpectedChildOut]
