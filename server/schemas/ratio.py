"""Shapes of ratio rules, of how it stands, and of breaches; every time has the centre's own offset (RFC 3339)."""

from datetime import date, datetime
from typing import Annotated, Literal

from pydantic import Field

from server.schemas.attendance import AsOf
from server.schemas.base import Input, Line, Output
from sync.ratio_rules import BANDS_MAX, RELAXATIONS_MAX

DayText = Annotated[str, Field(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$", examples=["2026-09-01"])]


class RatioBandIn(Input):
    """Children of an age in completed months: how many one adult may have, the most of a group, or their weight."""

    code: str
    from_months: int
    to_months: int
    children_per_adult: int = 0
    group_cap: int = 0
    weight: int = 0


class RatioRelaxationIn(Input):
    """When fewer adults are enough: a window of local minutes, or minutes after opening or before closing."""

    kind: str = Field(examples=["nap", "opening", "closing"])
    from_minute: int | None = None
    to_minute: int | None = None
    minutes: int = 0
    from_months: int = 0
    factor_percent: int = 100
    children_per_adult: int = 0
    staff_by_center: bool = False


class RatioRuleSetIn(Input):
    """Rules as docs/protocol.md describes them, without the day."""

    name: Annotated[Line, Field(max_length=200)]
    mode: str = Field(examples=["youngest_present", "sum_per_band", "weighted"])
    bands: Annotated[tuple[RatioBandIn, ...], Field(max_length=BANDS_MAX, strict=False)]
    scope: str = Field(default="room", examples=["room", "center"])
    rounding: str = Field(default="each_band", examples=["each_band", "together"])
    adult_carries: int = 0
    relaxations: Annotated[tuple[RatioRelaxationIn, ...], Field(max_length=RELAXATIONS_MAX, strict=False)] = ()
    description: Annotated[Line, Field(max_length=200)] = ""


class RatioRulesIn(Input):
    """From which day of the centre's calendar on which rules hold: those of a preset, or rules of one's own."""

    effective_from: DayText
    preset: Annotated[str, Field(max_length=40, examples=["cfoc"])] = ""
    rules: RatioRuleSetIn | None = None


class RatioBandOut(Output):
    """As it was sent."""

    code: str
    from_months: int
    to_months: int
    children_per_adult: int = 0
    group_cap: int = 0
    weight: int = 0


class RatioRelaxationOut(Output):
    """As it was sent."""

    kind: str
    from_minute: int | None = None
    to_minute: int | None = None
    minutes: int = 0
    from_months: int = 0
    factor_percent: int = 100
    children_per_adult: int = 0
    staff_by_center: bool = False


class RatioRuleSetOut(Output):
    """Rules that hold from a day on, until those of a later day do."""

    name: str
    effective_from: date
    mode: str
    bands: tuple[RatioBandOut, ...]
    scope: str = "room"
    rounding: str = "each_band"
    adult_carries: int = 0
    relaxations: tuple[RatioRelaxationOut, ...] = ()
    description: str = ""


class PresetOut(Output):
    """An example to begin with."""

    preset: str
    name: str
    description: str


class RatioRulesOut(Output):
    """The rules of a centre by day, and the examples there are."""

    items: list[RatioRuleSetOut]
    presets: list[PresetOut]


class BandCountOut(Output):
    """How many children of a band are there."""

    code: str
    children: int


class RatioStateOut(Output):
    """What the rules come to; a breach stops nobody.

    `counted_staff` is in adults, of whom some may count in part. `children_more` may come before another adult is
    needed; it and `children_allowed` are null where nothing judges.
    """

    reason: Literal[
        "enough", "nobody", "by_center", "no_rules", "rules_unknown", "group_too_large", "too_few_staff", "no_staff"
    ]
    is_breach: bool
    children: int
    children_of_unknown_age: int
    bands: list[BandCountOut]
    staff: int
    counted_staff: float
    staff_needed: int
    children_allowed: int | None
    children_more: int | None
    group_cap: int | None
    cap_exceeded: bool


class RoomRatioOut(Output):
    """A room; both are null for those of whom nobody said the room."""

    room_id: str | None
    room_name: str | None
    state: RatioStateOut


class RulesNameOut(Output):
    """Which rules hold."""

    name: str
    effective_from: date
    scope: str


class RatioOut(Output):
    """How it stands in a centre and in each of its rooms."""

    center_id: str
    as_of: AsOf
    rules: RulesNameOut | None
    center: RatioStateOut
    rooms: list[RoomRatioOut]


class DeskKnewOut(Output):
    """The last that a desk told before a breach began, and the version of the log that it had followed by then."""

    device_id: str
    device_name: str
    told_at: datetime
    version: int


class BreachOut(Output):
    """A time in breach within the day; `ended_at` null: it had not ended when the day did, or has not yet.

    `room_id` is null for the centre, and for those of whom nobody said the room; `scope` tells which.
    """

    scope: Literal["room", "center"]
    room_id: str | None
    room_name: str | None
    began_at: datetime
    ended_at: datetime | None
    worst: RatioStateOut
    desks: list[DeskKnewOut]


class BreachesOut(Output):
    """The breaches of a day."""

    center_id: str
    day: date
    as_of: AsOf
    items: list[BreachOut]
    next_cursor: str
