"""Reports that read child by child: hours, absences with calls, what was used, and whom to call in an emergency."""

from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Final
from zoneinfo import ZoneInfo

from server.core.clock import Clock, datetime_of
from server.core.money import money_text
from server.models.absences import AbsenceFollowUp
from server.models.rooms import Center
from server.repositories import absences, centers, live_board, reports
from server.repositories.live_board import BoardAlert
from server.repositories.reports import Guardian, ReportStay
from server.repositories.unit_of_work import Connection, UnitOfWork, UnitsOfWork
from server.services.absence_days import FOLLOW_UPS_MAX, bounds_of, is_open_on, missing_children
from server.services.report_kinds import Part, ReportRow, full_name, in_words, local
from server.services.statements import Statement, Statements, UsageLine
from sync.limits import REPLICA_DAYS

CHILDREN_MAX: Final = 1_000
ALERTS_MAX: Final = 10_000
STAYS_MAX: Final = 4_000
_HOUR_S: Final = 3_600
_CENT: Final = Decimal("0.01")
_DAYS_MS: Final = REPLICA_DAYS * 24 * 3_600_000


async def hours_rows(units: UnitsOfWork, clock: Clock, center: Center, part: Part) -> list[ReportRow]:
    """Give what each child's stays of a part come to, by name."""
    bounds = part.bounds(center.time_zone)
    async with units.read() as connection:
        found = await reports.hours(connection, center.id, bounds, now=clock.now(), time_zone=center.time_zone)
    return [
        (
            part.first.isoformat(),
            part.last.isoformat(),
            full_name(one.given_name, one.family_name),
            str(one.days),
            str(one.stays),
            str((one.seconds / _HOUR_S).quantize(_CENT, ROUND_HALF_UP)),
            str(one.unsure),
            str(one.assumed),
        )
        for one in found
    ]


async def absence_rows(units: UnitsOfWork, clock: Clock, center: Center, part: Part) -> list[ReportRow]:
    """Give who was announced not to come on each day of a part, and who was missing; both with the calls."""
    found: list[ReportRow] = []
    async with units.begin() as unit:
        for day in part.days():
            start, end = bounds_of(day, center.time_zone)
            announced = await absences.of_day(
                unit.connection, center.id, day, (start, end), time_zone=center.time_zone, limit=CHILDREN_MAX
            )
            is_over = end <= clock.now() and await is_open_on(unit.connection, center.id, day)
            missing = await missing_children(unit.connection, center, day, (start, end)) if is_over else []
            if not announced and not missing:
                continue
            calls = await _calls(unit, center, day)
            known = {one.child.id for one in announced}
            found += [_announced(day.isoformat(), one, calls, center) for one in announced]
            found += [_missing(day.isoformat(), child, calls) for child in missing if child.id not in known]
    return found


def _announced(day: str, one: absences.DayAbsence, calls: Mapping[str, str], center: Center) -> ReportRow:
    row, zone = one.absence, ZoneInfo(center.time_zone)
    return (
        day,
        full_name(one.child.given_name, one.child.family_name),
        "came" if one.has_come else "absent",
        in_words(row.kind),
        local(row.informed_at or row.created_at, zone),
        row.informed_by,
        "yes" if row.justified else "no",
        "yes" if row.billable else "no",
        local(one.came_at, zone),
        row.note,
        calls.get(row.child_id, ""),
    )


def _missing(day: str, child: absences.CalledChild, calls: Mapping[str, str]) -> ReportRow:
    name = full_name(child.given_name, child.family_name)
    return (day, name, "missing", "without a word", "", "", "", "", "", "", calls.get(child.id, ""))


async def _calls(unit: UnitOfWork, center: Center, day: date) -> dict[str, str]:
    """The calls about a day by child, in words."""
    zone = ZoneInfo(center.time_zone)
    found: dict[str, list[str]] = {}
    for call in await absences.follow_ups(unit.session, center.id, day, limit=FOLLOW_UPS_MAX):
        found.setdefault(call.child_id, []).append(call_words(call, zone))
    return {child_id: "\n".join(words) for child_id, words in found.items()}


