"""Turns the rows of a roster into the records that devices hold."""

from collections.abc import Iterable
from datetime import date

from msgspec import UNSET

from server.core.clock import ms_of
from server.models.people import Alert, ChildProfile, Person, PickupAuthorisation, Relationship, StaffProfile
from server.models.rooms import CalendarDays, CalendarKind, Center, Room
from sync.records import (
    AdultRecord,
    AlertRecord,
    CenterRecord,
    ChildRecord,
    ClosureRecord,
    LockRecord,
    PickupRecord,
    RoomRecord,
    StaffRecord,
    StatusChange,
)


def center_record(center: Center, calendar: Iterable[CalendarDays]) -> CenterRecord:
    """Give the centre as a device sees it."""
    days = list(calendar)
    closures = [
        ClosureRecord(first_day=_day(one.first_day), last_day=_day(one.last_day), reason=one.reason)
        for one in days
        if one.kind == CalendarKind.CLOSURE
    ]
    locks = [
        LockRecord(first_day=_day(one.first_day), last_day=_day(one.last_day), locked_at_ms=ms_of(one.at))
        for one in days
        if one.kind == CalendarKind.LOCK
    ]
    return CenterRecord(
        code=center.code,
        name=center.name,
        time_zone=center.time_zone,
        closures=tuple(closures) or UNSET,
        locks=tuple(locks) or UNSET,
    )


def room_record(room: Room) -> RoomRecord:
    """Give a room as a device sees it."""
    return RoomRecord(name=room.name, capacity=room.capacity, sort=room.sort)


def child_record(person: Person, profile: ChildProfile, alerts: list[Alert]) -> ChildRecord:
    """Give a child as a device sees it, with its alerts in one fixed order."""
    ordered = sorted(alerts, key=lambda alert: alert.external_id)
    return ChildRecord(
        given_name=person.given_name,
        family_name=person.family_name,
        preferred_name=person.preferred_name,
        birth_date=_day(person.birth_date),
        home_room_id=profile.home_room_id or "",
        enrolled=profile.enrolled,
        alerts=tuple(AlertRecord(kind=one.kind, severity=one.severity, text=one.text) for one in ordered),
    )


def adult_record(person: Person) -> AdultRecord:
    """Give a guardian or contact as a device sees one."""
    return AdultRecord(given_name=person.given_name, family_name=person.family_name, phone=person.phone)


def staff_record(person: Person, profile: StaffProfile) -> StaffRecord:
    """Give a member of staff as a device sees one."""
    return StaffRecord(
        given_name=person.given_name,
        family_name=person.family_name,
        role=profile.role,
        counts_in_ratio=profile.counts_in_ratio,
    )


def pickup_record(pickup: PickupAuthorisation, relationship: Relationship) -> PickupRecord:
    """Give a pick-up authorisation as a device sees it."""
    return PickupRecord(
        child_id=pickup.child_id,
        adult_id=pickup.adult_id,
        status=pickup.status,
        relationship=relationship.kind,
        legal_guardian=relationship.legal_guardian,
        valid_from=_day(pickup.valid_from),
        valid_to=_day(pickup.valid_to),
        history=tuple(StatusChange(since_ms=since_ms, status=status) for since_ms, status in pickup.history) or UNSET,
    )


def _day(day: date | None) -> str:
    return day.isoformat() if day else ""
