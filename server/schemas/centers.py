"""Shapes of centres and rooms."""

from datetime import time
from typing import Annotated
from uuid import UUID
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, Field

from server.schemas.base import Input, Output
from server.schemas.people import CODE_MAX, Code, Name

CAPACITY_MAX = 1_000


def _time_zone(value: str) -> str:
    try:
        return ZoneInfo(value).key
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError("This is no time zone: write it like Europe/London") from None


def _minute(value: time | None) -> time | None:
    if value is not None and (value.second or value.microsecond or value.tzinfo):
        raise ValueError("Give whole minutes of the centre's own clock, such as 07:30")
    return value


TimeZone = Annotated[str, Field(max_length=CODE_MAX, examples=["Europe/Lisbon"]), AfterValidator(_time_zone)]
ClockTime = Annotated[time | None, Field(strict=False, examples=["07:30"]), AfterValidator(_minute)]
Count = Annotated[int, Field(ge=0, le=CAPACITY_MAX)]


class CenterIn(Input):
    """A centre that is new. `id` is made by whoever sends it; `code` and `time_zone` never change."""

    id: Annotated[UUID, Field(strict=False)]
    code: Code
    name: Name
    time_zone: TimeZone
    opens_at: ClockTime = None
    closes_at: ClockTime = None


class CenterChangeIn(Input):
    """What changes; what is left out stays, and null says that nobody knows."""

    name: Name = ""
    opens_at: ClockTime = None
    closes_at: ClockTime = None


class RoomIn(Input):
    """A room that is new. `id` is made by whoever sends it, so that a repeat is harmless."""

    id: Annotated[UUID, Field(strict=False)]
    external_id: Code | None = None
    name: Name
    capacity: Count = 0
    sort: Count = 0


class RoomChangeIn(Input):
    """What changes; what is left out stays."""

    name: Name = ""
    capacity: Count = 0
    sort: Count = 0


class CenterOut(Output):
    """A centre of the user's, and what the user is there. `etag` is what a change sends as If-Match."""

    id: str
    code: str
    name: str
    time_zone: str
    opens_at: time | None
    closes_at: time | None
    organisation_id: str
    roles: list[str]
    etag: str


class CenterList(Output):
    """The user's centres, by name."""

    items: list[CenterOut]
    next_cursor: str


class RoomOut(Output):
    """A room; `capacity` is 0 when nobody set it, `sort` its place in lists; a change sends `etag` as If-Match."""

    id: str
    external_id: str
    name: str
    capacity: int
    sort: int
    etag: str


class RoomList(Output):
    """The rooms of a centre, in the order people list them."""

    items: list[RoomOut]
    next_cursor: str


class SyncStateOut(Output):
    """What every device of the centre holds once it is up to date: a digest per bucket (hexadecimal)."""

    epoch: str
    version: int
    digests: dict[str, str]
