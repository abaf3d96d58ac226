"""Shapes of the live board; every time has the centre's own offset (RFC 3339)."""

from datetime import datetime
from typing import Literal

from server.schemas.base import Output

Status = Literal["ok", "unknown", "near", "at_limit", "breach"]
NamesOf = Literal[
    "room", "children", "staff", "visitors", "expected", "announced", "not_here", "overdue", "after_hours", "allergies",
    "left",
]  # fmt: skip
BoardNames = Literal["first", "none"]


class BoardCenterOut(Output):
    """Whose board it is."""

    id: str
    name: str
    time_zone: str


class CountOut(Output):
    """How many are in by what is known, and the bounds around it by the entries that desks still hold."""

    certain: int
    least: int
    most: int


class CoveredOut(Output):
    """Whether any desk could hold something that is not here.

    `unconfirmed` is how many entries desks said to have and not to have sent. `bounded`: no desk can hold more than
    these, so that `least` and `most` of every count hold. `says` gives the reasons, one for a desk.
    """

    complete: bool
    bounded: bool
    unconfirmed: int
    says: list[str]


class TotalsOut(Output):
    """Who is in, in the whole centre."""

    children: CountOut
    staff: CountOut
    visitors: CountOut


class BoardRatioOut(Output):
    """What the rules come to: `says` in words; `children_more` is null where nothing judges."""

    status: Status
    reason: str
    says: str
    counted_staff: float
    staff_needed: int
    children_allowed: int | None
    children_more: int | None
    group_cap: int | None


class BoardChildOut(Output):
    """A child that is in. `room_assumed`: nobody said the room, it is the home room.

    `critical`: an alert of any kind is critical. `allergies` are at most five texts.
    """

    child_id: str
    name: str
    stay_id: str
    since: datetime
    critical: bool
    allergies: list[str]
    disputed: bool
    room_assumed: bool
    on_file: bool


class BoardPersonOut(Output):
    """A member of staff or a visitor who is in; `room_name` is empty where nobody knows the room."""

    id: str
    name: str
    stay_id: str
    room_name: str
    since: datetime
    counts_in_ratio: bool


class BoardRoomOut(Output):
    """A room; `room_id` null: those of whom nobody knows the room. `capacity` 0: none is set."""

    room_id: str | None
    name: str
    capacity: int
    over_capacity: bool
    children_count: CountOut
    staff_count: int
    ratio: BoardRatioOut


class ListedOut(Output):
    """A child that is in, in a list."""

    child_id: str
    name: str
    room_name: str
    since: datetime
    on_file: bool


class ListedChildrenOut(Output):
    """Children; `count` is whole where `items` are cut."""

    count: int
    items: list[ListedOut]


class CallOut(Output):
    """The last call about a child that did not come; `calls` is how many there were today."""

    at: datetime
    by: str
    result: str
    note: str
    calls: int


class NotHereOut(Output):
    """An enrolled child that has not come and is not announced; `expected_at` is null where nothing is booked."""

    child_id: str
    name: str
    room_name: str
    expected_at: datetime | None
    call: CallOut | None


class NotHereListOut(Output):
    """Those booked earliest first; `count` is whole where `items` are cut. `announced` are not among them."""

    count: int
    announced: int
    items: list[NotHereOut]


class BookedOut(Output):
    """A child that is expected by a booking or a schedule: between which times of the day, and where it is now."""

    child_id: str
    name: str
    room_name: str
    starts_at: datetime
    ends_at: datetime
    state: Literal["in", "left", "not_come"]


class AnnouncedOut(Output):
    """A child that was announced to be absent and has not come."""

    child_id: str
    name: str
    room_name: str


class OverdueOut(Output):
    """A child that is in after the end of what was booked for it, `due_at`."""

    child_id: str
    name: str
    room_name: str
    since: datetime
    due_at: datetime


class OverdueListOut(Output):
    """Children who should have been collected by their bookings; `count` is whole where `items` are cut."""

    count: int
    items: list[OverdueOut]


class RoomPlanOut(Output):
    """How many children that belong to a room are booked for now, and for any time of today."""

    room_id: str
    now: int
    today: int


