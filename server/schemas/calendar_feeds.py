"""Shapes of calendar feeds."""

from datetime import datetime

from server.schemas.base import Output


class MyCalendarOut(Output):
    """Since when I have a feed, and when a program read it last, to the hour; its address is not told again."""

    made_at: datetime
    last_read_at: datetime | None


class MyNewCalendarOut(MyCalendarOut):
    """A feed with its address, which is told only now."""

    url: str
