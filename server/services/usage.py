"""What was used of what a centre offers: bookings and stays of one child become lines of usage; pure.

| case                                                     | line                                                   |
|----------------------------------------------------------|--------------------------------------------------------|
| a booking that is over, with a stay in it                | `attended`: what was booked, however short the stay    |
| a booking that is over, without one                      | `no_show`: the share of the price that the terms say   |
| the same on a day of an absence that was announced       | `absent`: that share where the absence is billable,    |
| before the booking began, or that is justified           | and nothing where it is not                            |
| cancelled by the parent too late to be free              | `late_cancellation`: likewise                          |
| a stay that goes on when all that was booked has ended   | `late_pick_up`: whole minutes beyond the booked end,   |
|                                                          | all of them when they are more than the grace          |
| a stay without any booking                               | `drop_in`: as the service that fits it best            |
| an item that was booked                                  | `item`: one; whether it was eaten, no stay can tell    |
| requested, waiting, declined, cancelled in time, ahead   | none                                                   |

Bookings that meet or overlap are one: a child with a morning and an afternoon is not late at noon. What is not sure is
never charged by itself: a departure that nobody saw makes nobody late, an arrival that nobody saw counts as booked, and
both say so in `remarks`. A stay is what the facts come to, so a correction changes the lines by itself. An arrival
ends an absence (decision 0031), so what is booked behind it is `no_show` again; it is looked for `REPLICA_DAYS` back,
as on a desk.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from itertools import zip_longest
from typing import Final
from zoneinfo import ZoneInfo

from server.core.money import rounded
from server.models.planning import BookingStatus, ServiceUnit
from server.services.day_windows import Span, Window
from server.services.places import SPAN_MAX
from server.services.usage_absences import Announced, Arrival

USAGE_RULES: Final = 2
"""The version of the table above; it grows when a line would come out otherwise for the same bookings and stays.

Version 1 knew no absences: its lines come out when none are given. Which days are of which, `usage_rules` says.
"""

_USED: Final = frozenset({BookingStatus.CONFIRMED, BookingStatus.ATTENDED, BookingStatus.NO_SHOW})
_MINUTE: Final = timedelta(minutes=1)
_DAY: Final = timedelta(days=1)
_HOUR_MIN: Final = 60
_PERCENT: Final = 100
_QUANTITY: Final = Decimal("0.0001")


class UsageKind(StrEnum):
    """Why there is a line."""

    ATTENDED = "attended"
    NO_SHOW = "no_show"
    ABSENT = "absent"
    LATE_CANCELLATION = "late_cancellation"
    LATE_PICK_UP = "late_pick_up"
    DROP_IN = "drop_in"
    ITEM = "item"


class Remark(StrEnum):
    """What a person should know before the line is charged."""

    UNKNOWN_ARRIVAL = "unknown_arrival"
    ASSUMED_DEPARTURE = "assumed_departure"
    DISPUTED = "disputed"
    STILL_HERE = "still_here"
    NO_SERVICE = "no_service"
    NO_TERMS = "no_terms"


@dataclass(frozen=True, slots=True)
class Terms:
    """What a service costs from a day on; see `server.models.planning.ServiceTerms`."""

    effective_from: date
    version: int
    price: Decimal
    late_minute_price: Decimal = Decimal(0)
    late_grace_min: int = 0
    no_show_percent: int = 100
    late_cancel_percent: int = 100
    rounding_min: int = 15
    requires_booking: bool = True


@dataclass(frozen=True, slots=True)
class Offered:
    """A service as far as usage depends on it."""

    id: str
    code: str
    unit: ServiceUnit
    currency: str
    window: Window
    terms: tuple[Terms, ...] = ()

    def terms_on(self, day: date) -> Terms | None:
        """Give the terms of a day: those that began last."""
        begun = [one for one in self.terms if one.effective_from <= day]
        return max(begun, key=lambda one: one.effective_from, default=None)

    def takes_drop_ins(self, day: date) -> bool:
        """Whether somebody may come on a day without a booking; without terms nobody says so."""
        terms = self.terms_on(day)
        return self.unit is not ServiceUnit.ITEM and terms is not None and not terms.requires_booking


@dataclass(frozen=True, slots=True)
class Booked:
    """A booking; `day` is the centre's calendar day on which it begins."""

    id: str
    service_id: str
    day: date
    span: Span
    status: BookingStatus
    chargeable: bool = False


