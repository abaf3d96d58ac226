"""Shapes of a parent's stream; every time of a child has its centre's own offset (RFC 3339)."""

from datetime import datetime
from typing import Literal

from server.schemas.base import Output


class MyLiveChildOut(Output):
    """A child of mine, and where it is.

    `since`: since when it is in, or has left; null when nobody saw it. `expected_from` and `expected_to`: its next time
    today that is not over. `confirmed_by_desk`: somebody at a desk recorded it. `sure`: no desk of the centre can hold
    anything newer; else `known_until` is up to when all of them were heard (null: one never was). `says`: the same in
    words, the desks that are missing among them.
    """

    id: str
    center_id: str
    center_name: str
    given_name: str
    family_name: str
    preferred_name: str
    status: Literal["in", "out", "expected", "absent", "not_here"]
    since: datetime | None
    room_name: str
    expected_from: datetime | None
    expected_to: datetime | None
    confirmed_by_desk: bool
    disputed: bool
    sure: bool
    known_until: datetime | None
    says: list[str]


class MyLiveOut(Output):
    """The data of an event `children`: all whom I may see, by centre and name, as of a moment (UTC)."""

    as_of: datetime
    children: list[MyLiveChildOut]
