"""The breach log: when too few adults were with the children, how bad it was, and what each desk knew at that moment.

It is computed from the stays that the fold decided, never written down: a check-in that arrives late, or a correction,
changes the log of the day as it changes the day. Who came at a time that nobody knows is not in it before it is known.
What each desk knew is an argument: of every desk the last word before the breach began, and how far it had followed.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

import msgspec

from sync.ratio import ChildPresent, Group, LocalMoment, RatioState, StaffPresent, center_ratio
from sync.ratio_rules import RatioRuleSet, RatioScope
from sync.records import day_bounds_ms
from sync.stays import Stay

_MINUTES_PER_HOUR: Final = 60
_MS_PER_SECOND: Final = 1_000
_MS_PER_DAY: Final = 24 * 3_600_000
# Clocks are put forward and back at whole quarters of an hour; on such a day each of them is looked at.
_MS_PER_QUARTER: Final = 900_000


class Person(msgspec.Struct, frozen=True):
    """A child or a member of staff with the stays that the fold decided.

    `home_room_id` is where somebody is of whom nobody said the room; empty: nobody knows.
    """

    who: ChildPresent | StaffPresent
    stays: tuple[Stay, ...]
    home_room_id: str = ""


class Presence(msgspec.Struct, frozen=True):
    """Somebody in a room from a moment up to and without another (UTC milliseconds); None: still there."""

    who: ChildPresent | StaffPresent
    room_id: str
    from_ms: int
    to_ms: int | None


class DeskWord(msgspec.Struct, frozen=True):
    """At `at_ms` (UTC milliseconds) this desk told of something, and had followed the log up to `version`."""

    device_id: str
    at_ms: int
    version: int


class Period(msgspec.Struct, frozen=True):
    """What is looked at, from a moment up to and without another (UTC milliseconds), by the clocks of a time zone."""

    from_ms: int
    to_ms: int
    time_zone: str


class Breach(msgspec.Struct, frozen=True, kw_only=True):
    """A time in which a room, or the centre where the rules are about the centre, was in breach.

    `from_ms` is the beginning of the period when it was so before; `to_ms` is None when it had not ended where the
    period ends. `worst` is the first state in which most was missing. `desks` is the last word of each desk until
    `from_ms`, by device: a desk that is not among them had told nothing.
    """

    scope: RatioScope
    room_id: str
    from_ms: int
    to_ms: int | None
    worst: RatioState
    desks: tuple[DeskWord, ...] = ()


def presences(person: Person) -> Iterator[Presence]:
    """Where somebody was when, room by room. A stay that nobody saw begin has no time, and gives none."""
    for stay in person.stays:
        if stay.started_at_ms is None:
            continue
        turns = [(stay.started_at_ms, person.home_room_id), *((room.since_ms, room.room_id) for room in stay.rooms)]
        ends = [since_ms for since_ms, _ in turns[1:]]
        for (from_ms, room_id), to_ms in zip(turns, [*ends, stay.ended_at_ms], strict=True):
            if to_ms is None or from_ms < to_ms:
                yield Presence(person.who, room_id, from_ms, to_ms)


def groups_at(everybody: Iterable[Presence], at_ms: int) -> dict[str, Group]:
    """Who is together at a moment (UTC milliseconds), by room id."""
    children: dict[str, list[ChildPresent]] = {}
    staff: dict[str, list[StaffPresent]] = {}
    for one in everybody:
        if one.from_ms <= at_ms and (one.to_ms is None or at_ms < one.to_ms):
            if isinstance(one.who, ChildPresent):
                children.setdefault(one.room_id, []).append(one.who)
            else:
                staff.setdefault(one.room_id, []).append(one.who)
    rooms = sorted(children.keys() | staff.keys())
    return {room: Group(tuple(children.get(room, ())), tuple(staff.get(room, ()))) for room in rooms}


def local_moment(at_ms: int, time_zone: str) -> LocalMoment:
    """The day and the minute that the clocks of a time zone show at a moment (UTC milliseconds)."""
    local = datetime.fromtimestamp(at_ms / 1000, UTC).astimezone(ZoneInfo(time_zone))
    return LocalMoment(local.date().isoformat(), local.hour * _MINUTES_PER_HOUR + local.minute)


def breaches(
    rule_sets: Sequence[RatioRuleSet], people: Iterable[Person], period: Period, words: Iterable[DeskWord] = ()
) -> tuple[Breach, ...]:
    """Every breach of a period, by when it began and by room.

    The rule sets are those of the centre with windows for times (`ratio_rules.at_hours`); they change at midnight.
    """
    everybody = [one for person in people for one in presences(person)]
    under_way: dict[_Place, Breach] = {}
    ended: list[Breach] = []
    for at_ms in _moments(rule_sets, everybody, period):
        found = _found(rule_sets, groups_at(everybody, at_ms), local_moment(at_ms, period.time_zone))
        ended += [
            msgspec.structs.replace(under_way.pop(place), to_ms=at_ms) for place in sorted(under_way.keys() - found)
        ]
        for place, state in found.items():
            under_way[place] = _grown(under_way.get(place), place, at_ms, state)
    told = sorted(words, key=lambda word: (word.at_ms, word.version))
    whole = sorted([*ended, *under_way.values()], key=lambda breach: (breach.from_ms, breach.scope, breach.room_id))
    return tuple(msgspec.structs.replace(breach, desks=_last_words(told, breach.from_ms)) for breach in whole)


_Place = tuple[RatioScope, str]


def _found(
    rule_sets: Sequence[RatioRuleSet], groups: Mapping[str, Group], moment: LocalMoment
) -> dict[_Place, RatioState]:
    """What is in breach at a moment. The centre is a place of its own only where the rules are about the centre."""
    judged = center_ratio(rule_sets, groups, moment)
    found = {(RatioScope.ROOM, room_id): state for room_id, state in judged.rooms.items() if state.is_breach}
    if judged.rule_set is not None and judged.rule_set.scope == RatioScope.CENTER and judged.center.percent_missing:
        found[RatioScope.CENTER, ""] = judged.center
    return found


def _grown(breach: Breach | None, place: _Place, at_ms: int, state: RatioState) -> Breach:
    if breach is None:
        scope, room_id = place
        return Breach(scope=scope, room_id=room_id, from_ms=at_ms, to_ms=None, worst=state)
    return msgspec.structs.replace(breach, worst=max(breach.worst, state, key=_badness))


def _badness(state: RatioState) -> tuple[int, int]:
    """What is missing of adults comes first, then how many children there are; of two equal states the first stays."""
    return (state.percent_missing, state.children)


def _moments(rule_sets: Iterable[RatioRuleSet], everybody: Iterable[Presence], period: Period) -> list[int]:
    """When an answer may change in the period: somebody comes, moves or goes; a window begins or ends; a day begins."""
    moments = {period.from_ms, *_clock_moments(rule_sets, period)}
    for one in everybody:
        moments |= {one.from_ms} if one.to_ms is None else {one.from_ms, one.to_ms}
    return sorted(at_ms for at_ms in moments if period.from_ms <= at_ms < period.to_ms)


def _clock_moments(rule_sets: Iterable[RatioRuleSet], period: Period) -> Iterator[int]:
    edges = {0}
    for rule_set in rule_sets:
        for relaxation in rule_set.relaxations:
            edges |= {edge for edge in (relaxation.from_minute, relaxation.to_minute) if edge is not None}
    day = date.fromisoformat(local_moment(period.from_ms, period.time_zone).day)
    last = date.fromisoformat(local_moment(period.to_ms, period.time_zone).day)
    while day <= last:
        start_ms, end_ms = day_bounds_ms(day.isoformat(), period.time_zone)
        if end_ms - start_ms != _MS_PER_DAY:
            yield from range(start_ms, end_ms, _MS_PER_QUARTER)
        for edge in edges:
            yield from _moments_of_minute(day, edge, ZoneInfo(period.time_zone))
        day += timedelta(days=1)


def _moments_of_minute(day: date, minute: int, zone: ZoneInfo) -> Iterator[int]:
    """When the clocks show a minute of a day: twice when they are put back over it."""
    local = datetime.combine(day, time(*divmod(minute, _MINUTES_PER_HOUR)), zone)
    for fold in (0, 1):
        yield int(local.replace(fold=fold).timestamp()) * _MS_PER_SECOND


def _last_words(told: Iterable[DeskWord], at_ms: int) -> tuple[DeskWord, ...]:
    """The last word of each desk until a moment, by device; `told` is in order of time."""
    last = {word.device_id: word for word in told if word.at_ms <= at_ms}
    return tuple(last[device_id] for device_id in sorted(last))
