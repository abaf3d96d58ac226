"""Who is where on the live board: from the stays of a day to rooms, lists and the day's curve. Pure."""

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, time, timedelta
from typing import Final, TypeVar
from zoneinfo import ZoneInfo

import msgspec

from server.core.clock import datetime_of, ms_of
from server.models.people import AlertKind, AlertSeverity
from server.models.projections import SubjectKind
from server.repositories.live_board import BoardAlert, BoardFinding, BoardPerson, BoardStay
from server.services.board import (
    ALLERGIES_OF_CHILD_MAX,
    LISTED_MAX,
    AllergyPresent,
    ChildIn,
    ChildLeft,
    Listed,
    PersonIn,
)
from sync.attendance import AttendanceEvent, EventKind, decode_event
from sync.presence import Group
from sync.ratio import ChildPresent, StaffPresent
from sync.ratio import Group as Together

QUARTER_MS: Final = 15 * 60_000
_VISITS: Final = frozenset({EventKind.VISITOR_IN, EventKind.VISITOR_OUT})


_One = TypeVar("_One")


@dataclass(frozen=True, slots=True)
class Inside:
    """Somebody who is in: `room_id` is the room that was said last, or else the home room, or else empty."""

    stay: BoardStay
    person: BoardPerson | None
    group: Group
    name: str
    room_id: str
    is_assumed_room: bool
    since_ms: int

    @property
    def order(self) -> tuple[str, str]:
        """As people list names."""
        return (self.name.casefold(), self.stay.subject_id)


def insiders(
    stays: Iterable[BoardStay], people: Mapping[str, BoardPerson], room_ids: Iterable[str], now_ms: int
) -> list[Inside]:
    """Give who is in now (UTC milliseconds), by name; a room that is not the centre's is none.

    A stay that begins later than now, or that nobody saw begin, makes nobody present, as in `sync.presence`.
    """
    known_rooms = frozenset(room_ids)
    found = []
    for stay in stays:
        if stay.started_at_ms is None or not _covers(stay, now_ms):
            continue
        person = people.get(stay.subject_id)
        group, name = _who(stay, person)
        said = _room_said(stay, now_ms)
        room_id = said or (person.home_room_id if person is not None else "")
        found.append(
            Inside(
                stay=stay,
                person=person,
                group=group,
                name=name,
                room_id=room_id if room_id in known_rooms else "",
                is_assumed_room=not said and room_id in known_rooms,
                since_ms=stay.started_at_ms,
            )
        )
    return sorted(found, key=lambda one: one.order)


def _covers(stay: BoardStay, at_ms: int) -> bool:
    begun = stay.started_at_ms is not None and stay.started_at_ms <= at_ms
    return begun and (stay.ended_at_ms is None or at_ms < stay.ended_at_ms)


def _room_said(stay: BoardStay, at_ms: int) -> str:
    said = [room_id for since_ms, room_id in stay.rooms if since_ms <= at_ms]
    return said[-1] if said else ""


def _who(stay: BoardStay, person: BoardPerson | None) -> tuple[Group, str]:
    if person is not None:
        return Group.CHILD if person.is_child else Group.STAFF, display_name(person)
    event = said_event(stay.came_body)
    name = (event.provisional_name or event.person_name) if event is not None else ""
    if _is_child(stay):
        return Group.CHILD, name
    return (Group.VISITOR if event is not None and event.kind in _VISITS else Group.STAFF), name


def named(findings: Iterable[BoardFinding], stays: Iterable[BoardStay]) -> list[BoardFinding]:
    """Give findings with a name also for who is not on file and was here today: the one that they came under."""
    found = list(findings)
    wanted = {one.subject_id for one in found if not one.subject_name}
    names = {stay.subject_id: _who(stay, None)[1] for stay in stays if stay.subject_id in wanted}
    return [one if one.subject_name else replace(one, subject_name=names.get(one.subject_id, "")) for one in found]


def _is_child(stay: BoardStay) -> bool:
    return stay.subject_kind == SubjectKind.CHILD


def said_event(body: bytes) -> AttendanceEvent | None:
    """Give the event of a body; None when there is none, or one that only a newer server understands."""
    try:
        return decode_event(body) if body else None
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def display_name(person: BoardPerson) -> str:
    """Give what somebody is called, with the family name."""
    return f"{person.preferred_name or person.given_name} {person.family_name}".strip()


def together(inside: Iterable[Inside], room_ids: Iterable[str]) -> dict[str, Together]:
    """Give who is together by room, as the ratio counts: every room, and "" when somebody is in none.

    A child that is not on file counts as one of unknown age; an adult who is not on file counts as nobody.
    """
    children: dict[str, list[ChildPresent]] = {room_id: [] for room_id in room_ids}
    staff: dict[str, list[StaffPresent]] = {}
    for one in inside:
        if one.group is Group.CHILD:
            child = ChildPresent(one.stay.subject_id, one.person.birth_date if one.person else "")
            children.setdefault(one.room_id, []).append(child)
        elif one.person is not None:
            adult = StaffPresent(one.person.id, counts_in_ratio=one.person.counts_in_ratio)
            staff.setdefault(one.room_id, []).append(adult)
            children.setdefault(one.room_id, [])
    return {room_id: Together(tuple(found), tuple(staff.get(room_id, ()))) for room_id, found in children.items()}