@dataclass(frozen=True, slots=True)
class Stayed:
    """A stay; an end is missing when the child is still here, a begin when nobody saw it come."""

    id: str
    started_at: datetime | None
    ended_at: datetime | None
    event_ids: tuple[str, ...] = ()
    assumed: bool = False
    disputed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageLine:
    """How much of what was used, with the ids of what it follows from.

    `quantity` counts `unit`s: hours are exact to four decimals, late pick-ups are minutes. `amount` is None where no
    terms say what it costs. `booked` and `attended` are spans; of `attended` either end may be missing.
    """

    kind: UsageKind
    day: date
    service_id: str | None
    unit: str
    quantity: Decimal
    booked: Span | None = None
    attended_from: datetime | None = None
    attended_to: datetime | None = None
    booking_id: str | None = None
    stay_ids: tuple[str, ...] = ()
    event_ids: tuple[str, ...] = ()
    terms_version: int | None = None
    amount: Decimal | None = None
    currency: str | None = None
    remarks: tuple[Remark, ...] = ()
    rules_version: int = USAGE_RULES


@dataclass(frozen=True, slots=True)
class _There:
    """A stay with the span that it is taken for."""

    stay: Stayed
    span: Span
    remarks: tuple[Remark, ...]


def usage(
    bookings: Iterable[Booked],
    stays: Iterable[Stayed],
    services: Mapping[str, Offered],
    *,
    zone: ZoneInfo,
    as_of: datetime,
    absences: Collection[Announced] = (),
) -> list[UsageLine]:
    """Give the lines of one child by day, from all its bookings and stays in a time, as things stand at `as_of` (UTC).

    A stay and what it was booked with must both be given: leave `SPAN_MAX` on either side of the days that matter, and
    `REPLICA_DAYS` before them where there are absences. Every service of a booking must be in `services`.
    """
    by_time = sorted(bookings, key=lambda one: (one.span.starts_at, one.span.ends_at, one.id))
    presence = [one for one in by_time if one.status in _USED and services[one.service_id].unit is not ServiceUnit.ITEM]
    there = [_placed(stay, presence, as_of) for stay in stays]
    lines = [line for one in by_time for line in _of_booking(one, services[one.service_id], there, as_of)]
    came = [one.stay.started_at for one in there if one.stay.started_at is not None]
    arrivals = [Arrival(at.astimezone(zone).date(), at) for at in came]
    bookings_of = {one.id: one for one in by_time}
    lines = [_excused(line, bookings_of, absences, arrivals) for line in lines]
    blocks = _blocks(presence)
    lines += [line for one in there for line in _late(one, blocks, services)]
    alone = [one for one in there if not any(one.span.overlaps(booked.span) for booked in presence)]
    lines += [line for one in alone for line in _dropped_in(one, services.values(), zone)]
    return sorted(lines, key=lambda line: (line.day, line.booking_id or "~", line.stay_ids, line.kind))


def _placed(stay: Stayed, presence: Sequence[Booked], as_of: datetime) -> _There:
    remarks = [Remark.DISPUTED] if stay.disputed else []
    ended_at = stay.ended_at
    if ended_at is None:
        remarks.append(Remark.STILL_HERE)
        ended_at = as_of
    elif stay.assumed:
        remarks.append(Remark.ASSUMED_DEPARTURE)
    started_at = stay.started_at
    if started_at is None:
        remarks.append(Remark.UNKNOWN_ARRIVAL)
        begun = [one.span.starts_at for one in presence if ended_at - SPAN_MAX < one.span.starts_at < ended_at]
        started_at = max(begun, default=ended_at)
    return _There(stay, Span(min(started_at, ended_at), ended_at), tuple(remarks))


