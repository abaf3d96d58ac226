"""Calendars as other programs read them (RFC 5545): lines, folded and escaped. Nothing here knows of child care.

Moments are written in UTC (section 3.3.5, form 2): the program that shows them knows its own zone, and no table of the
zone's rules has to travel with them.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final
from unicodedata import category

MEDIA_TYPE: Final = "text/calendar; charset=utf-8"
LINE_BYTES_MAX: Final = 75  # section 3.1, without the line end
_LINE_END: Final = "\r\n"
_PRODUCT: Final = "-//Rollcall//Rollcall//EN"
_ESCAPED: Final = str.maketrans({"\\": "\\\\", ";": "\\;", ",": "\\,", "\n": "\\n"})


class EventStatus(StrEnum):
    """Whether it is sure to happen (section 3.8.1.11)."""

    TENTATIVE = "TENTATIVE"
    CONFIRMED = "CONFIRMED"


@dataclass(frozen=True, slots=True, kw_only=True)
class CalendarEvent:
    """One event; moments are aware, texts are as people write them. `uid` is unique in the world and for ever."""

    uid: str
    starts_at: datetime
    ends_at: datetime
    changed_at: datetime
    summary: str
    description: str = ""
    location: str = ""
    status: EventStatus = EventStatus.CONFIRMED


def calendar(name: str, events: Iterable[CalendarEvent], *, time_zone: str = "", refresh_min: int = 60) -> bytes:
    """Give a calendar with its events; `time_zone` (IANA) is a hint, `refresh_min` how often it should be read anew."""
    lines = ["BEGIN:VCALENDAR", "VERSION:2.0", f"PRODID:{_PRODUCT}", "CALSCALE:GREGORIAN", "METHOD:PUBLISH"]
    lines += [f"NAME:{escaped(name)}", f"X-WR-CALNAME:{escaped(name)}"]
    lines += [f"X-WR-TIMEZONE:{escaped(time_zone)}"] if time_zone else []
    # RFC 7986 section 5.7, and what programs read that are older than it.
    lines += [f"REFRESH-INTERVAL;VALUE=DURATION:PT{refresh_min}M", f"X-PUBLISHED-TTL:PT{refresh_min}M"]
    for event in events:
        lines += _event(event)
    lines.append("END:VCALENDAR")
    return "".join(folded(line) for line in lines).encode()


def escaped(text: str) -> str:
    """Give a text as a value (section 3.3.11); whatever ends a line ends one within the text, other controls go."""
    plain = text.replace("\r\n", "\n").replace("\r", "\n")
    return "".join(sign for sign in plain if sign == "\n" or category(sign) != "Cc").translate(_ESCAPED)


def folded(line: str) -> str:
    """Give a line with its end, cut so that no part has more than 75 bytes, and no character is cut (section 3.1)."""
    return f"{_LINE_END} ".join(_parts(line)) + _LINE_END


def _parts(line: str) -> Iterator[str]:
    part, size = "", 0
    for sign in line:
        more = len(sign.encode())
        # A part that goes on begins with a blank, which counts.
        if size + more > LINE_BYTES_MAX:
            yield part
            part, size = "", 1
        part, size = part + sign, size + more
    yield part


def _event(event: CalendarEvent) -> list[str]:
    texts = (("SUMMARY", event.summary), ("DESCRIPTION", event.description), ("LOCATION", event.location))
    return [
        "BEGIN:VEVENT",
        f"UID:{escaped(event.uid)}",
        f"DTSTAMP:{_moment(event.changed_at)}",
        f"LAST-MODIFIED:{_moment(event.changed_at)}",
        f"DTSTART:{_moment(event.starts_at)}",
        f"DTEND:{_moment(event.ends_at)}",
        *(f"{name}:{escaped(text)}" for name, text in texts if text),
        f"STATUS:{event.status.value}",
        "END:VEVENT",
    ]


def _moment(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y%m%dT%H%M%SZ}"
