"""What was used at a centre over months, summed by service and kind: the rules of statements, child by child; pure."""

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any, Final
from zoneinfo import ZoneInfo

from server.core.money import money_text
from server.models.absences import Absence
from server.models.planning import BookingStatus, Service, ServiceTerms
from server.repositories.analytics import Scope
from server.services.analytics_figures import Usage, UsageFigure
from server.services.day_windows import Span
from server.services.places import SPAN_MAX
from server.services.statements import announced_of, offered_of
from server.services.usage import USAGE_RULES, Booked, Offered, Stayed, UsageLine, usage
from server.services.usage_absences import ARRIVALS_BACK, Announced

_Key = tuple[str, str, str, str]
# Children are counted month by month: the rules compare each stay with each booking.
_STEP: Final = timedelta(days=31)


def usage_of(
    scope: Scope,
    offered: tuple[Sequence[Service], Sequence[ServiceTerms]],
    booked: Sequence[Any],
    stays: Sequence[Any],
    absences: Sequence[Absence] = (),
) -> Usage:
    """Give the sums. Days whose figures stand are counted as everything is known now, by the rules of now."""
    services = offered_of(*offered)
    announced: dict[str, list[Announced]] = defaultdict(list)
    for row in absences:
        announced[row.child_id].append(announced_of(row))
    lines = _lines(scope, services, booked, stays, announced)
    sums: dict[_Key, list[UsageLine]] = defaultdict(list)
    for line in lines:
        code = services[line.service_id].code if line.service_id else ""
        sums[code, line.kind.value, line.unit, line.currency or ""].append(line)
    totals: dict[str, Decimal] = {}
    for (_, _, _, currency), ones in sums.items():
        if currency:
            totals[currency] = totals.get(currency, Decimal(0)) + _amount(ones)
    return Usage(
        rules_version=USAGE_RULES,
        figures=tuple(_figure(key, ones) for key, ones in sorted(sums.items())),
        totals=tuple((currency, money_text(amount, currency)) for currency, amount in sorted(totals.items())),
    )


def _figure(key: _Key, lines: Sequence[UsageLine]) -> UsageFigure:
    code, kind, unit, currency = key
    return UsageFigure(
        service_code=code,
        kind=kind,
        lines=len(lines),
        quantity=sum((line.quantity for line in lines), Decimal(0)),
        unit=unit,
        amount=_amount(lines),
        currency=currency,
        unpriced=sum(line.amount is None for line in lines),
    )


def _amount(lines: Sequence[UsageLine]) -> Decimal:
    return sum((line.amount for line in lines if line.amount is not None), Decimal(0))


def _lines(
    scope: Scope,
    services: dict[str, Offered],
    booked: Sequence[Any],
    stays: Sequence[Any],
    announced: Mapping[str, Sequence[Announced]],
) -> Iterator[UsageLine]:
    zone = ZoneInfo(scope.time_zone)
    bookings_of: dict[str, list[Booked]] = defaultdict(list)
    stays_of: dict[str, list[Stayed]] = defaultdict(list)
    for row in booked:
        bookings_of[str(row.child_id)].append(_booked(row))
    for row in stays:
        if row.subject_kind == "child":
            stays_of[str(row.subject_id)].append(stayed_of(row))
    for child_id in sorted(bookings_of.keys() | stays_of.keys()):
        mine = sorted(bookings_of[child_id], key=lambda one: one.span.starts_at)
        there = sorted(stays_of[child_id], key=_moment)
        first = scope.first_day
        while first <= scope.last_day:
            last = min(first + _STEP, scope.last_day)
            since, before = _around(first, last, zone)
            found = usage(
                mine[_at(mine, since) : _at(mine, before)],
                there[
                    bisect_left(there, since - ARRIVALS_BACK, key=_moment) : bisect_right(there, before, key=_moment)
                ],
                services,
                zone=zone,
                as_of=scope.as_of,
                absences=announced.get(child_id, ()),
            )
            yield from (line for line in found if first <= line.day <= last)
            first = last + timedelta(days=1)


def _at(bookings: Sequence[Booked], moment: datetime) -> int:
    return bisect_left(bookings, moment, key=lambda one: one.span.starts_at)


def _around(first: date, last: date, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """The moments of the days with as much around them as a stay and its booking may reach."""
    begin = datetime(first.year, first.month, first.day, tzinfo=zone)
    end = datetime(last.year, last.month, last.day, tzinfo=zone) + timedelta(days=1)
    return begin - SPAN_MAX, end + SPAN_MAX


def _moment(stay: Stayed) -> datetime:
    moment = stay.started_at or stay.ended_at
    assert moment is not None, "a stay has an arrival or a departure"
    return moment


def _booked(row: Any) -> Booked:
    span = Span(row.starts_at, row.ends_at)
    return Booked(str(row.id), str(row.service_id), row.day, span, BookingStatus(row.status), row.chargeable)


def stayed_of(row: Any) -> Stayed:
    """Give a row of the table of stays as usage depends on it."""
    ends = tuple(str(one) for one in (row.check_in, row.check_out) if one is not None)
    return Stayed(str(row.stay_id), row.started_at, row.ended_at, ends, assumed=row.assumed, disputed=row.disputed)