def child_in(one: Inside, alerts: Sequence[BoardAlert]) -> ChildIn:
    """Give a child that is in, with what must be seen of it."""
    allergies = [alert.text for alert in alerts if alert.kind == AlertKind.ALLERGY]
    return ChildIn(
        child_id=one.stay.subject_id,
        name=one.name,
        stay_id=one.stay.stay_id,
        since_ms=one.since_ms,
        has_critical=any(alert.severity == AlertSeverity.CRITICAL for alert in alerts),
        allergies=tuple(allergies[:ALLERGIES_OF_CHILD_MAX]),
        is_disputed=one.stay.disputed,
        is_assumed_room=one.is_assumed_room,
        is_on_file=one.person is not None,
    )


def person_in(one: Inside) -> PersonIn:
    """Give a member of staff or a visitor who is in."""
    return PersonIn(
        person_id=one.stay.subject_id,
        name=one.name,
        stay_id=one.stay.stay_id,
        since_ms=one.since_ms,
        counts_in_ratio=one.person is not None and one.person.counts_in_ratio,
    )


def seen_today(stays: Iterable[BoardStay], now_ms: int) -> set[str]:
    """Give of whom a stay touches the day up to now; `stays` are those of the day."""
    return {stay.subject_id for stay in stays if stay.started_at_ms is None or stay.started_at_ms <= now_ms}


def after_hours(inside: Iterable[Inside], closed_at_ms: int | None, room_names: Mapping[str, str]) -> list[Listed]:
    """Give the children who were in when the centre closed last and are in still, the longest first."""
    if closed_at_ms is None:
        return []
    late = [one for one in inside if one.group is Group.CHILD and one.since_ms < closed_at_ms]
    return [
        Listed(one.stay.subject_id, one.name, room_names.get(one.room_id, ""), one.since_ms, one.person is not None)
        for one in sorted(late, key=lambda one: (one.since_ms, one.order))
    ]


def last_closing_ms(now: datetime, closes_at: time | None, time_zone: str) -> int | None:
    """Give when a centre closed last by its own clock (UTC milliseconds), today or yesterday; None without hours."""
    if closes_at is None:
        return None
    local = now.astimezone(ZoneInfo(time_zone))
    closing = datetime.combine(local.date(), closes_at, ZoneInfo(time_zone))
    if closing > local:
        closing = datetime.combine(local.date() - timedelta(days=1), closes_at, ZoneInfo(time_zone))
    return ms_of(closing.astimezone(datetime_of(0).tzinfo))


def departures(stays: Iterable[BoardStay], inside: Iterable[Inside], now_ms: int) -> list[BoardStay]:
    """Give the last stay of each child that was in today and is gone, those who left last first.

    `stays` are those that touch the day, which is why an end among them lies in it.
    """
    still = {one.stay.subject_id for one in inside}
    last: dict[str, BoardStay] = {}
    for stay in stays:
        if not _is_child(stay) or stay.subject_id in still or stay.ended_at_ms is None or stay.ended_at_ms > now_ms:
            continue
        known = last.get(stay.subject_id)
        if known is None or (known.ended_at_ms or 0) < stay.ended_at_ms:
            last[stay.subject_id] = stay
    return sorted(last.values(), key=lambda stay: (-(stay.ended_at_ms or 0), stay.subject_id))


def child_left(stay: BoardStay, person: BoardPerson | None, adult_names: Mapping[str, str]) -> ChildLeft:
    """Give a child that left, with who collected it; `adult_names` are those on file, by id."""
    event = said_event(stay.left_body)
    collected_by = (event.adult_name or adult_names.get(event.adult_id, "")) if event is not None else ""
    return ChildLeft(
        child_id=stay.subject_id,
        name=_who(stay, person)[1],
        stay_id=stay.stay_id,
        left_at_ms=stay.ended_at_ms or 0,
        collected_by=collected_by,
        is_assumed=stay.assumed,
        is_disputed=stay.disputed,
    )


def allergies_present(
    inside: Iterable[Inside], alerts: Mapping[str, Sequence[BoardAlert]], room_names: Mapping[str, str]
) -> list[AllergyPresent]:
    """Give the allergies of the children who are in: the critical ones first, then by room and name."""
    found = [
        AllergyPresent(one.stay.subject_id, one.name, room_names.get(one.room_id, ""), alert)
        for one in inside
        for alert in alerts.get(one.stay.subject_id, ())
        if alert.kind == AlertKind.ALLERGY
    ]
    loudest = {severity.value: -place for place, severity in enumerate(AlertSeverity)}
    return sorted(
        found, key=lambda one: (loudest.get(one.alert.severity, 1), one.room_name, one.name.casefold(), one.alert.text)
    )


def were_in(stays: Iterable[BoardStay], *, start_ms: int, now_ms: int) -> tuple[int, ...]:
    """Count the children who were in at each quarter of an hour from `start_ms` up to now (UTC milliseconds).

    A day of 25 hours has 101 of them at most. A stay that nobody saw begin is in none.
    """
    of_children = [stay for stay in stays if _is_child(stay) and stay.started_at_ms is not None]
    came = sorted(stay.started_at_ms or 0 for stay in of_children)
    gone = sorted(stay.ended_at_ms for stay in of_children if stay.ended_at_ms is not None)
    moments = range(start_ms, now_ms + 1, QUARTER_MS)
    return tuple(bisect_right(came, at_ms) - bisect_right(gone, at_ms) for at_ms in moments)


def cut(listed: Sequence[_One]) -> tuple[_One, ...]:
    """Give as many as a list of the board holds."""
    return tuple(listed[:LISTED_MAX])
