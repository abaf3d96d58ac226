"""What the live board of a centre says: everything urgent at one version of its log, as plain data with bounds."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from server.models.rooms import Center
from server.repositories.live_board import BoardAlert, BoardFinding, LastCall
from sync.desk_coverage import Gap
from sync.ratio import RatioState

# Children on file, those who left years ago included, and staff; enrolled ones come first and are never cut off.
PEOPLE_MAX: Final = 5_000
# A thousand children and staff with four stays a day; the open ones come first.
STAYS_MAX: Final = 4_000
ROOMS_MAX: Final = 1_000
DESKS_MAX: Final = 1_000
# Two for each of a thousand children; the critical ones come first.
ALERTS_MAX: Final = 2_000
# Names of one list of the board. A name has 401 characters at most and usually 15: a centre of 500 children whose
# lists are all full weighs some 300 KiB, and one of 60 less than 30.
LISTED_MAX: Final = 500
FINDINGS_MAX: Final = 50
LEFT_MAX: Final = 100
ALLERGIES_OF_CHILD_MAX: Final = 5
GAPS_SAID_MAX: Final = 20


class RoomStatus(StrEnum):
    """How a room stands, from calm to danger; `unknown`: no rules judge it, and its capacity is not near."""

    OK = "ok"
    UNKNOWN = "unknown"
    NEAR = "near"
    AT_LIMIT = "at_limit"
    BREACH = "breach"


@dataclass(frozen=True, slots=True)
class Count:
    """How many there are by what is known, and the bounds that the entries which desks still hold put around it."""

    certain: int
    least: int
    most: int


@dataclass(frozen=True, slots=True)
class ChildIn:
    """A child that is in; `since_ms` is UTC milliseconds. `is_assumed_room`: nobody said the room, it is the home room.

    `allergies` are at most `ALLERGIES_OF_CHILD_MAX` texts; `has_critical`: an alert of any kind is critical.
    """

    child_id: str
    name: str
    stay_id: str
    since_ms: int
    has_critical: bool
    allergies: tuple[str, ...]
    is_disputed: bool
    is_assumed_room: bool
    is_on_file: bool


@dataclass(frozen=True, slots=True)
class PersonIn:
    """A member of staff or a visitor who is in."""

    person_id: str
    name: str
    stay_id: str
    since_ms: int
    counts_in_ratio: bool


@dataclass(frozen=True, slots=True)
class RoomBoard:
    """A room, or with an empty id those of whom nobody knows the room; counts are whole where lists are cut."""

    room_id: str
    name: str
    capacity: int
    children_count: Count
    staff_count: int
    children: tuple[ChildIn, ...]
    staff: tuple[PersonIn, ...]
    ratio: RatioState
    status: RoomStatus
    says: str
    is_over_capacity: bool


@dataclass(frozen=True, slots=True)
class Listed:
    """A child that is in, in a list, with the room where it is and since when (UTC milliseconds)."""

    child_id: str
    name: str
    room_name: str
    since_ms: int
    is_on_file: bool


@dataclass(frozen=True, slots=True)
class Missed:
    """An enrolled child that has not come; `expected_at_ms` (UTC milliseconds) is None where nothing is booked."""

    child_id: str
    name: str
    room_name: str
    expected_at_ms: int | None
    call: LastCall | None


class Came(StrEnum):
    """What became of a child that is expected today."""

    IN = "in"
    LEFT = "left"
    NOT_COME = "not_come"


@dataclass(frozen=True, slots=True)
class Booked:
    """A child that is expected today: from its first booked time to the end of the last (UTC milliseconds)."""

    child_id: str
    name: str
    room_name: str
    starts_at_ms: int
    ends_at_ms: int
    came: Came


@dataclass(frozen=True, slots=True)
class Announced:
    """A child that was announced to be absent today and has not come."""

    child_id: str
    name: str
    room_name: str


@dataclass(frozen=True, slots=True)
class Overdue:
    """A child that is in after the end of what was booked for it."""

    child_id: str
    name: str
    room_name: str
    since_ms: int
    due_ms: int


@dataclass(frozen=True, slots=True)
class RoomPlan:
    """How many children of a room are booked for now, and for any time of the day."""

    room_id: str
    now: int
    today: int


@dataclass(frozen=True, slots=True)
class Forecast:
    """Arrivals and departures that are expected in each quarter of an hour since `starts_at_ms`, for two hours.

    The first quarter has begun, and holds those who are late, too.
    """

    starts_at_ms: int
    arrivals: tuple[int, ...]
    departures: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class ChildLeft:
    """A child that left today; `is_assumed`: nobody saw it go. `collected_by` is empty when nobody said."""

    child_id: str
    name: str
    stay_id: str
    left_at_ms: int
    collected_by: str
    is_assumed: bool
    is_disputed: bool


@dataclass(frozen=True, slots=True)
class AllergyPresent:
    """An allergy of a child that is in."""

    child_id: str
    name: str
    room_name: str
    alert: BoardAlert


@dataclass(frozen=True, slots=True)
class DeviceLine:
    """A kiosk as far as the server knows it.

    `waiting` is how many entries it had to send at its last word, None when it did not say. `position_at_ms` is when
    it told its position last, and `behind` how many versions its replica was behind the head by then. The clock is what
    its last event of today says: the server's minus its own, as last measured there, in milliseconds.
    """

    device_id: str
    name: str
    state: str
    heard_at_ms: int | None
    is_linked: bool
    waiting: int | None
    gap: Gap | None
    position_at_ms: int | None
    behind: int | None
    clock_offset_ms: int | None
    is_clock_suspect: bool


@dataclass(frozen=True, slots=True)
class Covered:
    """Whether any desk could hold something that is not here, and why, in words.

    `unconfirmed` is how many entries desks said to have recorded and not sent. `is_bounded`: nothing more than these is
    missing, so that the bounds of each count hold.
    """

    is_complete: bool
    is_bounded: bool
    unconfirmed: int
    says: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Curve:
    """Children at each quarter of an hour since `starts_at_ms` (UTC milliseconds), the beginning of the day.

    `children` were in, up to now; `expected` are by what was booked, to the end of the day. `capacity` is that of all
    rooms together, None when one of them has none.
    """

    starts_at_ms: int
    children: tuple[int, ...]
    expected: tuple[int, ...]
    capacity: int | None


@dataclass(frozen=True, slots=True)
class SaidFinding:
    """An open finding in words."""

    line: BoardFinding
    says: str


@dataclass(frozen=True, slots=True)
class Mark:
    """Which board this is: the life of the log, its version, and the minute in which it was asked for."""

    epoch: str
    version: int
    minute: int


@dataclass(frozen=True, slots=True)
class LiveBoard:
    """A centre as its log has it at a mark; lists are cut at their bounds, and counts are whole."""

    center: Center
    mark: Mark
    as_of: datetime
    covered: Covered
    children: Count
    staff: Count
    visitors: Count
    rooms: tuple[RoomBoard, ...]
    without_room: RoomBoard | None
    visitors_in: tuple[PersonIn, ...]
    ratio: RatioState
    status: RoomStatus
    says: str
    not_here: tuple[Missed, ...]
    not_here_count: int
    announced: tuple[Announced, ...]
    announced_count: int
    expected: tuple[Booked, ...]
    expected_count: int
    overdue: tuple[Overdue, ...]
    overdue_count: int
    room_plans: tuple[RoomPlan, ...]
    forecast: Forecast
    after_hours: tuple[Listed, ...]
    after_hours_count: int
    finding_counts: dict[str, int]
    set_aside_count: int
    findings: tuple[SaidFinding, ...]
    devices: tuple[DeviceLine, ...]
    allergies: tuple[AllergyPresent, ...]
    allergies_count: int
    curve: Curve
    left: tuple[ChildLeft, ...]
    left_count: int