def call_words(call: AbsenceFollowUp, zone: ZoneInfo) -> str:
    """Give a call as one line: when, by whom, what came of it."""
    said = f": {call.note}" if call.note else ""
    return f"{local(call.at, zone)} {call.by_name or 'somebody'} {in_words(call.result)}{said}"


async def usage_rows(units: UnitsOfWork, statements: Statements, center: Center, part: Part) -> list[ReportRow]:
    """Give the lines of the statements of a part, child by child."""
    async with units.read() as connection:
        children = await reports.users_of_services(connection, center.id, part.bounds(center.time_zone))
    found: list[ReportRow] = []
    for child_id, given_name, family_name in children:
        statement = await statements.of_child(center, child_id, part.first, part.last)
        name = full_name(given_name, family_name)
        found += [_usage_line(line, name, statement, ZoneInfo(center.time_zone)) for line in statement.lines]
    return found


def _usage_line(line: UsageLine, name: str, statement: Statement, zone: ZoneInfo) -> ReportRow:
    is_priced = line.amount is not None and line.currency is not None
    remarks = [one.value for one in line.remarks] + ["locked"] * (line.day in statement.locked_days)
    return (
        line.day.isoformat(),
        name,
        in_words(line.kind.value),
        statement.service_codes.get(line.service_id or "", ""),
        f"{line.quantity.normalize():f}",
        in_words(line.unit),
        local(line.booked.starts_at if line.booked else None, zone),
        local(line.booked.ends_at if line.booked else None, zone),
        local(line.attended_from, zone),
        local(line.attended_to, zone),
        money_text(line.amount, line.currency) if is_priced and line.amount is not None and line.currency else "",
        line.currency or "" if is_priced else "",
        in_words(", ".join(remarks)),
    )


async def emergency_rows(units: UnitsOfWork, clock: Clock, center: Center, _part: Part) -> list[ReportRow]:
    """Give the children who are in now, by room and name, with their alerts and whom to call."""
    now_ms = clock.wall_ms()
    before = datetime.fromtimestamp((now_ms + 1) / 1000, UTC)
    async with units.read() as connection:
        touching = await reports.stays_touching(
            connection, center.id, before, before, oldest=datetime_of(now_ms - _DAYS_MS), limit=STAYS_MAX
        )
        present = [stay for stay in touching if stay.is_child]
        child_ids = [stay.subject_id for stay in present]
        guardians = await reports.guardians(connection, center.id, child_ids)
        alerts = await live_board.alerts(connection, center.id, limit=ALERTS_MAX)
        rooms = await _room_names(connection, center.id)
    lines = [_emergency_line(stay, alerts, guardians, rooms, ZoneInfo(center.time_zone)) for stay in present]
    return sorted(lines, key=lambda line: (line[1] == "", line[1], line[0].casefold()))


async def _room_names(connection: Connection, center_id: str) -> dict[str, str]:
    return {room.id: room.name for room in await centers.rooms_read(connection, center_id)}


def _emergency_line(
    stay: ReportStay,
    alerts: Iterable[BoardAlert],
    guardians: Iterable[Guardian],
    rooms: Mapping[str, str],
    zone: ZoneInfo,
) -> ReportRow:
    room_id = stay.rooms[-1][1] if stay.rooms else stay.home_room_id
    mine = [one for one in alerts if one.child_id == stay.subject_id]
    return (
        full_name(stay.given_name, stay.family_name),
        rooms.get(room_id, ""),
        local(stay.started_at_ms, zone),
        "\n".join(f"{in_words(one.severity).upper()} {in_words(one.kind)}: {one.text}" for one in mine),
        "\n".join(_guardian_words(one) for one in guardians if one.child_id == stay.subject_id),
        "",
    )


def _guardian_words(one: Guardian) -> str:
    kind = in_words(one.kind) or ("guardian" if one.legal_guardian else "")
    called = f"{one.given_name} {one.family_name}".strip()
    return f"{called}{f' ({kind})' if kind else ''}: {one.phone or 'no phone on file'}"
