"""The figures of analytics, as the use-cases give them; every one says what it counts. Docs: docs/analytics.md."""

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal


@dataclass(frozen=True, slots=True)
class Period:
    """Days of a centre, both included; `as_of`: until when anything is known."""

    first_day: date
    last_day: date
    as_of: datetime


@dataclass(frozen=True, slots=True)
class DayCount:
    """Children of a day: booked, and of them present, announced absent, or neither; `unbooked` came without."""

    day: date
    booked: int = 0
    attended: int = 0
    announced: int = 0
    unexplained: int = 0
    unbooked: int = 0


@dataclass(frozen=True, slots=True)
class Attendance:
    """Booking-based. Rates are shares of the child-days that were booked, null when there are none."""

    days: tuple[DayCount, ...]
    total: DayCount
    attendance_rate: float | None
    announced_rate: float | None
    unexplained_rate: float | None


@dataclass(frozen=True, slots=True)
class Mark:
    """A weekday (1 is Monday) and a minute of the day: children in and children booked, on average and at most."""

    weekday: int
    minute: int
    marks: int
    present: float
    present_most: int
    booked: float
    booked_most: int


@dataclass(frozen=True, slots=True)
class Occupancy:
    """Presence-based, beside bookings; on open days. `occupancy_rate`: child-time of capacity while it is open."""

    capacity: int
    open_days: int
    marks: tuple[Mark, ...]
    present_most: int
    occupancy_rate: float | None


@dataclass(frozen=True, slots=True)
class Quarter:
    """How many children came and left in the quarter of an hour that begins with a minute of the day."""

    minute: int
    came: int
    went: int


@dataclass(frozen=True, slots=True)
class Times:
    """Presence-based; punctuality compares the first arrival and the last departure of a booked day with its booking.

    On time is within a quarter of an hour. Minutes are positive when it was later than booked. Assumed departures
    count nowhere.
    """

    quarters: tuple[Quarter, ...]
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


@dataclass(frozen=True, slots=True)
class RoomUse:
    """Child-hours in a room; `rate` is their share of capacity times open hours; an empty id: nobody said the room."""

    room_id: str
    name: str
    capacity: int
    child_hours: float
    rate: float | None


@dataclass(frozen=True, slots=True)
class AgeUse:
    """Child-hours of children of an age in whole years; null: nobody said when they were born."""

    years: int | None
    child_hours: float


@dataclass(frozen=True, slots=True)
class Rooms:
    """Presence-based: utilisation by room and by age."""

    open_hours: float
    rooms: tuple[RoomUse, ...]
    ages: tuple[AgeUse, ...]


@dataclass(frozen=True, slots=True)
class MonthRecords:
    """Entries (arrivals and departures) and stays of a month, and what of them an auditor asks about."""

    month: date
    entries: int
    attested: int
    retroactive: int
    sent_late: int
    stays: int = 0
    assumed: int = 0
    disputed: int = 0


@dataclass(frozen=True, slots=True)
class Records:
    """How entries were made. Shares are of entries; of stays for assumed and disputed ones."""

    retroactive_min: int
    late_min: int
    months: tuple[MonthRecords, ...]
    attested_share: float | None
    retroactive_share: float | None
    sent_late_share: float | None
    assumed_share: float | None
    disputed_share: float | None


@dataclass(frozen=True, slots=True)
class BreachFigure:
    """Too few adults in a room (an empty id: the centre, or nobody said) from a moment until another."""

    room_id: str
    room_name: str
    from_at: datetime
    to_at: datetime | None
    minutes: int
    children: int
    adults_missing_percent: int


@dataclass(frozen=True, slots=True)
class Breaches:
    """Presence-based, by the rules that hold today for each day."""

    count: int
    minutes: int
    days_with_any: int
    breaches: tuple[BreachFigure, ...]
    is_cut: bool


@dataclass(frozen=True, slots=True)
class UsageFigure:
    """Lines of usage of one service and kind; `amount` is a sum in the service's currency."""

    service_code: str
    kind: str
    lines: int
    quantity: Decimal
    unit: str
    amount: Decimal
    currency: str
    unpriced: int


@dataclass(frozen=True, slots=True)
class Usage:
    """Booking-based where there is one, presence-based for drop-ins and late pick-ups; as statements count."""

    rules_version: int
    figures: tuple[UsageFigure, ...]
    totals: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Anomaly:
    """What an auditor would look at, why, and the stays to look at."""

    kind: str
    at: datetime
    reason: str
    child_id: str | None
    staff_id: str | None
    stay_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Anomalies:
    """The latest first of each kind."""

    anomalies: tuple[Anomaly, ...]
    is_cut: bool


@dataclass(frozen=True, slots=True)
class CenterFigures:
    """One centre beside others; each as in the figures of its own."""

    as_of: datetime
    booked: int
    attendance_rate: float | None
    unexplained_rate: float | None
    occupancy_rate: float | None
    attested_share: float | None
    retroactive_share: float | None
    assumed_share: float | None


def share(part: float, whole: float) -> float | None:
    """Give a share, with four digits; None of nothing."""
    return round(float(part) / float(whole), 4) if whole else None
