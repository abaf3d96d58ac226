"""What a centre offers, on what terms, who comes regularly, and who has a place when.

The names are those of the field: a service is offered, a schedule is a pattern that recurs, a booking is one dated
interval. Nothing here reaches a device.
"""

from datetime import date, datetime, time
from decimal import Decimal
from enum import StrEnum
from typing import Final

from sqlalchemy import (
    CheckConstraint,
    Column,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    Numeric,
    SmallInteger,
    UniqueConstraint,
    func,
    literal_column,
    text,
)
from sqlalchemy.dialects.postgresql import ExcludeConstraint
from sqlmodel import Field, SQLModel

from server.models.columns import CODE_MAX, NAME_MAX, TIMESTAMP, UUID_TEXT, one_of

# Room for a day of 24 hours on which the clocks are set back, and for zones that set them back by more than an hour.
BOOKING_HOURS_MAX: Final = 26
CAPACITY_MAX: Final = 1_000
MONEY: Final = Numeric(12, 3)
"""Up to 999,999,999 of a currency, with the three decimals that a few of them have."""


class ServiceUnit(StrEnum):
    """By what a service is counted: an item is a thing (a lunch), the others are time in the building."""

    SESSION = "session"
    HOUR = "hour"
    HALF_DAY = "half_day"
    DAY = "day"
    ITEM = "item"


class BookingStatus(StrEnum):
    """How a booking stands."""

    REQUESTED = "requested"
    WAITLISTED = "waitlisted"
    CONFIRMED = "confirmed"
    DECLINED = "declined"
    CANCELLED_BY_PARENT = "cancelled_by_parent"
    CANCELLED_BY_CENTRE = "cancelled_by_centre"
    ATTENDED = "attended"
    NO_SHOW = "no_show"


class BookingSource(StrEnum):
    """How a booking was made."""

    PARENT = "parent"
    STAFF = "staff"
    SCHEDULE = "schedule"


class EndCause(StrEnum):
    """Why a booking ended before it was used; empty: it did not."""

    NONE = ""
    PARENT = "parent"
    CENTRE = "centre"
    CLOSURE = "closure"
    SCHEDULE_ENDED = "schedule_ended"
    ENROLMENT_ENDED = "enrolment_ended"
    EXPIRED = "expired"


class Service(SQLModel, table=True):
    """What can be booked: on some weekdays (bit 0 is Monday), in a window of the centre's own time.

    A window whose end is not after its begin ends on the next day. `capacity` is how many children can have it at one
    moment. Unit, currency and hours stay as they are once there are terms: what was charged by them would mean
    something else.
    """

    __tablename__ = "service"
    __table_args__ = (
        ForeignKeyConstraint(["center_id", "room_id"], ["room.center_id", "room.id"]),
        UniqueConstraint("center_id", "code"),
        one_of("unit", ServiceUnit),
        CheckConstraint(f"capacity BETWEEN 0 AND {CAPACITY_MAX}", name="capacity"),
        CheckConstraint("weekdays BETWEEN 1 AND 127", name="weekdays"),
        CheckConstraint("currency ~ '^[A-Z]{3}$'", name="currency"),
    )

    center_id: str = Field(primary_key=True, foreign_key="center.id", sa_type=UUID_TEXT)
    id: str = Field(primary_key=True, sa_type=UUID_TEXT)
    code: str = Field(max_length=CODE_MAX)
    name: str = Field(max_length=NAME_MAX)
    unit: str = Field(max_length=16)
    currency: str = Field(max_length=3)
    capacity: int
    weekdays: int = Field(sa_type=SmallInteger)
    from_time: time
    to_time: time
    room_id: str | None = Field(default=None, sa_type=UUID_TEXT)
    needs_approval: bool = False
    active: bool = True
    created_at: datetime = Field(sa_type=TIMESTAMP)


class ServiceTerms(SQLModel, table=True):
    """What a service costs from a day of the centre's calendar on; `version` grows with every change of a service.

    Whoever comes without a booking has used it as a drop-in, unless it `requires_booking`.
    """

    __tablename__ = "service_terms"
    __table_args__ = (
        ForeignKeyConstraint(["center_id", "service_id"], ["service.center_id", "service.id"]),
        UniqueConstraint("center_id", "service_id", "version"),
        CheckConstraint("price >= 0 AND late_minute_price >= 0", name="money"),
        CheckConstraint("no_show_percent BETWEEN 0 AND 100", name="no_show_percent"),
        CheckConstraint("late_cancel_percent BETWEEN 0 AND 100", name="late_cancel_percent"),
        CheckConstraint("late_grace_min BETWEEN 0 AND 240", name="late_grace_min"),
        CheckConstraint("cancel_free_hours BETWEEN 0 AND 2000", name="cancel_free_hours"),
        CheckConstraint("rounding_min BETWEEN 1 AND 60", name="rounding_min"),
    )

    center_id: str = Field(primary_key=True, sa_type=UUID_TEXT)
    service_id: str = Field(primary_key=True, sa_type=UUID_TEXT)
    effective_from: date = Field(primary_key=True)
    version: int = Field(sa_type=Integer)
    price: Decimal = Field(sa_type=MONEY)
    late_minute_price: Decimal = Field(default=Decimal(0), sa_type=MONEY)
    late_grace_min: int = Field(default=0, sa_type=SmallInteger)
    no_show_percent: int = Field(default=100, sa_type=SmallInteger)
    late_cancel_percent: int = Field(default=100, sa_type=SmallInteger)
    cancel_free_hours: int = Field(default=24, sa_type=SmallInteger)
    rounding_min: int = Field(default=15, sa_type=SmallInteger)
    requires_booking: bool = True
    created_at: datetime = Field(sa_type=TIMESTAMP)
    made_by: str = Field(foreign_key="user_account.id", sa_type=UUID_TEXT)


