"""Shapes of a guardian's children; every time has the centre's own offset (RFC 3339)."""

from datetime import datetime
from typing import Literal

from server.schemas.base import Output


class DeskHeardOut(Output):
    """A desk of the centre: until when it was heard, and why it could hold something that is not here (null: not)."""

    name: str
    heard_until: datetime | None
    gap: Literal["never_heard", "entries_wait", "queue_unknown", "silent"] | None


class HeardOut(Output):
    """Which desks this relies on; `complete`: none could hold anything that matters."""

    complete: bool
    desks: list[DeskHeardOut]


class MyRightsOut(Output):
    """What I may do for the child; `announce_pickups`: say who collects it on a day."""

    book: bool
    receive_notifications: bool
    announce_pickups: bool


class StatusOut(Output):
    """Where the child is, by what the server had heard at `as_of`.

    `since` null: nobody saw it come, or it was not here today. `room_name`: where it is, else its own room.
    `confirmed_by_desk`: somebody at a desk recorded it, and it was not entered later or assumed.
    """

    status: Literal["in", "out", "not_here"]
    since: datetime | None
    room_name: str
    confirmed_by_desk: bool
    disputed: bool
    as_of: datetime
    coverage: HeardOut


class MyChildOut(Output):
    """A child of mine; `relationship` is what I am to it."""

    id: str
    center_id: str
    center_name: str
    given_name: str
    family_name: str
    preferred_name: str
    enrolled: bool
    relationship: str
    rights: MyRightsOut
    now: StatusOut


class MyChildList(Output):
    """My children, by centre and name."""

    items: list[MyChildOut]
    next_cursor: str