def _of_booking(booked: Booked, service: Offered, there: Sequence[_There], as_of: datetime) -> Iterator[UsageLine]:
    if booked.status is BookingStatus.CANCELLED_BY_PARENT and booked.chargeable:
        yield _booked_line(UsageKind.LATE_CANCELLATION, booked, service)
    if booked.status not in _USED or booked.span.ends_at > as_of:
        return
    if service.unit is ServiceUnit.ITEM:
        yield _booked_line(UsageKind.ITEM, booked, service)
        return
    found = [one for one in there if one.span.overlaps(booked.span)]
    if not found:
        yield _booked_line(UsageKind.NO_SHOW, booked, service)
        return
    line = _booked_line(UsageKind.ATTENDED, booked, service)
    yield replace(
        line,
        attended_from=found[0].stay.started_at,
        attended_to=found[-1].stay.ended_at,
        stay_ids=tuple(one.stay.id for one in found),
        event_ids=_events(found),
        remarks=tuple(dict.fromkeys((*(remark for one in found for remark in one.remarks), *line.remarks))),
    )


def _excused(
    line: UsageLine, bookings: Mapping[str, Booked], absences: Collection[Announced], arrivals: Sequence[Arrival]
) -> UsageLine:
    """Give what becomes of a line when the child was announced not to come; of several absences the mildest counts."""
    if line.kind is not UsageKind.NO_SHOW or line.booking_id is None:
        return line
    begins = bookings[line.booking_id].span.starts_at
    found = [one for one in absences if one.excuses(line.day, begins, arrivals)]
    if not found:
        return line
    excused = replace(line, kind=UsageKind.ABSENT)
    if line.amount is None or all(one.billable for one in found):
        return excused
    return replace(excused, amount=rounded(Decimal(0), line.currency or ""))


def _booked_line(kind: UsageKind, booked: Booked, service: Offered) -> UsageLine:
    terms = service.terms_on(booked.day)
    percents = {
        UsageKind.NO_SHOW: terms.no_show_percent if terms else 0,
        UsageKind.LATE_CANCELLATION: terms.late_cancel_percent if terms else 0,
    }
    quantity = _quantity(service.unit, booked.span, terms)
    return _priced(
        UsageLine(
            kind=kind,
            day=booked.day,
            service_id=service.id,
            unit=service.unit.value,
            quantity=quantity.quantize(_QUANTITY),
            booked=booked.span,
            booking_id=booked.id,
        ),
        service,
        terms,
        terms.price * quantity * percents.get(kind, _PERCENT) / _PERCENT if terms else None,
    )


def _late(there: _There, blocks: Sequence[Sequence[Booked]], services: Mapping[str, Offered]) -> Iterator[UsageLine]:
    """What a stay goes beyond each block of bookings that it is in when the block ends."""
    if there.stay.ended_at is None or there.stay.assumed:
        return
    ends = [max(block, key=lambda one: one.span.ends_at) for block in blocks]
    begins = [block[0].span.starts_at for block in blocks]
    for last, next_begin in zip_longest(ends, begins[1:]):
        booked_end = last.span.ends_at
        if not there.span.starts_at < booked_end < there.span.ends_at:
            continue
        until = min(there.span.ends_at, next_begin) if next_begin else there.span.ends_at
        service = services[last.service_id]
        terms = service.terms_on(last.day)
        over = until - booked_end
        minutes = over // _MINUTE
        if minutes and over > timedelta(minutes=terms.late_grace_min if terms else 0):
            line = UsageLine(
                kind=UsageKind.LATE_PICK_UP,
                day=last.day,
                service_id=service.id,
                unit="minute",
                quantity=Decimal(minutes),
                booked=last.span,
                attended_from=there.stay.started_at,
                attended_to=there.stay.ended_at,
                booking_id=last.id,
                stay_ids=(there.stay.id,),
                event_ids=there.stay.event_ids,
                remarks=there.remarks,
            )
            yield _priced(line, service, terms, terms.late_minute_price * minutes if terms else None)


