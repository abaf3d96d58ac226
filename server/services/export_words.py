"""What stands in an export: rows as JSON and as lines for a spreadsheet, and the text that explains them. Pure.

Names of files and fields are a promise (docs/exports.md): programs of families read them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final
from zoneinfo import ZoneInfo

import msgspec

from server.core.clock import datetime_of
from server.core.csv_text import BOM, csv_line
from server.core.money import money_text
from server.models.absences import Absence, AbsenceFollowUp
from server.models.people import Alert, AlertKind, ChildProfile, Person, PickupAuthorisation, Relationship
from server.models.planning import Booking, Schedule
from server.services.day_windows import weekdays_of
from server.services.report_kinds import local
from server.services.statements import Statement, UsageLine
from server.services.stay_history import Handover, MyStay

FORMAT: Final = "rollcall-export/1"
ATTENDANCE_COLUMNS: Final = (
    "day", "came", "left", "brought by", "brought as", "brought how", "collected by", "collected as", "collected how",
    "remarks", "stay",
)  # fmt: skip
# Another adult is in them, or a court: what a parent reads of it is between them and the centre.
KEPT_BACK_ALERTS: Final = frozenset({AlertKind.CUSTODY.value})


class Reader(StrEnum):
    """For whom a file is made: who is shown what a parent's app shows, or who runs the centre."""

    GUARDIAN = "guardian"
    CENTER = "center"


@dataclass(frozen=True, slots=True)
class Said:
    """A child in the README: its folder and its name."""

    child_id: str
    name: str
    center_name: str


def json_file(resource: str, items: Sequence[Mapping[str, Any]], **more: Any) -> bytes:
    """Give a file of one resource: `format`, `resource`, what more is said of all, and `items`."""
    told = {"format": FORMAT, "resource": resource, **more, "items": list(items)}
    return msgspec.json.format(msgspec.json.encode(told), indent=2) + b"\n"


def child_words(person: Person, profile: ChildProfile, room_name: str) -> dict[str, Any]:
    """Give what is on file of a child itself."""
    return {
        "id": person.id, "external_id": person.external_id, "given_name": person.given_name,
        "family_name": person.family_name, "preferred_name": person.preferred_name, "birth_date": person.birth_date,
        "home_room": room_name, "enrolled": profile.enrolled, "enrolled_from": profile.enrolled_from,
        "enrolled_to": profile.enrolled_to,
    }  # fmt: skip


def adult_words(person: Person) -> dict[str, Any]:
    """Give what is on file of an adult."""
    return {
        "id": person.id, "external_id": person.external_id, "given_name": person.given_name,
        "family_name": person.family_name, "phone": person.phone, "email": person.email,
    }  # fmt: skip


def relationship_words(row: Relationship) -> dict[str, Any]:
    """Give what an adult is to a child, and may do; null where nobody decided."""
    return {
        "adult_id": row.adult_id, "kind": row.kind, "legal_guardian": row.legal_guardian, "can_view": row.can_view,
        "can_book": row.can_book, "receives_notifications": row.receives_notifications,
        "emergency_rank": row.emergency_rank,
    }  # fmt: skip


def alert_words(rows: Sequence[Alert], reader: Reader) -> list[dict[str, Any]]:
    """Give what must be seen before somebody acts for a child; guardians without what is about custody."""
    shown = [row for row in rows if reader is Reader.CENTER or row.kind not in KEPT_BACK_ALERTS]
    return [{"id": row.id, "kind": row.kind, "severity": row.severity, "text": row.text} for row in shown]


def pickup_words(row: PickupAuthorisation, adult: Person | None) -> dict[str, Any]:
    """Give who may, or must not, collect a child; of the adult the name."""
    name = "" if adult is None else f"{adult.given_name} {adult.family_name}".strip()
    return {
        "id": row.id, "adult_id": row.adult_id, "adult_name": name, "status": row.status,
        "valid_from": row.valid_from, "valid_to": row.valid_to, "withdrawn_at": row.withdrawn_at,
    }  # fmt: skip


def absence_words(row: Absence, reader: Reader) -> dict[str, Any]:
    """Give an absence; who said so and what the office wrote beside it only to the centre."""
    told = {
        "id": row.id, "first_day": row.first_day, "last_day": row.last_day, "kind": row.kind,
        "informed_at": row.informed_at, "justified": row.justified, "billable": row.billable,
        "withdrawn_at": row.withdrawn_at,
    }  # fmt: skip
    return told if reader is Reader.GUARDIAN else {**told, "informed_by": row.informed_by, "note": row.note}


def call_words(row: AbsenceFollowUp, reader: Reader) -> dict[str, Any]:
    """Give a call about a child that did not come; who called and what they wrote only to the centre."""
    told = {"day": row.day, "at": row.at, "result": row.result}
    return told if reader is Reader.GUARDIAN else {**told, "by": row.by_name, "note": row.note}


def booking_words(row: Booking, services: Mapping[str, str], zone: ZoneInfo) -> dict[str, Any]:
    """Give a booking; times by the clocks of the centre."""
    return {
        "id": row.id, "service": services.get(row.service_id, ""), "day": row.day,
        "starts_at": row.starts_at.astimezone(zone), "ends_at": row.ends_at.astimezone(zone), "status": row.status,
        "cause": row.cause, "chargeable": row.chargeable, "reason": row.reason,
        "made_at": row.created_at.astimezone(zone),
    }  # fmt: skip


def schedule_words(row: Schedule, services: Mapping[str, str]) -> dict[str, Any]:
    """Give a pattern by which a child comes; `weekdays` from 1 (Monday) to 7."""
    return {
        "id": row.id, "service": services.get(row.service_id, ""), "weekdays": weekdays_of(row.weekdays),
        "first_day": row.first_day, "last_day": row.last_day, "from_time": row.from_time, "to_time": row.to_time,
    }  # fmt: skip


