"""Who should be there by what was booked, beside who is."""

from dataclasses import replace
from datetime import timedelta

import pytest

from server.core.clock import datetime_of, ms_of
from server.models.rooms import Center
from server.repositories.live_board import BoardPerson, BoardStay, LastCall
from server.services.board import Announced, Came, RoomPlan
from server.services.board_people import Inside, insiders
from server.services.board_plan import (
    DayPlan,
    announced,
    due_ms,
    expected,
    expected_at,
    forecast,
    missed,
    overdue,
    quarter_of,
    room_plans,
)
from server.services.day_windows import Span

MINUTE_MS = 60_000
DAY_MS = 1_790_000_000_000 - 1_790_000_000_000 % (24 * 60 * MINUTE_MS)
CENTER = Center(id="c", organisation_id="o", code="north", name="North", time_zone="UTC")
ROOMS = {"bees": "Bumblebees", "ants": "Ants"}
PEOPLE = [
    BoardPerson(name, True, name.title(), "Silva", "", "2023-01-01", room, True, False)
    for name, room in (("ana", "bees"), ("bob", "bees"), ("cleo", "ants"), ("dora", "ants"))
]


def at(hour: int, minute: int = 0) -> int:
    return DAY_MS + (hour * 60 + minute) * MINUTE_MS


def span(begin: int, end: int) -> Span:
    return Span(datetime_of(at(begin)), datetime_of(at(end)))


def inside(*came: tuple[str, int], now_ms: int) -> list[Inside]:
    stays = [BoardStay(f"of {who}", who, "child", at_ms, None, False, False, (), b"", b"") for who, at_ms in came]
    return insiders(stays, {one.id: one for one in PEOPLE}, ROOMS, now_ms)


def test_who_has_not_come_is_told_by_the_time_that_was_booked() -> None:
    call = LastCall(datetime_of(at(9)), "Ruth", "no_answer", "", 1)
    plan = DayPlan({"bob": (span(9, 12),), "ana": (span(8, 12),), "dora": (span(7, 9),)}, {"dora"}, {"bob": call})
    found = missed(PEOPLE, {"nobody"}, plan, ROOMS)
    assert [(one.child_id, one.expected_at_ms) for one in found] == [("ana", at(8)), ("bob", at(9)), ("cleo", None)]
    assert [one.call for one in found] == [None, call, None]
    assert [one.child_id for one in missed(PEOPLE, {"ana", "cleo"}, plan, ROOMS)] == ["bob"]


def test_rooms_count_who_is_booked_and_not_announced() -> None:
    plan = DayPlan({"ana": (span(8, 12),), "bob": (span(13, 17),), "dora": (span(8, 12),)}, {"dora"})
    now = datetime_of(at(8))
    assert room_plans(PEOPLE, plan, now, ROOMS) == [RoomPlan("bees", 1, 2), RoomPlan("ants", 0, 0)]
    assert room_plans(PEOPLE, plan, datetime_of(at(12)), ROOMS)[0] == RoomPlan("bees", 0, 2)


def test_who_is_expected_is_told_by_the_time_with_what_became_of_it() -> None:
    plan = DayPlan({"bob": (span(9, 12), span(13, 15)), "ana": (span(8, 12),), "cleo": (span(9, 10),)})
    there = inside(("ana", at(8)), ("dora", at(8)), now_ms=at(10))
    found = expected(PEOPLE, there, {"ana", "dora", "cleo"}, plan, ROOMS)
    assert [(one.child_id, one.starts_at_ms, one.ends_at_ms, one.came) for one in found] == [
        ("ana", at(8), at(12), Came.IN), ("bob", at(9), at(15), Came.NOT_COME), ("cleo", at(9), at(10), Came.LEFT),
    ]  # fmt: skip
    assert found[2].room_name == "Ants"
    told = DayPlan(plan.times, announced={"bob", "dora", "ana"})
    assert [one.child_id for one in expected(PEOPLE, there, {"ana"}, told, ROOMS)] == ["cleo"]
    # Who came all the same is not absent.
    assert announced(PEOPLE, {"ana", "dora"}, told, ROOMS) == [Announced("bob", "Bob Silva", "Bumblebees")]
    grown = [replace(one, is_child=False) for one in PEOPLE]
    assert (expected(grown, there, (), plan, ROOMS), announced(grown, (), told, ROOMS)) == ([], [])


def test_the_expected_of_each_quarter_are_those_whose_booking_holds_it_each_once() -> None:
    plan = DayPlan({
        "ana": (span(8, 10), span(9, 11)),
        "bob": (Span(datetime_of(at(8, 20)), datetime_of(at(8, 50))),),
        "cleo": (Span(datetime_of(at(0) - MINUTE_MS), datetime_of(at(8, 30))),),
        "dora": (span(8, 11),),
    }, {"dora"})  # fmt: skip
    found = expected_at(PEOPLE, plan, start_ms=at(0), end_ms=at(24))
    assert (len(found), found[0], sum(found[4 * 11 :])) == (96, 1, 0)
    # From 8:00 to 9:00: ana and cleo, at 8:30 ana and bob. Of what meets or overlaps a child counts once.
    assert (found[32:36], found[36:44]) == ((2, 2, 2, 2), (1,) * 8)
    assert expected_at(PEOPLE, DayPlan(), start_ms=at(0), end_ms=at(25)) == (0,) * 100


@pytest.mark.parametrize(
    ("hour", "minute", "late"), [(11, 59, []), (12, 0, []), (12, 1, ["ana"]), (17, 1, ["ana", "bob"])]
)
def test_a_child_is_overdue_from_the_minute_after_its_booked_end(hour: int, minute: int, late: list[str]) -> None:
    plan = DayPlan({"ana": (span(8, 12),), "bob": (span(8, 12), span(12, 17))})
    now_ms = at(hour, minute)
    there = inside(("ana", at(8)), ("bob", at(8)), ("cleo", at(8)), now_ms=now_ms)
    assert [one.stay.subject_id for one in overdue(there, plan, datetime_of(now_ms), CENTER)] == late
    assert due_ms(there[-1], plan, datetime_of(now_ms), CENTER) is None


def test_the_next_two_hours_are_told_in_quarters() -> None:
    plan = DayPlan({"ana": (span(8, 12),), "bob": (span(10, 12),), "cleo": (span(8, 11),), "dora": (span(12, 14),)})
    now = datetime_of(at(9, 50))
    there = inside(("cleo", at(8)), now_ms=ms_of(now))
    found = forecast(missed(PEOPLE, {"cleo"}, plan, ROOMS), there, plan, now, CENTER)
    # ana is late and stands in the quarter that has begun; dora comes after the two hours.
    assert (found.starts_at_ms, found.arrivals) == (at(9, 45), (1, 1, 0, 0, 0, 0, 0, 0))
    assert found.departures == (0, 0, 0, 0, 0, 1, 0, 0)
    assert quarter_of(now) + timedelta(minutes=5) == now
    # What is over is waited for no more.
    over = forecast(missed(PEOPLE, {"cleo"}, plan, ROOMS), there, plan, datetime_of(at(15)), CENTER)
    assert (sum(over.arrivals), sum(over.departures)) == (0, 1)
