"""Where a parent is told that their child is, and how sure that is."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from server.core.clock import ms_of
from server.repositories.family_live import FamilyStay
from server.repositories.guardian_accounts import FamilyChild
from server.services.access import Grant, RoleId, User
from server.services.day_windows import Span
from server.services.family_live import MARK_CHARACTERS, centers_of, mark_of
from server.services.family_status import CenterNow, ChildNow, Status, child_now
from sync.change_log import Head
from sync.desk_coverage import DeskWord, coverage

NOW = datetime(2026, 9, 21, 8, 30, tzinfo=UTC)  # 09:30 in Lisbon
NOW_MS = ms_of(NOW)
MINUTE_MS = 60_000
CHILD = FamilyChild(
    center_id="c1", center_name="North House", time_zone="Europe/Lisbon", child_id="k1", given_name="Zoë",
    family_name="Ünal", preferred_name="", home_room_id="r1", enrolled=True, adult_id="a1", kind="mother",
    legal_guardian=True, can_view=True, can_book=True, receives_notifications=True,
)  # fmt: skip


def stay(came: int | None, left: int | None = None, **more: Any) -> FamilyStay:
    """A stay by minutes from now."""
    given = FamilyStay(
        child_id="k1",
        started_at_ms=None if came is None else NOW_MS + came * MINUTE_MS,
        ended_at_ms=None if left is None else NOW_MS + left * MINUTE_MS,
        disputed=False,
        assumed=False,
        rooms=((NOW_MS + (came or 0) * MINUTE_MS, "r2"), (NOW_MS + 10 * MINUTE_MS, "r3")),
        came_at_desk=True,
        left_at_desk=True,
    )
    return replace(given, **more)


def span(begins: int, ends: int) -> Span:
    return Span(NOW + timedelta(minutes=begins), NOW + timedelta(minutes=ends))


def told(
    *stays: FamilyStay, desks: tuple[DeskWord, ...] = (), times: tuple[Span, ...] = (), absent: bool = False
) -> ChildNow:
    known = CenterNow(
        as_of=NOW,
        stays={"k1": stays},
        rooms={"r1": "Bees", "r2": "Owls", "r3": "Foxes"},
        coverage=coverage({word.name: word for word in desks}, NOW_MS),
        times={"k1": times},
        announced={"k1"} if absent else set(),
    )
    return child_now(CHILD, known)


HEARD = DeskWord(name="Front desk", heard_at_ms=NOW_MS - 1_000, waiting=0, is_linked=True)
SILENT = DeskWord(name="Desk 1", heard_at_ms=NOW_MS - 20 * MINUTE_MS, waiting=0, is_linked=False)


@pytest.mark.parametrize(
    ("found", "status", "room", "words"),
    [
        (told(stay(-60)), Status.IN, "Owls", "In since 08:30"),
        (told(stay(-60, 5)), Status.IN, "Owls", "In since 08:30"),
        (told(stay(-60, -5)), Status.OUT, "Bees", "Left at 09:25"),
        (told(stay(-60, -5), absent=True), Status.OUT, "Bees", "Left at 09:25"),
        (told(stay(None, -5)), Status.OUT, "Bees", "Left at 09:25"),
        (told(stay(60)), Status.NOT_HERE, "Bees", "Not here"),
        (told(stay(-24 * 60, -20 * 60)), Status.NOT_HERE, "Bees", "Not here"),
        (told(absent=True, times=(span(-30, 60),)), Status.ABSENT, "Bees", "Absent today"),
        (told(times=(span(-90, -60), span(-30, 60))), Status.EXPECTED, "Bees", "Expected from 09:00"),
        (told(times=(span(-90, 0),)), Status.NOT_HERE, "Bees", "Not here"),
    ],
)  # fmt: skip
def test_each_row_of_the_table(found: ChildNow, status: Status, room: str, words: str) -> None:
    assert (found.status, found.room, found.says) == (status, room, (words,))
    assert found.is_sure
    assert found.known_until_ms is None


def test_a_silent_desk_makes_it_as_of_its_last_word_and_is_named() -> None:
    assert told(stay(-60), desks=(HEARD,)).says == ("In since 08:30",)
    found = told(stay(-60), desks=(HEARD, SILENT))
    assert found.says == ("In since 08:30, as of 09:10", "Desk 1 has not been heard since 09:10")
    assert (found.is_sure, found.known_until_ms) == (False, NOW_MS - 20 * MINUTE_MS)
    later = DeskWord(name="Desk 2", heard_at_ms=NOW_MS - 5 * MINUTE_MS, waiting=0, is_linked=False)
    assert told(desks=(later, SILENT)).known_until_ms == NOW_MS - 20 * MINUTE_MS, "up to when all of them were heard"
    never = told(desks=(SILENT, DeskWord(name="Back door")))
    assert never.says[0] == "Not here, by what was heard"
    assert (never.is_sure, never.known_until_ms) == (False, None)
    many = told(desks=tuple(DeskWord(name=f"Desk {number}") for number in range(9)))
    assert len(many.says) == 4


def test_what_the_server_entered_or_assumed_is_not_confirmed_by_a_desk() -> None:
    assert told(stay(-60)).is_confirmed
    assert not told(stay(-60, came_at_desk=False)).is_confirmed
    assert told(stay(-60, -5, came_at_desk=False)).is_confirmed
    assert not told(stay(-60, -5, assumed=True)).is_confirmed
    assert not told(stay(-60, -5, left_at_desk=False)).is_confirmed
    assert told(stay(-60, disputed=True)).is_disputed
    assert not told().is_confirmed


def test_who_left_and_comes_again_is_due_and_who_is_in_or_absent_is_not() -> None:
    again = (span(60, 120),)
    assert told(stay(-60, -5), times=again).due == again[0]
    assert told(stay(-60), times=again).due is None
    assert told(times=again, absent=True).due is None


def test_a_mark_tells_accounts_logs_and_versions_apart_and_is_never_long() -> None:
    def head(epoch: str, version: int) -> Head:
        return Head(epoch=epoch, version=version, hash=b"")

    marks = [
        mark_of("u", [head("e", 7), None]), mark_of("v", [head("e", 7), None]), mark_of("u", [head("f", 7), None]),
        mark_of("u", [head("e", 8), None]), mark_of("u", [None, head("e", 7)]),
    ]  # fmt: skip
    assert len(set(marks)) == len(marks)
    assert marks[0].endswith(":7.0")
    assert len(mark_of("u", [head("e", 10**9)] * 100)) == MARK_CHARACTERS


def test_the_centres_of_an_account_are_those_where_it_has_a_role_of_its_own() -> None:
    grants = (
        Grant(RoleId.PARENT, "c2"),
        Grant(RoleId.STAFF, "c1"),
        Grant(RoleId.PARENT, "c1"),
        Grant(RoleId.ADMIN, None),
    )
    assert centers_of(User("u", "o", "u@example.org", "u", is_active=True, grants=grants)) == ("c1", "c2")