def stay_words(stay: MyStay, zone: ZoneInfo) -> dict[str, Any]:
    """Give a stay as `GET /my/children/{id}/stays` does."""
    word = stay.own_word
    return {
        "stay_id": stay.stay_id, "day": stay.day, "started_at": _local(stay.started_at_ms, zone),
        "ended_at": _local(stay.ended_at_ms, zone), "brought": _handover(stay.brought),
        "collected": _handover(stay.collected), "disputed": stay.is_disputed, "assumed": stay.is_assumed,
        "own_word": None if word is None else {
            "says": "disputed" if word.disputes else "confirmed", "reason": word.reason, "open": word.is_open,
            "at": _local(word.at_ms, zone),
        },
    }  # fmt: skip


def attendance_csv(stays: Sequence[MyStay], zone: ZoneInfo) -> bytes:
    """Give stays for a spreadsheet: UTF-8 with a mark, every cell quoted, none of them a formula."""
    lines = [csv_line(ATTENDANCE_COLUMNS), *(csv_line(_cells(stay, zone)) for stay in stays)]
    return (BOM + "".join(lines)).encode("utf-8", "replace")


def charge_words(found: Statement, zone: ZoneInfo) -> dict[str, Any]:
    """Give the statement of a month; amounts are texts with their currency."""
    return {
        "first_day": found.first_day, "last_day": found.last_day, "totals": dict(found.totals),
        "final": len(found.locked_days) == (found.last_day - found.first_day).days + 1,
        "lines": [_line(one, found, zone) for one in found.lines],
    }  # fmt: skip


def readme(made_at: datetime, names: Sequence[str], children: Sequence[Said], reader: Reader) -> bytes:
    """Give the text that says what the files are and what is not in them; `names` are those of the files."""
    whose = [f"  children/{one.child_id}/  {one.name}, {one.center_name}" for one in children]
    text = "\n".join(
        (
            "This is a copy of the data that Rollcall holds" + _OF[reader],
            f"It was made on {made_at:%Y-%m-%d at %H:%M} (UTC). It names people: keep it where nobody else reads.",
            "",
            *(["Children:", *whose, ""] if whose else []),
            "Files:",
            *(f"  {name}" for name in names),
            "",
            'Each .json file is UTF-8 and has "format", "resource" and "items". Times have an offset from UTC,',
            "days are those of the centre's calendar, amounts are texts. The .csv files open in spreadsheet programs;",
            "a cell that such a program would run has an apostrophe in front.",
            "",
            *_NOT_IN_IT[reader],
            "",
        )
    )
    return text.replace("\n", "\r\n").encode()


_OF: Final = {
    Reader.GUARDIAN: " of you, and of the children whom you may see.",
    Reader.CENTER: " of one child, as those who run its centre see it.",
}
_NOT_IN_IT: Final = {
    Reader.GUARDIAN: (
        "Not in it: what belongs to other adults (their addresses, and whom they let collect a child), notes about",
        "custody, what the office wrote beside absences, calls and contradictions, and bookings and charges of",
        "children for whom you may not book. Ask the centre for these: it decides by the law where it is.",
    ),
    Reader.CENTER: (
        "It speaks of other people, too: the child's adults, and who brought and collected it. Before you hand it to",
        "somebody, take out what is not theirs to know. What a parent may have, they can ask for themselves.",
    ),
}


def _line(line: UsageLine, found: Statement, zone: ZoneInfo) -> dict[str, Any]:
    def there(moment: datetime | None) -> datetime | None:
        return None if moment is None else moment.astimezone(zone)

    amount = None
    if line.amount is not None and line.currency is not None:
        amount = money_text(line.amount, line.currency)
    return {
        "kind": line.kind.value, "day": line.day, "service": found.service_codes.get(line.service_id or "", ""),
        "unit": line.unit, "quantity": f"{line.quantity.normalize():f}",
        "booked_from": there(line.booked.starts_at if line.booked else None),
        "booked_to": there(line.booked.ends_at if line.booked else None),
        "attended_from": there(line.attended_from), "attended_to": there(line.attended_to),
        "amount": amount,
        "currency": line.currency if amount is not None else None, "remarks": [one.value for one in line.remarks],
        "rules_version": line.rules_version, "booking_id": line.booking_id,
        "stay_ids": list(line.stay_ids),
    }  # fmt: skip


def _handover(one: Handover | None) -> dict[str, Any] | None:
    if one is None:
        return None
    return {
        "name": one.name, "relationship": one.kind, "method": one.method, "identity_check": one.identity_check,
        "desk_name": one.device_name, "recorded_at_desk": one.is_of_a_desk, "retroactive": one.is_retroactive,
        "corrected": one.is_corrected,
    }  # fmt: skip


def _cells(stay: MyStay, zone: ZoneInfo) -> list[str]:
    said = [
        word for word, holds in (("disputed", stay.is_disputed), ("nobody saw the child go", stay.is_assumed)) if holds
    ]
    ends = [
        cell
        for one in (stay.brought, stay.collected)
        for cell in ((one.name, one.kind, one.method) if one else ("", "", ""))
    ]
    times = [local(one, zone) for one in (stay.started_at_ms, stay.ended_at_ms)]
    return [stay.day.isoformat(), *times, *ends, ", ".join(said), stay.stay_id]


def _local(wall_ms: int | None, zone: ZoneInfo) -> datetime | None:
    return None if wall_ms is None else datetime_of(wall_ms).astimezone(zone)