def _dropped_in(there: _There, services: Iterable[Offered], zone: ZoneInfo) -> list[UsageLine]:
    """A stay that nobody booked: hours are counted as they were, and of a session each one that it was in."""
    stay, day = there.stay, there.span.starts_at.astimezone(zone).date()
    line = UsageLine(
        kind=UsageKind.DROP_IN,
        day=day,
        service_id=None,
        unit=ServiceUnit.HOUR.value,
        quantity=(Decimal(there.span.minutes) / _HOUR_MIN).quantize(_QUANTITY),
        attended_from=stay.started_at,
        attended_to=stay.ended_at,
        stay_ids=(stay.id,),
        event_ids=stay.event_ids,
        remarks=there.remarks,
    )
    if Remark.UNKNOWN_ARRIVAL in there.remarks or Remark.STILL_HERE in there.remarks:
        return [line]
    best = _best_of(there.span, services, zone)
    if best is None:
        return [replace(line, remarks=(*there.remarks, Remark.NO_SERVICE))]
    days = _days_of(there.span, best, zone)
    if best.unit is not ServiceUnit.HOUR:
        return [_drop_in(replace(line, day=one), best, one, there.span) for one in days]
    hours = _drop_in(line, best, days[0], there.span)
    return [replace(hours, amount=None) if Remark.ASSUMED_DEPARTURE in there.remarks else hours]


def _drop_in(line: UsageLine, service: Offered, day: date, span: Span) -> UsageLine:
    terms = service.terms_on(day)
    quantity = _quantity(service.unit, span, terms)
    counted = replace(line, service_id=service.id, unit=service.unit.value, quantity=quantity.quantize(_QUANTITY))
    return _priced(counted, service, terms, terms.price * quantity if terms else None)


def _best_of(span: Span, services: Iterable[Offered], zone: ZoneInfo) -> Offered | None:
    """The service for drop-ins that covers most of a stay; of equal ones the first by its id, which never changes."""
    found: list[tuple[timedelta, Offered]] = []
    for service in sorted(services, key=lambda one: one.id):
        windows = [service.window.span(day, zone) for day in _days_of(span, service, zone)]
        covered = sum((_common(span, window) for window in windows), timedelta())
        if covered:
            found.append((covered, service))
    return max(found, key=lambda one: one[0])[1] if found else None


def _days_of(span: Span, service: Offered, zone: ZoneInfo) -> list[date]:
    """The days on which the service begins, has a time within the span and takes drop-ins."""
    first, last = span.starts_at.astimezone(zone).date() - _DAY, span.ends_at.astimezone(zone).date()
    days = [first + _DAY * number for number in range((last - first).days + 1)]
    offered = [day for day in days if service.window.is_on(day) and service.takes_drop_ins(day)]
    return [day for day in offered if service.window.span(day, zone).overlaps(span)]


def _blocks(presence: Sequence[Booked]) -> list[list[Booked]]:
    """Bookings by time, those that meet or overlap together."""
    blocks: list[list[Booked]] = []
    for one in presence:
        if blocks and one.span.starts_at <= max(each.span.ends_at for each in blocks[-1]):
            blocks[-1].append(one)
        else:
            blocks.append([one])
    return blocks


def _quantity(unit: ServiceUnit, span: Span, terms: Terms | None) -> Decimal:
    if unit is not ServiceUnit.HOUR:
        return Decimal(1)
    step = terms.rounding_min if terms else 1
    return Decimal(-(-span.minutes // step) * step) / _HOUR_MIN


def _priced(line: UsageLine, service: Offered, terms: Terms | None, amount: Decimal | None) -> UsageLine:
    if terms is None or amount is None:
        return replace(line, currency=service.currency, remarks=(*line.remarks, Remark.NO_TERMS))
    return replace(
        line, terms_version=terms.version, amount=rounded(amount, service.currency), currency=service.currency
    )


def _common(one: Span, other: Span) -> timedelta:
    return max(timedelta(), min(one.ends_at, other.ends_at) - max(one.starts_at, other.starts_at))


def _events(found: Iterable[_There]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(event_id for one in found for event_id in one.stay.event_ids))
