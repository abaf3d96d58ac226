"""Turns the rows of a roster into the records that devices hold."""

from collections.abc import Iterable
from datetime import date, time
from typing import Final

import msgspec
from msgspec import UNSET

from server.core.clock import ms_of
from server.core.errors import Conflict
from server.models.credentials import Credential
from server.models.people import Alert, ChildProfile, Person, PickupAuthorisation, Relationship, StaffProfile
from server.models.rooms import CalendarDays, CalendarKind, Center, CenterRatioRules, Room
from sync.limits import RECORD_BODY_BYTES_MAX
from sync.ratio_rules import OpeningHours, RatioRuleSet, at_hours
from sync.records import (
    AbsenceRecord,
    AdultRecord,
    AlertRecord,
    CenterRecord,
    ChildRecord,
    ClosureRecord,
    CredentialRecord,
    LockRecord,
    PickupRecord,
    PictureRecord,
    PinRecord,
    RoomRecord,
    StaffRecord,
    StatusChange,
    encode_record,
)

_RULE_SET: Final = msgspec.json.Decoder(RatioRuleSet)
_PIN: Final = msgspec.json.Decoder(PinRecord)
_PICTURE: Final = msgspec.json.Decoder(PictureRecord)


def center_record(center: Center, calendar: Iterable[CalendarDays], rules: Iterable[CenterRatioRules]) -> CenterRecord:
    """Give the centre as a device sees it: with its days, and its ratio rules made ready for its hours."""
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
        ratio_rules=ready_rules(center, rules) or UNSET,
    )


def checked(record: CenterRecord) -> CenterRecord:
    """Give a centre's record that fits the wire. Raises Conflict: its days and rules are more than desks can take."""
    if len(encode_record(record)) > RECORD_BODY_BYTES_MAX:
        raise Conflict("The closures, locks and ratio rules of this centre are more than a desk can take: use fewer")
    return record


def ready_rules(center: Center, rules: Iterable[CenterRatioRules]) -> tuple[RatioRuleSet, ...]:
    """Give the rule sets of a centre as they are judged by: by day, with windows for times after it opens or before."""
    hours = OpeningHours(_minute(center.opens_at), _minute(center.closes_at))
    return tuple(at_hours(rule_set, hours) for rule_set in rule_sets(rules))


def rule_sets(rules: Iterable[CenterRatioRules]) -> list[RatioRuleSet]:
    """Give the rule sets as somebody wrote them, by day; a row that cannot be read is left out."""
    found = []
    for row in sorted(rules, key=lambda row: row.effective_from):
        try:
            rule_set = _RULE_SET.decode(row.body)
        except (msgspec.DecodeError, UnicodeDecodeError):
            continue  # somebody wrote it behind the server's back: `verify` finds that devices hold another record
        found.append(msgspec.structs.replace(rule_set, effective_from=row.effective_from.isoformat()))
    return found


def room_record(room: Room) -> RoomRecord:
    """Give a room as a device sees it."""
    return RoomRecord(name=room.name, capacity=room.capacity, sort=room.sort)


def child_record(
    person: Person, profile: ChildProfile, alerts: list[Alert], absences: tuple[AbsenceRecord, ...]
) -> ChildRecord:
    """Give a child as a device sees it, with its alerts in one fixed order; `absences` are those that devices hold."""
    ordered = sorted(alerts, key=lambda alert: alert.external_id)
    return ChildRecord(
        given_name=person.given_name,
        family_name=person.family_name,
        preferred_name=person.preferred_name,
        birth_date=_day(person.birth_date),
        home_room_id=profile.home_room_id or "",
        enrolled=profile.enrolled,
        alerts=tuple(AlertRecord(kind=one.kind, severity=one.severity, text=one.text) for one in ordered),
        absences=absences or UNSET,
        enrolled_from=_day(profile.enrolled_from) or UNSET,
        enrolled_to=_day(profile.enrolled_to) or UNSET,
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
        pin=_pin(profile.pin),
        employed_from=_day(profile.employed_from) or UNSET,
        employed_to=_day(profile.employed_to) or UNSET,
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


def credential_record(row: Credential) -> CredentialRecord:
    """Give a card as a device sees it."""
    return CredentialRecord(
        kind=row.kind,
        person_id=row.person_id,
        seal=row.seal,
        pepper_id=row.pepper_id,
        revoked_at_ms=ms_of(row.revoked_at) if row.revoked_at else UNSET,
    )


def picture_record(body: bytes) -> PictureRecord | None:
    """Give the small picture of a photo as its row has it; None when that cannot be read, and `verify` finds it."""
    try:
        return _PICTURE.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def _pin(body: bytes | None) -> PinRecord | msgspec.UnsetType:
    """The PIN in a row; one that cannot be read is left out, and `verify` finds that devices hold another record."""
    if body is None:
        return UNSET
    try:
        return _PIN.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return UNSET


def _minute(local: time | None) -> int | None:
    return None if local is None else local.hour * 60 + local.minute


def _day(day: date | None) -> str:
    return day.isoformat() if day else ""