class PlanOut(Output):
    """What bookings and schedules say, as they were known within the last minute; no child is counted who is announced.

    `arrivals` and `departures` are those expected in each step since `starts_at`; the first step has those who are
    late, too. `expected` is how many children are booked for any time of today, in whatever room.
    """

    expected: int
    rooms: list[RoomPlanOut]
    starts_at: datetime
    step_min: int
    arrivals: list[int]
    departures: list[int]


class BoardFindingOut(Output):
    """An open finding; `finding` is its key at /reviews. `since` is since when a desk had been wrong."""

    finding: str
    kind: str
    severity: str
    says: str
    subject_id: str
    subject_name: str
    since: datetime | None
    found_at: datetime | None


class BoardFindingsOut(Output):
    """Open findings, critical ones first; the counts are whole where `items` are cut.

    `set_aside` entries of desks count for nothing until somebody looks (/set-aside): a child may be in unseen.
    """

    critical: int
    normal: int
    set_aside: int
    items: list[BoardFindingOut]


class BoardDeviceOut(Output):
    """A kiosk as far as the server knows it.

    `heard_until` is its last word, with how many entries were `waiting` then (null: not said). `position_at` is when
    it said how far its replica is, `behind` by how many versions. `clock_offset_ms` is the server's clock minus its
    own, as its last event of today has it.
    """

    device_id: str
    name: str
    state: str
    heard_until: datetime | None
    linked: bool
    waiting: int | None
    gap: Literal["never_heard", "entries_wait", "queue_unknown", "silent"] | None
    position_at: datetime | None
    behind: int | None
    clock_offset_ms: int | None
    clock_suspect: bool


class BoardAllergyOut(Output):
    """An allergy of a child that is in."""

    child_id: str
    name: str
    room_name: str
    severity: str
    text: str


class BoardAllergiesOut(Output):
    """Allergies of the children who are in, critical ones first."""

    count: int
    items: list[BoardAllergyOut]


class CurveOut(Output):
    """The day in steps since `starts_at`, its beginning: `children` who were in by their stays, up to now.

    `expected` are those who are booked or scheduled and not announced to be absent, to the end of the day, as is known
    now. `capacity` is what the rooms hold together; null when one of them has none.
    """

    starts_at: datetime
    step_min: int
    children: list[int]
    expected: list[int]
    capacity: int | None


class BoardLeftOut(Output):
    """A child that left today; `assumed`: nobody saw it go. `collected_by` is empty when nobody said."""

    child_id: str
    name: str
    stay_id: str
    left_at: datetime
    collected_by: str
    assumed: bool
    disputed: bool


class BoardLeftListOut(Output):
    """Those who left last first; `count` is whole where `items` are cut."""

    count: int
    items: list[BoardLeftOut]


class BoardOut(Output):
    """A centre at `version` of the life `epoch` of its log, as of a moment.

    Its size does not grow with the children: of each list it holds the first ten, and /board/names tells the others.
    With `names=none` its lists are empty and its counts are the same.
    """

    as_of: datetime
    center: BoardCenterOut
    epoch: str
    version: int
    coverage: CoveredOut
    totals: TotalsOut
    ratio: BoardRatioOut
    findings: BoardFindingsOut
    rooms: list[BoardRoomOut]
    without_room: BoardRoomOut | None
    not_here: NotHereListOut
    overdue: OverdueListOut
    plan: PlanOut
    after_hours: ListedChildrenOut
    devices: list[BoardDeviceOut]
    allergies: BoardAllergiesOut
    curve: CurveOut
    left: BoardLeftListOut


class BoardNamesOut(Output):
    """Who stands behind a number of the board, as of a moment; `count` is whole where `items` are cut at 500.

    `items` are what the board has in the list of that name; of a room its children, with its `staff` beside them.
    `children`, `staff`, `expected` and `announced` are of the whole centre.
    """

    as_of: datetime
    epoch: str
    version: int
    of: NamesOf
    count: int
    items: (
        list[BoardChildOut]
        | list[BoardPersonOut]
        | list[BookedOut]
        | list[AnnouncedOut]
        | list[NotHereOut]
        | list[OverdueOut]
        | list[ListedOut]
        | list[BoardAllergyOut]
        | list[BoardLeftOut]
    )
    staff: list[BoardPersonOut]
