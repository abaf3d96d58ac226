"""Shapes of centres and rooms."""

from datetime import time

from server.schemas.base import Output


class CenterOut(Output):
    """A centre of the user's, and what the user is there."""

    id: str
    code: str
    name: str
    time_zone: str
    opens_at: time | None
    closes_at: time | None
    roles: list[str]


class CenterList(Output):
    """The user's centres, by name."""

    items: list[CenterOut]
    next_cursor: str


class RoomOut(Output):
    """A room; `capacity` is 0 when nobody set it."""

    id: str
    external_id: str
    name: str
    capacity: int


class RoomList(Output):
    """The rooms of a centre, in the order people list them."""

    items: list[RoomOut]
    next_cursor: str


class SyncStateOut(Output):
    """What every device of the centre holds once it is up to date: a digest per bucket (hexadecimal)."""

    epoch: str
    version: int
    digests: dict[str, str]
