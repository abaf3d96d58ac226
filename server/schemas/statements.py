"""Shapes of what was used and what it comes to; every time has the centre's own offset (RFC 3339)."""

from datetime import date, datetime

from pydantic import Field

from server.schemas.base import Output
from server.schemas.offers import MoneyOut


class UsageLineOut(Output):
    """A line, with the ids of the booking, the stays and the events that it follows from.

    `amount` is null where no terms say what it costs, or where a person has to look first: see `remarks`.
    """

    kind: str = Field(
        examples=["attended", "no_show", "absent", "late_cancellation", "late_pick_up", "drop_in", "item"]
    )
    day: date
    service_id: str | None
    service_code: str | None
    unit: str
    quantity: str = Field(examples=["1", "7.25"])
    booked_from: datetime | None
    booked_to: datetime | None
    attended_from: datetime | None
    attended_to: datetime | None
    booking_id: str | None
    stay_ids: list[str]
    event_ids: list[str]
    terms_version: int | None
    rules_version: int
    amount: MoneyOut | None
    remarks: list[str] = Field(examples=[["assumed_departure"]])


class StatementOut(Output):
    """What a child used in a period.

    Lines of `locked_days` are as they were known when these were locked; on `adjusted_days` something became known
    since that would change them. `rules_version` is the newest version of the rules: a day that
    was locked under an older one has its lines by that.
    """

    center_id: str
    child_id: str
    first_day: date
    last_day: date
    as_of: datetime
    rules_version: int
    lines: list[UsageLineOut]
    totals: list[MoneyOut]
    unpriced_lines: int
    locked_days: list[date]
    adjusted_days: list[date]
