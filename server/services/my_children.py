"""A guardian's children: where each is now, by what the server has heard, and which desks that relies on."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final, Protocol, TypeVar
from zoneinfo import ZoneInfo

from server.core.clock import Clock
from server.repositories import devices, presence
from server.repositories.guardian_accounts import FamilyChild
from server.repositories.unit_of_work import UnitOfWork, UnitsOfWork
from server.services.access import User
from server.services.child_files import Part, read_child
from server.services.guardian_rights import children_of
from server.services.presence import DESKS_MAX, ROOMS_MAX, desk_words, received_of, wall_ms
from sync.attendance import Fact, fold
from sync.desk_coverage import Coverage, coverage
from sync.limits import REPLICA_DAYS
from sync.presence import Received
from sync.records import day_bounds_ms
from sync.stays import Stay

__all__ = ["FamilyChild", "MyChild", "MyChildren", "Whereabouts"]

# A hundred children with forty facts a day over the window of the fold.
EVENTS_MAX: Final = 100 * 40 * (REPLICA_DAYS + 1)


class Whereabouts(StrEnum):
    """Where a child is now, by what is known."""

    IN = "in"
    OUT = "out"
    NOT_HERE = "not_here"


@dataclass(frozen=True, slots=True)
class MyChild:
    """A child and where it is.

    `since_ms` (UTC milliseconds): since when it is in, or out; None when nobody saw it come, or it was not here today.
    `room`: the one it is in, else its own. `is_confirmed`: somebody at a desk recorded this; not so what was entered
    later at the server, and what was assumed when the centre closed. `coverage`: which desks were heard until when.
    """

    child: FamilyChild
    whereabouts: Whereabouts
    since_ms: int | None
    room: str
    is_confirmed: bool
    is_disputed: bool
    as_of: datetime
    coverage: Coverage


@dataclass(frozen=True, slots=True)
class _Heard:
    """What a centre has heard of some of its children."""

    received: Sequence[Received]
    coverage: Coverage
    rooms: Mapping[str, str]
    server_desks: frozenset[str]


class MyChildren:
    """Answers guardians."""

    def __init__(self, units: UnitsOfWork, clock: Clock) -> None:
        """Read through `units`."""
        self._units = units
        self._clock = clock

    async def now(self, user: User) -> Sequence[MyChild]:
        """Give the children whom an account may see, by centre and name, and where each is."""
        as_of = self._clock.now()
        async with self._units.begin() as unit:
            children = await children_of(unit.connection, user)
            by_center: dict[str, list[FamilyChild]] = {}
            for child in children:
                await read_child(unit, user, child.center_id, child.child_id, Part.STATUS)
                by_center.setdefault(child.center_id, []).append(child)
            heard = {center_id: await _heard(unit, center_id, mine, as_of) for center_id, mine in by_center.items()}
        # In a thread: the facts of weeks would hold up everybody's heartbeats.
        return await asyncio.to_thread(lambda: [_where(child, heard[child.center_id], as_of) for child in children])


async def _heard(unit: UnitOfWork, center_id: str, children: Iterable[FamilyChild], as_of: datetime) -> _Heard:
    window = timedelta(days=REPLICA_DAYS)
    records = await presence.records_of_subjects(
        unit.connection,
        center_id,
        [child.child_id for child in children],
        since=as_of - window,
        before=as_of + window,
        limit=EVENTS_MAX,
    )
    received = received_of(records)
    desks = await presence.desks(unit.connection, center_id, limit=DESKS_MAX)
    now_ms = wall_ms(as_of)
    words = desk_words(desks, received, known_at_ms=now_ms, now_ms=now_ms)
    return _Heard(
        received=received,
        coverage=coverage(words, now_ms),
        rooms=await presence.room_names(unit.connection, center_id, limit=ROOMS_MAX),
        server_desks=await devices.server_desk_ids(unit.session, [center_id]),
    )


def _where(child: FamilyChild, heard: _Heard, as_of: datetime) -> MyChild:
    now_ms = wall_ms(as_of)
    today = as_of.astimezone(ZoneInfo(child.time_zone)).date().isoformat()
    start_ms, _ = day_bounds_ms(today, child.time_zone)
    facts = [one.fact for one in heard.received if one.fact.event.child_subject_id == child.child_id]
    whereabouts, stay = whereabouts_at(fold(facts).stays, now_ms, day_start_ms=start_ms)
    is_in = whereabouts is Whereabouts.IN
    fact = None if stay is None else stay.check_in if is_in else stay.check_out
    room_id = stay.room_id if stay is not None and is_in else ""
    return MyChild(
        child=child,
        whereabouts=whereabouts,
        since_ms=None if stay is None else stay.started_at_ms if is_in else stay.ended_at_ms,
        room=heard.rooms.get(room_id or child.home_room_id, ""),
        is_confirmed=stay is not None and is_of_a_desk(stay, fact, heard.server_desks),
        is_disputed=stay is not None and stay.disputed,
        as_of=as_of,
        coverage=heard.coverage,
    )


class Ends(Protocol):
    """When a stay began and ended (UTC milliseconds); None: nobody saw it, or it goes on."""

    @property
    def started_at_ms(self) -> int | None: ...

    @property
    def ended_at_ms(self) -> int | None: ...


AnyStay = TypeVar("AnyStay", bound=Ends)


def whereabouts_at(stays: Sequence[AnyStay], now_ms: int, *, day_start_ms: int) -> tuple[Whereabouts, AnyStay | None]:
    """Say where a child is now (UTC milliseconds) and by which stay; a day that is over says nothing of today.

    A stay that lies ahead, by a wrong clock, is none yet; one that ends ahead has not ended.
    """
    begun = [stay for stay in stays if (stay.started_at_ms or stay.ended_at_ms or 0) <= now_ms]
    if not begun:
        return Whereabouts.NOT_HERE, None
    last = begun[-1]
    if last.ended_at_ms is None or last.ended_at_ms > now_ms:
        return Whereabouts.IN, last
    return (Whereabouts.OUT, last) if last.ended_at_ms >= day_start_ms else (Whereabouts.NOT_HERE, None)


def is_of_a_desk(stay: Stay, fact: Fact | None, server_desks: frozenset[str]) -> bool:
    """Whether somebody at a desk recorded this end of a stay: not the server, and no answer to a finding."""
    return fact is not None and not stay.assumed and bool(fact.device_id) and fact.device_id not in server_desks
