"""Who is where on the live board, by hand-made stays of one day."""

from dataclasses import replace
from datetime import UTC, datetime, time

import msgspec
import pytest

from server.core.clock import ms_of
from server.repositories.live_board import BoardAlert, BoardFinding, BoardPerson, BoardStay
from server.services.board_people import (
    QUARTER_MS,
    after_hours,
    allergies_present,
    child_in,
    child_left,
    departures,
    insiders,
    last_closing_ms,
    named,
    said_event,
    seen_today,
    together,
    were_in,
)
from sync.attendance import AttendanceEvent, EventKind
from sync.attendance_events import encode_event
from sync.presence import Group
from sync.ratio import ChildPresent

MINUTE_MS = 60_000
DAY_MS = 1_790_000_000_000 - 1_790_000_000_000 % (24 * 60 * MINUTE_MS)
NOON_MS = DAY_MS + 12 * 60 * MINUTE_MS
BEES, ANTS, GONE = "bees", "ants", "gone"
ROOMS = {BEES: "Bumblebees", ANTS: "Ants"}


def person(name: str, *, is_child: bool = True, home: str = BEES, enrolled: bool = True) -> BoardPerson:
    return BoardPerson(
        name, is_child, name.title(), "Silva", "", "2023-01-01" if is_child else "", home, enrolled, True
    )


PEOPLE = {one.id: one for one in (person("ana"), person("zoe"), person("old", enrolled=False))}
PEOPLE["ruth"] = person("ruth", is_child=False, home="")


def stay(who: str, came: int | None, left: int | None = None, **more: object) -> BoardStay:
    """Minutes are those of the day."""
    started = None if came is None else DAY_MS + came * MINUTE_MS
    ended = None if left is None else DAY_MS + left * MINUTE_MS
    kind = "person" if who in {"ruth", "bob"} else "child"
    made = BoardStay(f"stay of {who}", who, kind, started, ended, False, False, (), b"", b"")
    return replace(made, **more)  # type: ignore[arg-type]


def body(kind: EventKind, **more: str) -> bytes:
    event = AttendanceEvent(
        event_id="00000000-0000-7000-8000-000000000001",
        kind=kind,
        center_id="00000000-0000-7000-8000-0000000000c1",
        occurred_at_ms=NOON_MS,
        recorded_at_ms=NOON_MS,
    )
    return encode_event(msgspec.structs.replace(event, **more))


def test_somebody_is_in_from_when_they_came_until_they_left() -> None:
    for came, left, is_in in (
        (720, None, True),
        (721, None, False),
        (0, 720, False),
        (0, 721, True),
        (None, 800, False),
    ):
        found = insiders([stay("ana", came, left)], PEOPLE, ROOMS, NOON_MS)
        assert bool(found) is is_in, (came, left)


def test_a_room_is_the_last_that_was_said_or_else_the_home_room() -> None:
    moved = ((DAY_MS, ANTS), (NOON_MS, BEES), (NOON_MS + 1, ANTS))
    cases = (("ana", moved, BEES, False), ("ana", (), BEES, True), ("ruth", (), "", False))
    for who, rooms, expected, is_assumed in cases:
        (found,) = insiders([stay(who, 0, rooms=rooms)], PEOPLE, ROOMS, NOON_MS)
        assert (found.room_id, found.is_assumed_room) == (expected, is_assumed), who
    (lost,) = insiders([stay("ana", 0, rooms=((DAY_MS, GONE),))], PEOPLE, ROOMS, NOON_MS)
    assert (lost.room_id, lost.is_assumed_room) == ("", False), "a room that is no more"


CHILD_ID, BOB_ID = "00000000-0000-7000-8000-00000000000a", "00000000-0000-7000-8000-00000000000b"


@pytest.mark.parametrize(
    ("who", "came_body", "group", "name"),
    [
        ("guest", body(EventKind.CHECK_IN, child_id=CHILD_ID, provisional_name="Mia New"), Group.CHILD, "Mia New"),
        ("bob", body(EventKind.VISITOR_IN, person_id=BOB_ID, person_name="Bob Builder"), Group.VISITOR, "Bob Builder"),
        ("bob", body(EventKind.STAFF_IN, person_id=BOB_ID), Group.STAFF, ""),
        ("bob", b"from a newer server", Group.STAFF, ""),
        ("guest", b"", Group.CHILD, ""),
    ],
)
def test_who_is_not_on_file_is_called_what_the_event_says(who: str, came_body: bytes, group: Group, name: str) -> None:
    (found,) = insiders([stay(who, 0, came_body=came_body)], PEOPLE, ROOMS, NOON_MS)
    assert (found.group, found.name, found.person) == (group, name, None)


def test_a_finding_about_who_is_not_on_file_has_the_name_they_came_under() -> None:
    came = body(EventKind.CHECK_IN, child_id=CHILD_ID, provisional_name="Mia New")
    finding = BoardFinding("key", "unknown_reference", "info", "guest", "", None, None)
    known, elsewhere = replace(finding, subject_name="Ana Silva"), replace(finding, subject_id="zoe")
    found = named([finding, known, elsewhere], [stay("guest", 0, 10, came_body=came)])
    assert [one.subject_name for one in found] == ["Mia New", "Ana Silva", ""]


