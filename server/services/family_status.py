"""Where a guardian's child is, from its stays, its plan and what the desks said last; pure.

| what is known of today at the centre                        | status     |
|-------------------------------------------------------------|------------|
| a stay that has begun and has not ended                     | `in`       |
| a stay that has ended today                                 | `out`      |
| none, and an absence was announced                          | `absent`   |
| none, and a booked or scheduled time that is not over       | `expected` |
| nothing of these                                            | `not_here` |

None of it is surer than the desks: one that was not heard may hold an arrival or a departure. Then `is_sure` is false,
`known_until_ms` tells up to when all desks were heard, and the words say which one it is.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final
from zoneinfo import ZoneInfo

from server.core.clock import datetime_of, ms_of
from server.repositories.family_live import FamilyStay
from server.repositories.guardian_accounts import FamilyChild
from server.services.board_words import gap_words
from server.services.day_windows import Span
from server.services.my_children import Whereabouts, whereabouts_at
from sync.desk_coverage import Coverage
from sync.records import day_bounds_ms

# A parent reads two or three; more of them say the same.
GAPS_SAID_MAX: Final = 3


class Status(StrEnum):
    """Where a child is now, by what is known; see the table above."""

    IN = "in"
    OUT = "out"
    ABSENT = "absent"
    EXPECTED = "expected"
    NOT_HERE = "not_here"


@dataclass(frozen=True, slots=True)
class CenterNow:
    """What is known of a centre's children at `as_of` (aware)."""

    as_of: datetime
    stays: Mapping[str, Sequence[FamilyStay]]
    rooms: Mapping[str, str]
    coverage: Coverage
    times: Mapping[str, Sequence[Span]]
    announced: Collection[str]


@dataclass(frozen=True, slots=True)
class ChildNow:
    """A child and where it is; `since_ms` and `known_until_ms` are UTC milliseconds.

    `since_ms` None: nobody saw it come, or it is not about a stay. `due`: when it is expected next today.
    """

    child: FamilyChild
    status: Status
    since_ms: int | None
    room: str
    due: Span | None
    is_confirmed: bool
    is_disputed: bool
    is_sure: bool
    known_until_ms: int | None
    says: tuple[str, ...]


def child_now(child: FamilyChild, known: CenterNow) -> ChildNow:
    """Say where a child is, by what is known of its centre."""
    zone, now_ms = ZoneInfo(child.time_zone), ms_of(known.as_of)
    day_start_ms, _ = day_bounds_ms(known.as_of.astimezone(zone).date().isoformat(), child.time_zone)
    where, stay = whereabouts_at(known.stays.get(child.child_id, ()), now_ms, day_start_ms=day_start_ms)
    is_in = where is Whereabouts.IN
    due = None if is_in else _next(known.times.get(child.child_id, ()), known.as_of)
    status = _status(where, is_absent=child.child_id in known.announced, is_due=due is not None)
    since_ms = None if stay is None else stay.started_at_ms if is_in else stay.ended_at_ms
    room_id = _room_said(stay, now_ms) if stay is not None and is_in else ""
    gaps = [desk for desk in known.coverage.desks if desk.gap is not None]
    heard = [desk.heard_until_ms for desk in gaps if desk.heard_until_ms is not None]
    known_until_ms = min(heard) if gaps and len(heard) == len(gaps) else None
    words = [gap_words(desk, known.as_of, zone) for desk in gaps[:GAPS_SAID_MAX]]
    return ChildNow(
        child=child,
        status=status,
        since_ms=since_ms,
        room=known.rooms.get(room_id or child.home_room_id, ""),
        due=None if status is Status.ABSENT else due,
        is_confirmed=stay is not None and not stay.assumed and (stay.came_at_desk if is_in else stay.left_at_desk),
        is_disputed=stay is not None and stay.disputed,
        is_sure=not gaps,
        known_until_ms=known_until_ms,
        says=(_words(status, since_ms, due, _Until(bool(gaps), known_until_ms), zone), *words),
    )


@dataclass(frozen=True, slots=True)
class _Until:
    """Up to when it is known, when there is a gap."""

    is_open: bool
    at_ms: int | None


_WORDS: Final = {
    Status.IN: "In", Status.OUT: "Left", Status.ABSENT: "Absent today", Status.EXPECTED: "Expected",
    Status.NOT_HERE: "Not here",
}  # fmt: skip


def _words(status: Status, since_ms: int | None, due: Span | None, until: _Until, zone: ZoneInfo) -> str:
    """One line: what it is, since when, and as of when if that is not now."""
    said = _WORDS[status]
    if since_ms is not None:
        said += f" {'at' if status is Status.OUT else 'since'} {_clock(since_ms, zone)}"
    elif status is Status.EXPECTED and due is not None:
        said += f" from {_clock(ms_of(due.starts_at), zone)}"
    if not until.is_open:
        return said
    return f"{said}, as of {_clock(until.at_ms, zone)}" if until.at_ms is not None else f"{said}, by what was heard"


def _clock(wall_ms: int, zone: ZoneInfo) -> str:
    return f"{datetime_of(wall_ms).astimezone(zone):%H:%M}"


def _status(where: Whereabouts, *, is_absent: bool, is_due: bool) -> Status:
    if where is not Whereabouts.NOT_HERE:
        return Status(where.value)
    if is_absent:
        return Status.ABSENT
    return Status.EXPECTED if is_due else Status.NOT_HERE


def _next(times: Sequence[Span], as_of: datetime) -> Span | None:
    """The first time of the day that is not over."""
    return next((span for span in times if span.ends_at > as_of), None)


def _room_said(stay: FamilyStay, now_ms: int) -> str:
    said = [room_id for since_ms, room_id in stay.rooms if since_ms <= now_ms]
    return said[-1] if said else ""
