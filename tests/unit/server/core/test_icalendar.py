"""Calendars are written as RFC 5545 wants: read back by a reader of our own, which unfolds and unescapes."""

import re
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.core.icalendar import CalendarEvent, EventStatus, calendar, escaped, folded

BEGIN = datetime(2026, 10, 25, 8, 0, tzinfo=timezone(timedelta(hours=1)))
EVENT = CalendarEvent(
    uid="1@rollcall",
    starts_at=BEGIN,
    ends_at=BEGIN + timedelta(hours=5),
    changed_at=datetime(2026, 9, 21, 14, 13, 20, 999, tzinfo=UTC),
    summary="Zoë: Mornings; with, lunch\\n",
    description="Line one\nline two",
    location="",
    status=EventStatus.TENTATIVE,
)


def unfolded(text: str) -> list[str]:
    assert text.endswith("\r\n")
    return re.sub(r"\r\n ", "", text).split("\r\n")[:-1]


def unescaped(value: str) -> str:
    return re.sub(r"\\(.)", lambda found: "\n" if found[1] in "nN" else found[1], value, flags=re.DOTALL)


def test_an_event_has_its_times_in_utc_and_its_texts_escaped() -> None:
    lines = unfolded(calendar("Zoë, Ana", [EVENT], time_zone="Europe/Lisbon").decode())
    assert (lines[:3], lines[-1]) == (
        ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//Rollcall//Rollcall//EN"],
        "END:VCALENDAR",
    )
    assert {"X-WR-CALNAME:Zoë\\, Ana", "X-WR-TIMEZONE:Europe/Lisbon", "X-PUBLISHED-TTL:PT60M"} <= set(lines)
    at = lines.index("BEGIN:VEVENT")
    assert lines[at + 1 : -1] == [
        "UID:1@rollcall", "DTSTAMP:20260921T141320Z", "LAST-MODIFIED:20260921T141320Z", "DTSTART:20261025T070000Z",
        "DTEND:20261025T120000Z", "SUMMARY:Zoë: Mornings\\; with\\, lunch\\\\n", "DESCRIPTION:Line one\\nline two",
        "STATUS:TENTATIVE", "END:VEVENT",
    ]  # fmt: skip
    assert not any(line.startswith("X-WR-TIMEZONE") for line in unfolded(calendar("x", []).decode()))


@given(st.text(max_size=400))
def test_any_text_comes_back_and_no_line_is_too_long_or_cut_within_a_character(text: str) -> None:
    written = folded(f"SUMMARY:{escaped(text)}")
    assert all(len(line.encode()) <= 75 for line in written.split("\r\n"))
    (line,) = unfolded(written)
    plain = text.replace("\r\n", "\n").replace("\r", "\n")
    kept = "".join(sign for sign in plain if sign == "\n" or not (sign < " " or "\x7f" <= sign <= "\x9f"))
    assert unescaped(line.removeprefix("SUMMARY:")) == kept


@pytest.mark.parametrize(("size", "lines"), [(0, 1), (75, 1), (76, 2), (75 + 74, 2), (75 + 75, 3)])
def test_a_line_is_folded_when_it_is_longer_than_75_bytes(size: int, lines: int) -> None:
    assert len(folded("x" * size).split("\r\n")) == lines + 1
