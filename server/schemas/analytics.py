"""Shapes of figures over long periods; docs/analytics.md defines each; times have the offset of the centre."""

from datetime import date, datetime

from pydantic import ConfigDict, Field

from server.schemas.base import Output
from server.schemas.offers import MoneyOut

_RATE = Field(ge=0, description="A share; null when there is nothing to share", examples=[0.9312])


class _FromFigures(Output):
    """Made from the figures of the use-case, name by name."""

    model_config = ConfigDict(frozen=True, from_attributes=True)


class FiguresOut(_FromFigures):
    """What every answer begins with: which days of the centre (both included), until when, and on what it is based.

    `basis`: `bookings` counts what was planned, `presence` who was in the building, `entries` what was written down.
    """

    center_id: str
    first_day: date
    last_day: date
    time_zone: str
    as_of: datetime
    basis: list[str] = Field(examples=[["bookings", "presence"]])


class DayCountOut(_FromFigures):
    """Children of a day: booked, of them present, announced absent, and neither; and those who came unbooked."""

    day: date
    booked: int
    attended: int
    announced: int
    unexplained: int
    unbooked: int


class AttendanceFiguresOut(FiguresOut):
    """Rates are shares of the child-days that were booked and are over."""

    attendance_rate: float | None = _RATE
    announced_rate: float | None = _RATE
    unexplained_rate: float | None = _RATE
    total: DayCountOut
    days: list[DayCountOut]


class MarkOut(_FromFigures):
    """A weekday (1 is Monday) and a minute of the day, at `marks` days: in and booked, on average and at most."""

    weekday: int
    minute: int
    marks: int
    present: float
    present_most: int
    booked: float
    booked_most: int


class OccupancyOut(FiguresOut):
    """How full the centre is on its open days; `capacity` is that of its rooms today."""

    capacity: int
    open_days: int
    present_most: int
    occupancy_rate: float | None = _RATE
    marks: list[MarkOut]


class QuarterOut(_FromFigures):
    """How many came and left in the quarter of an hour that begins with this minute of the day."""

    minute: int
    came: int
    went: int


class TimesOut(FiguresOut):
    """Arrivals and departures by time of day, and how they lie to the bookings (minutes; positive: later)."""

    arrivals: int
    early: int
    on_time: int
    late: int
    arrival_median_min: float | None
    departures: int
    after_end: int
    long_after_end: int
    minutes_after_end: int
    departure_median_min: float | None
    quarters: list[QuarterOut]


class RoomUseOut(_FromFigures):
    """Child-hours in a room; an empty id: nobody said which room."""

    room_id: str
    name: str
    capacity: int
    child_hours: float
    rate: float | None = _RATE


class AgeUseOut(_FromFigures):
    """Child-hours of children of an age in whole years; null: nobody said when they were born."""

    years: int | None
    child_hours: float


class RoomsOut(FiguresOut):
    """Utilisation by room and by age."""

    open_hours: float
    rooms: list[RoomUseOut]
    ages: list[AgeUseOut]


class MonthRecordsOut(_FromFigures):
    """Entries and stays of a month, named by its first day."""

    month: date
    entries: int
    attested: int
    retroactive: int
    sent_late: int
    stays: int
    assumed: int
    disputed: int


class RecordsOut(FiguresOut):
    """How entries were made: attested by staff, entered more than so many minutes afterwards, sent as much later."""

    retroactive_min: int
    late_min: int
    attested_share: float | None = _RATE
    retroactive_share: float | None = _RATE
    sent_late_share: float | None = _RATE
    assumed_share: float | None = _RATE
    disputed_share: float | None = _RATE
    months: list[MonthRecordsOut]


class BreachFigureOut(_FromFigures):
    """Too few adults; `adults_missing_percent`: in hundredths of an adult, at its worst."""

    room_id: str
    room_name: str
    from_at: datetime
    to_at: datetime | None
    minutes: int
    children: int
    adults_missing_percent: int


class BreachFiguresOut(FiguresOut):
    """Times with too few adults by the rules that hold for each day; `is_cut`: there are more than are listed."""

    count: int
    minutes: int
    days_with_any: int
    is_cut: bool
    breaches: list[BreachFigureOut]


class UsageFigureOut(Output):
    """Lines of usage of a service and a kind; an empty code: no service fits."""

    service_code: str
    kind: str
    lines: int
    quantity: str
    unit: str
    amount: MoneyOut | None
    unpriced: int


class UsageOut(FiguresOut):
    """What was used and what it comes to, by the rules of statements."""

    rules_version: int
    figures: list[UsageFigureOut]
    totals: list[MoneyOut]


class AnomalyOut(_FromFigures):
    """What to look at, why, and the stays it is about; `evidence` are the addresses of their evidence."""

    kind: str = Field(examples=["rounded_times", "while_closed", "at_two_centers"])
    at: datetime
    reason: str
    child_id: str | None
    staff_id: str | None
    stay_ids: list[str]
    evidence: list[str]


class AnomaliesOut(FiguresOut):
    """The latest first of each kind; `is_cut`: of a kind there are more than are listed."""

    is_cut: bool
    anomalies: list[AnomalyOut]


class CenterFiguresOut(_FromFigures):
    """The rates of a centre."""

    center_id: str
    code: str
    name: str
    as_of: datetime
    booked: int
    attendance_rate: float | None = _RATE
    unexplained_rate: float | None = _RATE
    occupancy_rate: float | None = _RATE
    attested_share: float | None = _RATE
    retroactive_share: float | None = _RATE
    assumed_share: float | None = _RATE


class CentersFiguresOut(Output):
    """The centres that you manage, by name; `is_cut`: there are more."""

    first_day: date
    last_day: date
    is_cut: bool
    items: list[CenterFiguresOut]
