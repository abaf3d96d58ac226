"""Shapes of what a centre offers; amounts are text with a currency, times of day the centre's own."""

from datetime import date, datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field

from server.schemas.base import Input, Line, Output

Weekdays = Annotated[
    list[Annotated[int, Field(ge=1, le=7)]],
    Field(min_length=1, max_length=7, description="ISO 8601: 1 is Monday", examples=[[1, 2, 3, 4, 5]]),
]
TimeText = Annotated[str, Field(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$", examples=["08:00"])]
AmountText = Annotated[str, Field(pattern=r"^[0-9]{1,7}(\.[0-9]{1,3})?$", examples=["12.50"])]
Percent = Annotated[int, Field(ge=0, le=100)]


class ServiceIn(Input):
    """A service as it shall be. A window whose end is not after its begin ends on the next day.

    Unit, currency and hours stay as they are once there are terms. `capacity` is how many children can have it at one
    moment. With `needs_approval` a booking by a parent waits for an answer.
    """

    code: Annotated[Line, Field(min_length=1, max_length=64)]
    name: Annotated[Line, Field(min_length=1, max_length=200)]
    unit: Literal["session", "hour", "half_day", "day", "item"]
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$", examples=["EUR"])]
    capacity: int = Field(ge=0, le=1_000)
    weekdays: Weekdays
    from_time: TimeText
    to_time: TimeText
    room_id: UUID | None = Field(default=None, strict=False)
    needs_approval: bool = False
    active: bool = True


class TermsIn(Input):
    """What a service costs. Percentages are of its price; `late_grace_min` of the minutes beyond the booked end.

    Hours are counted in steps of `rounding_min`, the last one as a whole. Without `requires_booking` a stay that nobody
    booked is a drop-in of the service.
    """

    price: AmountText
    late_minute_price: AmountText = "0"
    late_grace_min: int = Field(default=0, ge=0, le=240)
    no_show_percent: Percent = 100
    late_cancel_percent: Percent = 100
    cancel_free_hours: int = Field(default=24, ge=0, le=2_000)
    rounding_min: int = Field(default=15, ge=1, le=60)
    requires_booking: bool = True


class MoneyOut(Output):
    """An amount with all decimals of its currency."""

    amount: str = Field(examples=["12.50"])
    currency: str = Field(examples=["EUR"])


class TermsOut(Output):
    """Terms, and the day from which they hold; `version` is the one that lines of usage name."""

    effective_from: date
    version: int
    price: MoneyOut
    late_minute_price: MoneyOut
    late_grace_min: int
    no_show_percent: int
    late_cancel_percent: int
    cancel_free_hours: int
    rounding_min: int
    requires_booking: bool


class ServiceOut(Output):
    """A service and its terms, the earliest first."""

    id: str
    code: str
    name: str
    unit: str
    currency: str
    capacity: int
    weekdays: list[int]
    from_time: str
    to_time: str
    room_id: str | None
    needs_approval: bool
    active: bool
    terms: list[TermsOut]


class ServiceList(Output):
    """By code."""

    items: list[ServiceOut]
    next_cursor: str


class AvailableDayOut(Output):
    """A service on a day, at its fullest moment; requests hold places.

    Without times it does not take place; `is_closed` says whether that is because the centre is closed.
    """

    day: date
    starts_at: datetime | None
    ends_at: datetime | None
    is_closed: bool
    capacity: int
    confirmed: int
    requested: int
    waitlisted: int
    free: int


class AvailabilityOut(Output):
    """By day."""

    service_id: str
    items: list[AvailableDayOut]