def test_the_ratio_counts_every_child_and_the_adults_on_file() -> None:
    everybody = [stay(who, 0) for who in ("ana", "ruth", "bob", "guest")]
    found = together(insiders(everybody, PEOPLE, ROOMS, NOON_MS), ROOMS)
    assert found[BEES].children == (ChildPresent("ana", "2023-01-01"),)
    assert found[""].children == (ChildPresent("guest", ""),)
    assert [adult.person_id for adult in found[""].staff] == ["ruth"]
    assert (found[ANTS].children, found[ANTS].staff) == ((), ())
    assert "" not in together([], ROOMS)


def test_who_has_a_stay_today_was_seen() -> None:
    stays = (stay("ana", 0, 10), stay("zoe", None, 10), stay("ruth", 721))
    assert seen_today(stays, NOON_MS) == {"ana", "zoe"}, "a desk whose clock is ahead shows nobody"


def test_who_was_in_when_the_centre_closed_last_and_is_in_still_is_listed() -> None:
    inside = insiders([stay("zoe", 700), stay("ana", 600), stay("ruth", 0)], PEOPLE, ROOMS, NOON_MS)
    closed_ms = DAY_MS + 690 * MINUTE_MS
    assert [one.child_id for one in after_hours(inside, closed_ms, ROOMS)] == ["ana"]
    assert [one.child_id for one in after_hours(inside, NOON_MS, ROOMS)] == ["ana", "zoe"]
    assert after_hours(inside, None, ROOMS) == []


@pytest.mark.parametrize(
    ("now", "closes_at", "closed"),
    [
        (datetime(2026, 9, 21, 17, 0, tzinfo=UTC), time(18, 0), datetime(2026, 9, 21, 17, 0, tzinfo=UTC)),
        (datetime(2026, 9, 21, 9, 0, tzinfo=UTC), time(18, 0), datetime(2026, 9, 20, 17, 0, tzinfo=UTC)),
        (datetime(2026, 10, 25, 19, 0, tzinfo=UTC), time(18, 0), datetime(2026, 10, 25, 18, 0, tzinfo=UTC)),
        (datetime(2026, 9, 21, 22, 0, tzinfo=UTC), time(2, 0), datetime(2026, 9, 21, 1, 0, tzinfo=UTC)),
    ],
)
def test_a_centre_closed_last_by_its_own_clock(now: datetime, closes_at: time, closed: datetime) -> None:
    assert last_closing_ms(now, closes_at, "Europe/Lisbon") == ms_of(closed)
    assert last_closing_ms(now, None, "Europe/Lisbon") is None


def test_a_child_that_came_again_has_not_left() -> None:
    stays = [stay("ana", 0, 60), stay("ana", 120), stay("zoe", 0, 60), stay("zoe", 61, 90), stay("ruth", 0, 100)]
    stays.append(stay("guest", 0, 721))
    inside = insiders(stays, PEOPLE, ROOMS, NOON_MS)
    assert [(one.subject_id, one.ended_at_ms) for one in departures(stays, inside, NOON_MS)] == [
        ("zoe", DAY_MS + 90 * MINUTE_MS)
    ]


def test_a_child_that_left_is_shown_with_whoever_collected_it() -> None:
    typed = body(EventKind.CHECK_OUT, child_id=CHILD_ID, adult_id=BOB_ID, adult_name="Grandmother")
    chosen = body(EventKind.CHECK_OUT, child_id=CHILD_ID, adult_id=BOB_ID)
    for left_body, expected in ((typed, "Grandmother"), (chosen, "Deniz Silva"), (b"", ""), (b"{", "")):
        found = child_left(stay("ana", 0, 60, left_body=left_body), PEOPLE["ana"], {BOB_ID: "Deniz Silva"})
        assert (found.name, found.collected_by) == ("Ana Silva", expected)
    assert child_left(stay("ana", 0, 60, left_body=chosen), PEOPLE["ana"], {}).collected_by == ""
    assert said_event(b"") is None


def test_alerts_are_shown_with_the_child_and_allergies_the_worst_first() -> None:
    peanuts, bees = BoardAlert("ana", "allergy", "info", "Peanuts"), BoardAlert("zoe", "allergy", "critical", "Bees")
    court = BoardAlert("ana", "custody", "critical", "Not the uncle")
    alerts = {"ana": [court, peanuts], "zoe": [bees], "old": [peanuts]}
    inside = insiders([stay("ana", 0), stay("zoe", 0)], PEOPLE, ROOMS, NOON_MS)
    assert [one.alert.text for one in allergies_present(inside, alerts, ROOMS)] == ["Bees", "Peanuts"]
    shown = child_in(inside[0], alerts["ana"])
    assert (shown.has_critical, shown.allergies) == (True, ("Peanuts",))
    assert not child_in(inside[0], [peanuts] * 9).has_critical
    assert len(child_in(inside[0], [peanuts] * 9).allergies) == 5


def test_the_curve_counts_the_children_at_each_quarter_of_an_hour() -> None:
    stays = [stay("ana", 15, 45), stay("zoe", 16), stay("ruth", 0), stay("guest", None, 30), stay("guest", -60, 15)]
    assert were_in(stays, start_ms=DAY_MS, now_ms=DAY_MS + 60 * MINUTE_MS) == (1, 1, 2, 1, 1)
    assert were_in([], start_ms=DAY_MS, now_ms=DAY_MS + QUARTER_MS - 1) == (0,)