class Schedule(SQLModel, table=True):
    """A child comes on some weekdays between two days (both included; without a last one, until it is ended).

    The times are for services by the hour; others have their own window. `content` is the digest of what was asked.
    """

    __tablename__ = "schedule"
    __table_args__ = (
        ForeignKeyConstraint(["center_id", "child_id"], ["person.center_id", "person.id"]),
        ForeignKeyConstraint(["center_id", "service_id"], ["service.center_id", "service.id"]),
        Index(None, "center_id", "child_id"),
        Index(None, "center_id", "service_id"),
        CheckConstraint("weekdays BETWEEN 1 AND 127", name="weekdays"),
        CheckConstraint("(from_time IS NULL) = (to_time IS NULL)", name="times"),
    )

    center_id: str = Field(primary_key=True, sa_type=UUID_TEXT)
    id: str = Field(primary_key=True, sa_type=UUID_TEXT)
    child_id: str = Field(sa_type=UUID_TEXT)
    service_id: str = Field(sa_type=UUID_TEXT)
    weekdays: int = Field(sa_type=SmallInteger)
    first_day: date
    last_day: date | None = None
    from_time: time | None = None
    to_time: time | None = None
    content: bytes = Field(sa_type=LargeBinary)
    created_at: datetime = Field(sa_type=TIMESTAMP)
    made_by: str = Field(foreign_key="user_account.id", sa_type=UUID_TEXT)


_ENDED: Final = "'declined', 'cancelled_by_parent', 'cancelled_by_centre'"


class Booking(SQLModel, table=True):
    """A child and a service from a moment up to another; `day` is the centre's calendar day on which it begins.

    A booking is never removed. Whoever waits is in the order of `created_at` and `id`. A request that nobody answered
    by `answer_by` is over. `chargeable`: it was cancelled too late to be free. `content` is the digest of what was
    asked, so that the same id with other content is found out.
    """

    __tablename__ = "booking"
    __table_args__ = (
        ForeignKeyConstraint(["center_id", "child_id"], ["person.center_id", "person.id"]),
        ForeignKeyConstraint(["center_id", "service_id"], ["service.center_id", "service.id"]),
        ForeignKeyConstraint(["center_id", "schedule_id"], ["schedule.center_id", "schedule.id"]),
        Index(None, "center_id", "service_id", "starts_at"),
        Index(None, "center_id", "child_id", "starts_at"),
        Index(None, "center_id", "starts_at"),
        # A day of a schedule is booked once, whatever becomes of it; a closure that is taken back lets it be again.
        Index(
            "uq_booking_schedule_id_day",
            "center_id",
            "schedule_id",
            "day",
            unique=True,
            postgresql_where=text("schedule_id IS NOT NULL AND cause <> 'closure'"),
        ),
        one_of("status", BookingStatus),
        one_of("source", BookingSource),
        one_of("cause", EndCause),
        CheckConstraint(
            f"ends_at > starts_at AND ends_at <= starts_at + interval '{BOOKING_HOURS_MAX} hours'", name="times"
        ),
        # The ids as ranges of one value: GiST compares ranges, and no extension is needed (decision 0034).
        ExcludeConstraint(
            (func.uuid_range(Column("center_id"), Column("center_id"), literal_column("'[]'")), "&&"),
            (func.uuid_range(Column("child_id"), Column("child_id"), literal_column("'[]'")), "&&"),
            (func.uuid_range(Column("service_id"), Column("service_id"), literal_column("'[]'")), "&&"),
            (func.tstzrange(Column("starts_at"), Column("ends_at")), "&&"),
            name="ex_booking_child_id_service_id",
            using="gist",
            where=text(f"status NOT IN ({_ENDED})"),
        ),
    )

    center_id: str = Field(primary_key=True, sa_type=UUID_TEXT)
    id: str = Field(primary_key=True, sa_type=UUID_TEXT)
    child_id: str = Field(sa_type=UUID_TEXT)
    service_id: str = Field(sa_type=UUID_TEXT)
    schedule_id: str | None = Field(default=None, sa_type=UUID_TEXT)
    day: date
    starts_at: datetime = Field(sa_type=TIMESTAMP)
    ends_at: datetime = Field(sa_type=TIMESTAMP)
    status: str = Field(max_length=24)
    source: str = Field(max_length=16)
    cause: str = Field(default="", max_length=16)
    chargeable: bool = False
    reason: str = Field(default="", max_length=NAME_MAX)
    content: bytes = Field(default=b"", sa_type=LargeBinary)
    answer_by: datetime | None = Field(default=None, sa_type=TIMESTAMP)
    created_at: datetime = Field(sa_type=TIMESTAMP)
    made_by: str | None = Field(default=None, foreign_key="user_account.id", sa_type=UUID_TEXT)
    changed_at: datetime | None = Field(default=None, sa_type=TIMESTAMP)
    changed_by: str | None = Field(default=None, foreign_key="user_account.id", sa_type=UUID_TEXT)
    cancelled_at: datetime | None = Field(default=None, sa_type=TIMESTAMP)


class UsageRules(SQLModel, table=True):
    """A version of the rules of usage: days that were locked after a moment are charged by it, or by a newer one."""

    __tablename__ = "usage_rules"

    version: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    locks_after: datetime = Field(sa_type=TIMESTAMP)
