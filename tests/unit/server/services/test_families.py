"""Rules about families that need no database: rights, resemblance, whereabouts, and what a name may be."""

from datetime import date
from typing import Any

import pytest
from pydantic import ValidationError

from server.models.people import Relationship
from server.schemas.adults import AdultChangeIn
from server.services.guardian_rights import Rights, rights_of
from server.services.my_children import Whereabouts, is_of_a_desk, whereabouts_at
from server.services.my_pickups import Announcement, may_be_the_same
from sync.attendance import AttendanceEvent, EventKind, Fact
from sync.stays import Stay

DAY_MS = 24 * 3_600_000
NOON_MS = 1_790_000_000_000
MORNING_MS = NOON_MS - 12 * 3_600_000
ANNOUNCED = Announcement(
    id="", given_name="Ayşe", family_name="Kaya", phone="+351 910 555 777", relationship="aunt", day=date(2026, 9, 21)
)


def related(**stated: Any) -> Rights:
    return rights_of(Relationship(center_id="", child_id="", adult_id="", **stated))


def test_a_right_that_nobody_decided_is_that_of_a_legal_guardian() -> None:
    assert related(legal_guardian=True) == Rights(can_view=True, can_book=True, receives_notifications=True)
    assert related() == Rights(can_view=False, can_book=False, receives_notifications=False)
    taken = related(legal_guardian=True, can_view=False)
    assert taken == Rights(can_view=False, can_book=True, receives_notifications=True)
    assert related(can_book=True) == Rights(can_view=False, can_book=True, receives_notifications=False)


@pytest.mark.parametrize(
    ("name", "phone", "is_one"),
    [
        ("Ayse Kaya", "", True),
        ("KAYA Ayşe", "", True),
        ("Ayşe Kaia", "", True),
        ("A. Kaya", "", True),
        ("Fatma Kaya", "", False),
        ("Somebody Else", "910555777", True),
        ("Somebody Else", "00351 910 555 777", True),
        ("Somebody Else", "910 555 778", False),
        ("Somebody Else", "777", False),
        ("Somebody Else", "", False),
    ],
)
def test_whoever_may_be_somebody_the_centre_refuses_is_not_announced(name: str, phone: str, is_one: bool) -> None:
    assert may_be_the_same(ANNOUNCED, name, phone) is is_one


def stay(started_ms: int | None, ended_ms: int | None) -> Stay:
    return Stay(check_in=None, started_at_ms=started_ms, ended_at_ms=ended_ms)


@pytest.mark.parametrize(
    ("stays", "expected"),
    [
        ([], Whereabouts.NOT_HERE),
        ([stay(NOON_MS - 1, None)], Whereabouts.IN),
        ([stay(NOON_MS - 2, NOON_MS - 1)], Whereabouts.OUT),
        ([stay(None, NOON_MS - 1)], Whereabouts.OUT),
        ([stay(MORNING_MS - 2, MORNING_MS)], Whereabouts.OUT),
        ([stay(MORNING_MS - 2, MORNING_MS - 1)], Whereabouts.NOT_HERE),
        ([stay(NOON_MS - 9, NOON_MS - 8), stay(NOON_MS + 60_000, None)], Whereabouts.OUT),
        ([stay(NOON_MS - 9, NOON_MS + 60_000)], Whereabouts.IN),
        ([stay(NOON_MS - DAY_MS, NOON_MS - DAY_MS + 1), stay(NOON_MS - 9, None)], Whereabouts.IN),
    ],
)
def test_where_a_child_is_follows_from_its_last_stay_that_has_begun(stays: list[Stay], expected: Whereabouts) -> None:
    whereabouts, found = whereabouts_at(stays, NOON_MS, day_start_ms=MORNING_MS)
    assert whereabouts is expected
    assert (found is None) is (expected is Whereabouts.NOT_HERE)


def test_only_what_somebody_at_a_desk_recorded_is_confirmed_by_one() -> None:
    event = AttendanceEvent(
        event_id="", kind=EventKind.CHECK_IN, center_id="", child_id="", occurred_at_ms=NOON_MS, recorded_at_ms=NOON_MS
    )
    fact = Fact(event=event, device_id="desk", incarnation="", seq=1, hlc=1)
    open_stay = stay(NOON_MS, None)
    assert is_of_a_desk(open_stay, fact, frozenset({"server"}))
    assert not is_of_a_desk(open_stay, fact, frozenset({"desk"}))
    assert not is_of_a_desk(open_stay, None, frozenset())
    assert not is_of_a_desk(open_stay, Fact(event=event, device_id="", incarnation="", seq=1, hlc=1), frozenset())
    assumed = Stay(check_in=fact, started_at_ms=1, ended_at_ms=NOON_MS, assumed=True)
    assert not is_of_a_desk(assumed, fact, frozenset())


@pytest.mark.parametrize(
    "wrong", [{"given_name": " "}, {"given_name": "a\x00"}, {"email": "x"}, {"email": "a@b.c\nd"}, {"phone": "\x1b[0m"}]
)
def test_names_and_addresses_that_nobody_has_are_refused(wrong: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        AdultChangeIn(**wrong)


def test_names_and_addresses_are_kept_in_one_form() -> None:
    body = AdultChangeIn(given_name=" Zoe\u0308 ", email=" Zoe@Example.org ", phone="")
    assert (body.given_name, body.email, body.phone) == ("Zo\u00eb", "zoe@example.org", "")
    assert AdultChangeIn(email=" ").email == ""
