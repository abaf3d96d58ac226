"""The board decides one wish after the other, and says why not."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from server.core.errors import Conflict, InvalidInput, NotFound, RollcallError
from server.models.planning import BookingSource, BookingStatus, Service
from server.models.rooms import Center
from server.repositories.bookings import LiveBooking
from server.services.booking_board import (
    AlreadyBooked,
    Asker,
    Board,
    IfFull,
    NoPlace,
    Wish,
    is_chargeable,
    promoted,
)
from server.services.planning_calendar import Calendar

NOW = datetime(2026, 9, 21, 14, 0, tzinfo=UTC)
TUESDAY = date(2026, 9, 22)
BERLIN = ZoneInfo("Europe/Berlin")
CENTER = Center(id="north", organisation_id="hill", code="north", name="North", time_zone="Europe/Berlin")
PARENT, STAFF = Asker("p", BookingSource.PARENT), Asker("s", BookingSource.STAFF)
CALENDAR = Calendar(
    closures=((date(2026, 9, 24), date(2026, 9, 24)),), locks=((date(2026, 9, 14), date(2026, 9, 18), NOW),)
)


def service(service_id: str = "am", **changes: Any) -> Service:
    values: dict[str, Any] = {
        "center_id": "north", "id": service_id, "code": service_id, "name": service_id, "unit": "session",
        "currency": "EUR", "capacity": 1, "weekdays": 31, "from_time": time(8), "to_time": time(13), "created_at": NOW,
    }  # fmt: skip
    return Service(**values | changes)


def board(*services: Service, live: tuple[LiveBooking, ...] = ()) -> Board:
    children = {"ana": True, "bo": True, "gone": False}
    return Board(CENTER, CALENDAR, {one.id: one for one in services or (service(),)}, children, live)


def wish(child: str = "ana", day: date = TUESDAY, **changes: Any) -> Wish:
    return Wish("id", child, str(changes.pop("service_id", "am")), day, **changes)


@pytest.mark.parametrize(
    ("wanted", "asker", "error"),
    [
        (wish(service_id="pm"), STAFF, NotFound),
        (wish("nobody"), STAFF, NotFound),
        (wish("gone"), STAFF, Conflict),
        (wish(day=date(2026, 9, 26)), STAFF, InvalidInput),
        (wish(day=date(2026, 9, 24)), STAFF, Conflict),
        (wish(day=date(2026, 9, 18)), STAFF, Conflict),
        (wish(day=date(2026, 9, 21)), PARENT, Conflict),
        (wish(day=date(2026, 8, 20)), STAFF, InvalidInput),
        (wish(day=date(2027, 10, 27)), STAFF, InvalidInput),
        (wish(starts_at=NOW, ends_at=NOW), STAFF, InvalidInput),
    ],
)
def test_what_cannot_be_booked_is_refused_with_its_reason(
    wanted: Wish, asker: Asker, error: type[RollcallError]
) -> None:
    with pytest.raises(error):
        board().decide(wanted, asker, NOW)


def test_a_service_that_is_not_offered_takes_nobody() -> None:
    with pytest.raises(Conflict, match="not offered"):
        board(service(active=False)).decide(wish(), STAFF, NOW)


def test_the_last_place_is_given_once_and_then_people_wait_or_are_refused() -> None:
    desk = board()
    assert desk.decide(wish(), STAFF, NOW).status == BookingStatus.CONFIRMED
    with pytest.raises(AlreadyBooked):
        desk.decide(wish(), STAFF, NOW)
    with pytest.raises(NoPlace):
        desk.decide(wish("bo", if_full=IfFull.REFUSE), STAFF, NOW)
    waiting = desk.decide(wish("bo"), PARENT, NOW)
    assert (waiting.status, waiting.answer_by) == (BookingStatus.WAITLISTED, None)
    with pytest.raises(AlreadyBooked):
        desk.decide(wish("bo"), STAFF, NOW)


def test_nobody_waits_for_what_has_begun() -> None:
    desk = board()
    assert desk.decide(wish(day=date(2026, 9, 21)), STAFF, NOW).status == BookingStatus.CONFIRMED
    with pytest.raises(NoPlace, match="begun"):
        desk.decide(wish("bo", day=date(2026, 9, 21)), STAFF, NOW)


def test_a_request_waits_for_an_answer_and_holds_its_place() -> None:
    desk = board(service(needs_approval=True, capacity=2))
    asked = desk.decide(wish(), PARENT, NOW)
    assert asked.status == BookingStatus.REQUESTED
    assert asked.answer_by == datetime(2026, 9, 22, 6, tzinfo=UTC)  # before 48 hours are over, it begins
    assert desk.decide(wish("bo"), STAFF, NOW).status == BookingStatus.CONFIRMED


def test_another_wish_has_another_content_and_an_offset_is_none() -> None:
    hours: dict[str, Any] = {"starts_at": NOW, "ends_at": NOW + timedelta(hours=1)}
    same: dict[str, Any] = {
        "starts_at": NOW.astimezone(BERLIN),
        "ends_at": (NOW + timedelta(hours=1)).astimezone(BERLIN),
    }
    assert wish(**hours).content == wish(**same).content
    others = [
        wish(),
        wish("bo"),
        wish(day=NOW.date()),
        wish(service_id="pm"),
        wish(if_full=IfFull.REFUSE),
        wish(**hours),
    ]
    assert len({one.content for one in others}) == len(others)


def live(booking_id: str, begin: int, end: int, status: BookingStatus, **changes: Any) -> LiveBooking:
    values: dict[str, Any] = {
        "id": booking_id, "child_id": booking_id, "service_id": "am", "starts_at": NOW + timedelta(hours=begin),
        "ends_at": NOW + timedelta(hours=end), "status": status, "source": "staff", "created_at": NOW,
        "is_enrolled": True,
    }  # fmt: skip
    return LiveBooking(**values | changes)


def test_only_who_can_still_come_gets_a_place_that_is_free() -> None:
    waiting = [
        live("begun", -1, 2, BookingStatus.WAITLISTED, created_at=NOW - timedelta(hours=2)),
        live("left", 1, 2, BookingStatus.WAITLISTED, is_enrolled=False, created_at=NOW - timedelta(hours=1)),
        live("b", 1, 2, BookingStatus.WAITLISTED),
        live("c", 1, 2, BookingStatus.WAITLISTED),
    ]
    held = [live("a", 1, 2, BookingStatus.REQUESTED)]
    assert [one.id for one in promoted([*waiting, *held], 2, NOW)] == ["b"]
    assert promoted([*waiting, *held], 1, NOW) == []


@pytest.mark.parametrize(
    ("status", "hours_before", "free_hours", "expected"),
    [
        (BookingStatus.CONFIRMED, 24, 24, False),
        (BookingStatus.CONFIRMED, 23, 24, True),
        (BookingStatus.CONFIRMED, 1, 0, False),
        (BookingStatus.CONFIRMED, 1, None, False),
        (BookingStatus.WAITLISTED, 1, 24, False),
        (BookingStatus.REQUESTED, 1, 24, False),
    ],
)
def test_only_a_place_that_is_given_back_too_late_is_charged(
    status: BookingStatus, hours_before: int, free_hours: int | None, expected: bool
) -> None:
    assert is_chargeable(status, NOW + timedelta(hours=hours_before), free_hours, NOW) is expected
