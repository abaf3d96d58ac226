"""What a parent's stream shows: an account's children, read at once for all who watch a centre."""

import asyncio
import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from server.core.asking import Asking, asks, within
from server.core.clock import Clock, datetime_of
from server.core.clock import ms_of as wall_ms
from server.models.rooms import Center
from server.repositories import absences, centers, change_log, family_live, guardian_accounts, presence
from server.repositories.guardian_accounts import FamilyChild
from server.repositories.unit_of_work import Connection, UnitsOfWork
from server.services.access import User
from server.services.child_files import Part, read_child
from server.services.day_times import DayTimes, Times
from server.services.expected import Expected
from server.services.family_status import CenterNow, ChildNow, child_now
from server.services.gathering import Gathering
from server.services.guardian_rights import children_of
from server.services.presence import DESKS_MAX, ROOMS_MAX, desk_words
from sync.change_log import Head
from sync.desk_coverage import coverage
from sync.limits import REPLICA_DAYS
from sync.records import day_bounds_ms

# Children of a centre with an announced absence on one day.
ANNOUNCED_MAX: Final = 5_000
MARK_CHARACTERS: Final = 100
_DIGEST_CHARACTERS: Final = 16


@dataclass(frozen=True, slots=True)
class FamilyNow:
    """The children whom an account may see, by centre and name, at `as_of` (aware).

    `mark` changes with each version of the log of any of their centres; what is in it is nobody's business.
    """

    as_of: datetime
    mark: str
    children: tuple[ChildNow, ...]


@dataclass(frozen=True, slots=True)
class _AtCenter:
    """What one account may see of one centre."""

    head: Head | None
    children: tuple[ChildNow, ...]


class FamilyLive:
    """Tells parents where their children are."""

    def __init__(self, units: UnitsOfWork, clock: Clock, expected: Expected) -> None:
        """Read through `units`; `expected` says who should come."""
        self._units = units
        self._clock = clock
        self._times = DayTimes(expected)
        self._gathering: Gathering[_AtCenter] = Gathering(self._read)

    async def open(self, user: User) -> tuple[str, ...]:
        """Note that an account begins to watch its children, and give the centres where it has a role."""
        async with self._units.begin() as unit:
            for child in await children_of(unit.connection, user):
                await read_child(unit, user, child.center_id, child.child_id, Part.STATUS)
        return centers_of(user)

    async def of(self, user_id: str, center_ids: Sequence[str]) -> FamilyNow:
        """Give the children of an account at these centres as it is now. Raises DatabaseUnavailable."""
        as_of = self._clock.now()
        found = await asyncio.gather(*(self._gathering.of(center_id, user_id) for center_id in center_ids))
        children = [child for one in found for child in one.children]
        return FamilyNow(
            as_of=as_of,
            mark=mark_of(user_id, [one.head for one in found]),
            children=tuple(sorted(children, key=_by_center)),
        )

    async def _read(self, center_id: str, user_ids: Collection[str]) -> Mapping[str, _AtCenter]:
        """Read one centre for all accounts that ask just now."""
        as_of = self._clock.now()
        with asks(Asking(within([center_id]))):
            async with self._units.read() as connection:
                center = await centers.read(connection, center_id)
            if center is None:
                return dict.fromkeys(user_ids, _AtCenter(None, ()))
            times = await self._times.of(center, as_of)
            async with self._units.read() as connection:
                head = await change_log.read_head(connection, center_id)
                families = await _families(connection, center_id, user_ids)
                child_ids = {child.child_id for children in families.values() for child in children}
                known = await _known(connection, center, child_ids, as_of, times)
        return {
            user_id: _AtCenter(head, tuple(child_now(child, known) for child in families.get(user_id, ())))
            for user_id in user_ids
        }


def centers_of(user: User) -> tuple[str, ...]:
    """Give the centres where a user has a role of their own; children of an account are at no other."""
    return tuple(sorted({grant.center_id for grant in user.grants if grant.center_id is not None}))


def mark_of(user_id: str, heads: Sequence[Head | None]) -> str:
    """Give the versions of some logs in a row, behind a digest of whose they are, and of which life of which log."""
    versions = [str(head.version if head else 0) for head in heads]
    lives = [f"{head.epoch if head else ''}:{version}" for head, version in zip(heads, versions, strict=True)]
    digest = hashlib.sha256("\n".join([user_id, *lives]).encode()).hexdigest()[:_DIGEST_CHARACTERS]
    return f"{digest}:{'.'.join(versions)}"[:MARK_CHARACTERS]


def _by_center(one: ChildNow) -> tuple[str, str]:
    return (one.child.center_name, one.child.center_id)


async def _families(connection: Connection, center_id: str, user_ids: Collection[str]) -> dict[str, list[FamilyChild]]:
    found = await guardian_accounts.children_at(connection, center_id, user_ids)
    return {user_id: [one for one in children if one.can_view] for user_id, children in found.items()}


async def _known(
    connection: Connection, center: Center, child_ids: Collection[str], as_of: datetime, times: Times
) -> CenterNow:
    today = as_of.astimezone(ZoneInfo(center.time_zone)).date()
    since = datetime_of(day_bounds_ms(today.isoformat(), center.time_zone)[0])
    oldest = as_of - timedelta(days=REPLICA_DAYS)
    desks = await presence.desks(connection, center.id, limit=DESKS_MAX)
    now_ms = wall_ms(as_of)
    return CenterNow(
        as_of=as_of,
        stays=await family_live.stays(connection, center.id, child_ids, oldest=oldest, since=since),
        rooms=await presence.room_names(connection, center.id, limit=ROOMS_MAX),
        coverage=coverage(desk_words(desks, (), known_at_ms=now_ms, now_ms=now_ms), now_ms),
        times=times,
        announced=await absences.announced(
            connection, center.id, today, before=since, time_zone=center.time_zone, limit=ANNOUNCED_MAX
        ),
    )
