"""Shapes of who was in, of roll-calls and of headcounts; every time has the centre's own offset (RFC 3339)."""

import re
from datetime import date, datetime
from typing import Annotated, Final, Literal

from pydantic import BeforeValidator

from server.schemas.base import Output

# RFC 3339, section 5.6: the offset is not optional, and neither are the seconds.
_RFC_3339: Final = re.compile(r"\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}:\d{2}(\.\d+)?([Zz]|[+-]\d{2}:\d{2})", re.ASCII)


def _moment(value: object) -> datetime:
    text = str(value)
    if not _RFC_3339.fullmatch(text):
        raise ValueError("Send a time with its offset, as 2026-09-21T08:00:00+01:00 (RFC 3339); in a URL + is %2B")
    return datetime.fromisoformat(text.upper())


Moment = Annotated[datetime, BeforeValidator(_moment)]
"""A time as RFC 3339 writes it, with the offset; nothing is taken for a time that says none."""


class PresentOut(Output):
    """Somebody who was in.

    `since` null: nobody saw them come. `until` null: by what was known they had not left. `assumed`: nobody saw them
    go, the centre closed. `findings`: the open questions about it. `event_ids`: the events behind it.
    """

    id: str
    name: str
    preferred_name: str
    room_id: str | None
    room_name: str
    since: datetime | None
    in_room_since: datetime | None
    until: datetime | None
    disputed: bool
    assumed: bool
    findings: list[str]
    event_ids: list[str]


class RoomPresenceOut(Output):
    """How many were in a room; `room_id` null: those of whom nobody said where."""

    room_id: str | None
    room_name: str
    children: int
    staff: int
    visitors: int


class DeskCoverageOut(Output):
    """What may be relied on of one desk.

    `heard_until`: its last word; null: none is known. `waiting`: how many entries it had to send then; null: not known.
    `gap`: why it could hold something that is not here; null: it cannot. `arrived_later`: what has come from it since
    `known_at` and bears on the moment.
    """

    device_id: str
    name: str
    heard_until: datetime | None
    waiting: int | None
    linked: bool
    gap: Literal["never_heard", "entries_wait", "queue_unknown", "silent"] | None
    arrived_later: int


class CoverageOut(Output):
    """Which desk has been heard until when; `complete`: none could hold anything that matters at `at`."""

    at: datetime
    complete: bool
    desks: list[DeskCoverageOut]


class PresenceOut(Output):
    """Who was in at `at`, by what the server had received by `known_at`, in the log at `version`.

    `perhaps`: who left later and was not seen to come; counted nowhere.
    """

    center_id: str
    at: datetime
    known_at: datetime
    version: int
    children: list[PresentOut]
    staff: list[PresentOut]
    visitors: list[PresentOut]
    perhaps: list[PresentOut]
    rooms: list[RoomPresenceOut]
    coverage: CoverageOut


class SaidOut(Output):
    """One word of a desk: which event, who attested, when it was meant to be."""

    event_id: str
    at: datetime
    device_id: str
    device_name: str
    staff_id: str


class MarkWordOut(SaidOut):
    """One word about somebody."""

    mark: Literal["present", "missing", "elsewhere"]


class MarkedOut(Output):
    """What the desks say of somebody together; `disagreed`: not all desks say the same last."""

    id: str
    name: str
    mark: Literal["present", "missing", "elsewhere"]
    expected: bool
    disagreed: bool
    words: list[MarkWordOut]


class UnmarkedOut(Output):
    """Somebody who was in when the roll-call began, and of whom nobody has said anything."""

    id: str
    name: str


class RollCallOut(Output):
    """A roll-call, merged from all desks.

    `begun_at`: with the start, or else with the first word. `room_id` null: it is about everybody.
    """

    rollcall_id: str
    room_id: str | None
    room_name: str
    begun_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    starts: list[SaidOut]
    ends: list[SaidOut]
    present: int
    missing: int
    elsewhere: int
    marks: list[MarkedOut]
    unmarked: list[UnmarkedOut]
    coverage: CoverageOut


class RollCallList(Output):
    """The roll-calls that began on a day, the oldest first."""

    items: list[RollCallOut]
    next_cursor: str


class CountOut(SaidOut):
    """One headcount."""

    headcount: int


class RoomCountOut(Output):
    """The headcount of a room that counts, the last one, and those before it; `room_id` null: of the whole centre."""

    room_id: str | None
    room_name: str
    latest: CountOut
    earlier: list[CountOut]


class HeadcountsOut(Output):
    """The headcounts of a day."""

    center_id: str
    day: date
    rooms: list[RoomCountOut]
    coverage: CoverageOut
