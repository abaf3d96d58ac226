"""How heavy the live page is: it does not grow with the children, and names come one number at a time."""

import json
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

import server.web
from server.controllers.board_lists import FIRST_MAX, names_out
from server.controllers.board_shape import encoded_board
from server.core.clock import ms_of
from server.core.errors import NotFound
from server.models.rooms import Center, Room
from server.repositories.live_board import BoardAlert, BoardFinding, BoardPerson, BoardStay
from server.services.board import LISTED_MAX, ChildLeft, LiveBoard
from server.services.board_plan import DayPlan
from server.services.day_windows import Span
from server.services.live_board import Known, board_of

EVENING = datetime(2026, 9, 21, 18, 30, tzinfo=UTC)
PAGE_BYTES_MAX = 200_000
# As long as a name gets that is no try to break something, and not only in letters of one byte.
GIVEN, FAMILY = "Wilhelmina-Żaklina", "Papadopoulos-Świętosławski"
ROOMS = 50


def _id(number: int) -> str:
    return str(UUID(int=number))


FINDING = BoardFinding("f", "two_collectors", "critical", _id(3_000_000), "Kwame Okafor", None, None)
LEFT = ChildLeft(_id(3_000_001), "Zoë Brandão", _id(3_000_002), ms_of(EVENING), "Aunt Moreau", False, False)


def board_with(children: int, *, missing: int = 0) -> LiveBoard:
    """A centre after closing in which all of its children still are, but some; each has an allergy."""
    rooms = [Room(center_id="", id=_id(1_000_000 + at), external_id=str(at), name=f"Room {at}", capacity=20)
             for at in range(ROOMS)]  # fmt: skip
    people = [_child(at, rooms[at % ROOMS].id) for at in range(children + missing)]
    came_ms = ms_of(EVENING - timedelta(hours=9))
    stays = [_stay(at, came_ms, rooms[at % ROOMS].id) for at in range(children)]
    alerts = [BoardAlert(one.id, "allergy", "critical", "Peanuts: pen in the office") for one in people]
    center = Center(
        id=_id(1), organisation_id="", code="x", name="Große Kita", time_zone="Europe/Berlin", closes_at=time(18)
    )
    span = Span(EVENING - timedelta(hours=9), EVENING - timedelta(hours=1))
    plan = DayPlan(times={one.id: (span,) for one in people})
    known = Known(
        center=center, head=None, rooms=rooms, rules=[], people=people, stays=stays, alerts=alerts, desks=[],
        last_events=[], findings=[FINDING], finding_counts={"critical": 1}, set_aside_count=0, left=[LEFT],
        left_count=1, plan=plan,
    )  # fmt: skip
    return board_of(known, EVENING)


def _child(number: int, room_id: str) -> BoardPerson:
    born = date(2023, 1, 1) + timedelta(days=number)
    return BoardPerson(
        id=_id(number + 2), is_child=True, given_name=f"{GIVEN} {number}", family_name=FAMILY, preferred_name="",
        birth_date=born.isoformat(), home_room_id=room_id, is_enrolled=True, counts_in_ratio=False,
    )  # fmt: skip


def _stay(number: int, came_ms: int, room_id: str) -> BoardStay:
    return BoardStay(
        stay_id=_id(2_000_000 + number), subject_id=_id(number + 2), subject_kind="child", started_at_ms=came_ms,
        ended_at_ms=None, disputed=False, assumed=False, rooms=((came_ms, room_id),), came_body=b"", left_body=b"",
    )  # fmt: skip


def test_a_page_with_a_thousand_children_in_stays_below_its_weight() -> None:
    board = board_with(1_000, missing=1_000)
    content, _ = encoded_board(board, "first")
    found = json.loads(content)
    assert found["totals"]["children"]["certain"] == 1_000
    lists = {name: found[name] for name in ("not_here", "overdue", "after_hours", "allergies")}
    assert {name: one["count"] for name, one in lists.items()} == dict.fromkeys(lists, 1_000)
    assert {len(one["items"]) for one in lists.values()} == {FIRST_MAX}
    web = Path(server.web.__file__).parent
    files = [*(web / "static").iterdir(), web / "templates" / "dashboard" / "live.html"]
    page = sum(file.stat().st_size for file in files)
    assert len(content) < 60_000
    assert page + len(content) < PAGE_BYTES_MAX
    small, _ = encoded_board(board_with(100, missing=100), "first")
    assert len(content) - len(small) < 1_000, "what grows with the children is the digits of their number"


def test_what_is_sent_to_a_wall_names_nobody_and_counts_the_same() -> None:
    board = board_with(100, missing=100)
    wall, named = (json.loads(encoded_board(board, names)[0]) for names in ("none", "first"))
    text = json.dumps(wall, ensure_ascii=False)
    assert not [word for word in (GIVEN, FAMILY, "Peanuts", _id(2), "Kwame", "Zoë") if word in text]
    assert all(word in json.dumps(named, ensure_ascii=False) for word in (GIVEN, "Peanuts", _id(2), "Kwame", "Zoë"))
    lists = ("not_here", "overdue", "after_hours", "allergies", "left", "findings")
    assert {key: wall[key] for key in lists} == {key: {**named[key], "items": []} for key in lists}
    assert {**wall, **dict.fromkeys(lists)} == {**named, **dict.fromkeys(lists)}


@pytest.mark.parametrize(
    ("of", "count", "first"),
    [
        ("children", 600, {"room_name": "Room 0", "on_file": True}),
        ("staff", 0, None),
        ("expected", 1300, {"starts_at": "2026-09-21T11:30:00+02:00", "ends_at": "2026-09-21T19:30:00+02:00"}),
        ("announced", 0, None),
        ("not_here", 700, {"room_name": "Room 0"}),
        ("overdue", 600, {"due_at": "2026-09-21T19:30:00+02:00"}),
        ("after_hours", 600, {"since": "2026-09-21T11:30:00+02:00"}),
        ("allergies", 600, {"severity": "critical"}),
        ("visitors", 0, None),
        ("left", 1, {"collected_by": "Aunt Moreau"}),
    ],
)
def test_behind_a_number_are_its_names(of: Any, count: int, first: dict[str, str] | None) -> None:
    found = names_out(board_with(600, missing=700), of, "").model_dump(mode="json")
    assert (found["of"], found["count"], len(found["items"])) == (of, count, min(count, LISTED_MAX))
    assert found["as_of"] == "2026-09-21T20:30:00+02:00"
    if first is not None:
        assert found["items"][0].items() >= first.items()


def test_behind_the_number_of_a_room_are_its_children_and_of_no_other() -> None:
    board = board_with(100)
    rooms = [names_out(board, "room", room.room_id).model_dump(mode="json") for room in board.rooms]
    assert [(one["count"], len(one["items"]), one["staff"]) for one in rooms] == [(2, 2, [])] * ROOMS
    assert len({child["child_id"] for one in rooms for child in one["items"]}) == 100
    assert rooms[0]["items"][0]["allergies"] == ["Peanuts: pen in the office"]
    assert names_out(board, "room", "").count == 0
    with pytest.raises(NotFound):
        names_out(board, "room", _id(7))
