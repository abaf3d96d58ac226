"""The same figures as analytics, worked out slowly from raw events, one minute after the other; shares no code with it.

Only of histories without corrections: each arrival is paired with the next departure or assumed end of its child.
"""

import json
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

QUARTER = timedelta(minutes=15)


@dataclass(frozen=True)
class Was:
    """A child was in."""

    child: str
    came: datetime
    went: datetime
    assumed: bool
    rooms: str


def presence(events: Sequence[Any]) -> list[Was]:
    """Pair arrivals and departures; a real departure counts before an assumed one."""
    found: list[Was] = []
    by_child: dict[str, list[Any]] = defaultdict(list)
    for row in events:
        if row.kind in {"check_in", "check_out", "auto_close"}:
            by_child[str(row.child_id)].append(row)
    for child, rows in by_child.items():
        days: dict[date, list[Any]] = defaultdict(list)
        for row in rows:
            days[row.corrected_at.date()].append(row)
        for ones in days.values():
            ins = [one for one in ones if one.kind == "check_in"]
            outs = [one for one in ones if one.kind == "check_out"]
            ends = outs or [one for one in ones if one.kind == "auto_close"]
            if ins and ends:
                first = min(ins, key=lambda one: one.corrected_at)
                last = min(ends, key=lambda one: one.corrected_at)
                room = json.loads(first.body).get("room_id", "")
                found.append(Was(child, first.corrected_at, last.corrected_at, not outs, room))
    return found


def children_days(was: Sequence[Was], bookings: Sequence[Any], absences: Sequence[Any], zone: ZoneInfo) -> Counter[str]:
    """Child-days by what became of them."""
    present = {(one.child, one.came.astimezone(zone).date()) for one in was}
    booked = {(str(one.child_id), one.day) for one in bookings if one.status in {"confirmed", "attended", "no_show"}}
    found = Counter(booked=len(booked), attended=len(booked & present), unbooked=len(present - booked))
    for child, day in booked - present:
        told = any(str(one.child_id) == child and one.first_day <= day <= one.last_day for one in absences)
        found["announced" if told else "unexplained"] += 1
    return found


def marks(was: Sequence[Was], days: Sequence[date], zone: ZoneInfo) -> dict[tuple[int, int], list[int]]:
    """How many were in at each quarter of an hour of each day, by weekday and minute of the day."""
    found: dict[tuple[int, int], list[int]] = defaultdict(list)
    for day in days:
        at = datetime(day.year, day.month, day.day, tzinfo=zone).astimezone(UTC)
        while at.astimezone(zone).date() == day:
            local = at.astimezone(zone)
            inside = sum(one.came <= at < one.went for one in was)
            found[local.isoweekday(), local.hour * 60 + local.minute].append(inside)
            at += QUARTER
    return found


def said(events: Sequence[Any], name: str, default: str) -> list[str]:
    """A field of each arrival and departure."""
    return [json.loads(row.body).get(name, default) for row in events if row.kind in {"check_in", "check_out"}]
