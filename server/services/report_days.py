"""The daily sheet and the late pick-ups: stays of a week, with what is known of both ends."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

from server.core.clock import datetime_of
from server.models.rooms import Center
from server.repositories import bookings, reports
from server.repositories.reports import ReportStay
from server.repositories.unit_of_work import UnitsOfWork
from server.services.booking_board import span_of
from server.services.day_windows import Span
from server.services.departures import due_of
from server.services.report_ends import Ends, read_ends, with_entries
from server.services.report_kinds import Part, ReportRow, full_name, in_words, local

# A thousand children who come four times on each of seven days.
STAYS_MAX: Final = 28_000


async def daily_rows(units: UnitsOfWork, center: Center, part: Part) -> list[ReportRow]:
    """Give the stays that began in a part, by day and by name."""
    since, before = part.bounds(center.time_zone)
    async with units.read() as connection:
        stays = await reports.stays_begun(connection, center.id, since, before, limit=STAYS_MAX)
        rooms = {room for stay in stays for room in (stay.home_room_id, *(room for _, room in stay.rooms))}
        ends = await read_ends(connection, center.id, stays, more_ids=rooms)
        wanted = [one for stay in stays for one in (stay.check_in, stay.check_out) if one]
        ends = await with_entries(connection, center.id, ends, wanted)
    # In a thread: the signatures of a week take seconds.
    return await asyncio.to_thread(_daily, stays, ends, ZoneInfo(center.time_zone))


async def late_rows(units: UnitsOfWork, center: Center, part: Part) -> list[ReportRow]:
    """Give the stays that ended in a part, and later than they should have, by day and by name."""
    since, before = part.bounds(center.time_zone)
    async with units.begin() as unit:
        stays = await reports.stays_ended(unit.connection, center.id, since, before, limit=STAYS_MAX)
        oldest = min((stay.started_at_ms for stay in stays if stay.started_at_ms is not None), default=None)
        begin = since if oldest is None else min(since, datetime_of(oldest))
        held = await bookings.held_on(unit.session, center.id, since=begin, before=before)
        booked: dict[str, list[Span]] = {}
        for one in held:
            booked.setdefault(one.child_id, []).append(span_of(one))
        late = [stay for stay in stays if _minutes_late(center, stay, booked) > 0]
        ends = await read_ends(unit.connection, center.id, late)
    return [_late(center, stay, booked, ends) for stay in _by_day(late, ZoneInfo(center.time_zone), by_end=True)]


def _daily(stays: Sequence[ReportStay], ends: Ends, zone: ZoneInfo) -> list[ReportRow]:
    return [_sheet_line(stay, ends, zone) for stay in _by_day(stays, zone, by_end=False)]


def _sheet_line(stay: ReportStay, ends: Ends, zone: ZoneInfo) -> ReportRow:
    begun_ms = stay.started_at_ms if stay.started_at_ms is not None else stay.ended_at_ms
    room_id = stay.rooms[0][1] if stay.rooms else stay.home_room_id
    departure = "" if stay.assumed else stay.check_out
    remarks = [
        *(["arrival not known"] if stay.started_at_ms is None else []),
        *(["still in"] if stay.ended_at_ms is None else []),
        *(["end assumed"] if stay.assumed else []),
        *(["disputed"] if stay.disputed else []),
        *ends.remarks(stay.check_in, "arrival"),
        *ends.remarks(departure, "departure"),
    ]
    return (
        local(begun_ms, zone)[:10],
        full_name(stay.given_name, stay.family_name),
        ends.names.get(room_id, ""),
        local(stay.started_at_ms, zone),
        ends.who(stay.check_in),
        ends.method(stay.check_in),
        ends.desk(stay.check_in),
        ends.signature(stay.check_in),
        local(stay.ended_at_ms, zone),
        ends.who(stay.check_out),
        ends.method(stay.check_out),
        ends.desk(stay.check_out),
        ends.signature(stay.check_out),
        ", ".join(remarks),
    )


def _by_day(stays: Iterable[ReportStay], zone: ZoneInfo, *, by_end: bool) -> list[ReportStay]:
    def key(stay: ReportStay) -> tuple[str, str, str, int]:
        first, second = stay.started_at_ms, stay.ended_at_ms
        chosen = second if by_end or first is None else first
        return (local(chosen, zone)[:10], stay.family_name, stay.given_name, chosen or 0)

    return sorted(stays, key=key)


def _minutes_late(center: Center, stay: ReportStay, booked: Mapping[str, Sequence[Span]]) -> int:
    ended = datetime_of(stay.ended_at_ms or 0)
    due = due_of(booked.get(stay.subject_id, ()), _begun(stay), ended, center)
    return 0 if due is None else max(0, (ended - due.at).total_seconds().__ceil__() // 60)


def _late(center: Center, stay: ReportStay, booked: Mapping[str, Sequence[Span]], ends: Ends) -> ReportRow:
    zone = ZoneInfo(center.time_zone)
    due = due_of(booked.get(stay.subject_id, ()), _begun(stay), datetime_of(stay.ended_at_ms or 0), center)
    remarks = [
        *(["end assumed"] if stay.assumed else []),
        *(["disputed"] if stay.disputed else []),
        *ends.remarks("" if stay.assumed else stay.check_out, "departure"),
    ]
    return (
        local(stay.ended_at_ms, zone)[:10],
        full_name(stay.given_name, stay.family_name),
        local(due.at if due else None, zone),
        in_words(due.by.value) if due else "",
        local(stay.ended_at_ms, zone),
        str(_minutes_late(center, stay, booked)),
        ends.who(stay.check_out),
        ends.method(stay.check_out),
        ends.desk(stay.check_out),
        ", ".join(remarks),
    )


def _begun(stay: ReportStay) -> datetime | None:
    return None if stay.started_at_ms is None else datetime_of(stay.started_at_ms)
