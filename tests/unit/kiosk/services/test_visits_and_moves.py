"""Staff, visitors and rooms at a desk, with the words for capacity and ratio."""

from collections.abc import Awaitable

import pytest

from kiosk.services.errors import DeskError
from kiosk.services.people import people_in
from kiosk.services.rooms import RoomLine, capacity_words, center_words, ratio_words
from sync.attendance import EventKind
from sync.presence import Group
from sync.ratio import RatioReason, RatioState
from sync.records import Entity, StaffRecord
from tests.support.building_desk import (
    AFONSO,
    ANA,
    BEATRIZ,
    BEES,
    FOXES,
    INES,
    MORNING_MS,
    OWLS,
    PEDRO,
    SOFIA,
    UnlinkedDesk,
    event_at,
    id_of,
)


async def refused(work: Awaitable[object]) -> str:
    with pytest.raises(DeskError) as refusal:
        await work
    return refusal.value.code


async def test_staff_come_change_rooms_and_go_and_a_desk_hears_of_those_elsewhere(desk: UnlinkedDesk) -> None:
    visits = desk.building.visits
    assert [one.name for one in await visits.staff()] == ["Luísa Pires", "Pedro Vaz", "Sofia Reis"]
    assert [name for _, name in await visits.rooms()] == ["Bees", "Foxes", "Owls"]
    await visits.staff_in(SOFIA, BEES)
    assert await refused(visits.staff_in(SOFIA, BEES)) == "already_in"
    assert await refused(visits.staff_move(SOFIA, BEES)) == "already_in"
    assert await refused(visits.staff_move(SOFIA, id_of(0xBAD))) == "unknown_room"
    assert await refused(visits.staff_move(PEDRO, FOXES)) == "already_out"
    assert await refused(visits.staff_out(PEDRO)) == "already_out"
    assert await refused(visits.staff_in(id_of(0xBAD))) == "unknown_staff"
    assert await refused(visits.staff_in(ANA)) == "unknown_staff"
    await visits.staff_move(SOFIA, FOXES)
    await desk.hear_of(event_at(EventKind.STAFF_IN, MORNING_MS - 1_000, 1, person_id=PEDRO, room_id=OWLS))
    stands = {one.name: (one.is_in, one.room_name) for one in await visits.staff()}
    assert stands == {"Luísa Pires": (False, ""), "Pedro Vaz": (True, "Owls"), "Sofia Reis": (True, "Foxes")}
    await visits.staff_out(PEDRO)
    desk.center.put(Entity.STAFF, PEDRO, StaffRecord(given_name="Pedro", family_name="Vaz Novo", role="educator"))
    await desk.follow()
    assert [one.name for one in await visits.staff() if one.is_in] == ["Sofia Reis"]
    assert "Pedro Vaz Novo" in [one.name for one in await visits.staff()]


async def test_visitors_come_with_name_and_purpose_and_go(desk: UnlinkedDesk) -> None:
    visits = desk.building.visits
    for name, purpose in (("", ""), ("R" * 81, ""), ("Rui", "p" * 81)):
        assert await refused(visits.visitor_in(name, purpose=purpose)) == "bad_input"
    await visits.visitor_in(" Rui  Costa ", purpose="Acme", host="Sofia")
    (rui,) = await visits.visitors()
    assert (rui.name, rui.note, rui.group) == ("Rui Costa", "Acme; visits Sofia", Group.VISITOR)
    assert await refused(visits.visitor_out(id_of(0xBAD))) == "already_out"
    await visits.visitor_out(rui.subject_id)
    assert await visits.visitors() == ()
    assert await refused(visits.visitor_out(rui.subject_id)) == "already_out"
    assert people_in(desk._following.knowledge) == ()


async def test_children_change_rooms_together_or_not_at_all_and_the_rooms_say_what_they_hold(
    desk: UnlinkedDesk,
) -> None:
    moves = desk.building.moves
    for child_id in (ANA, AFONSO, BEATRIZ):
        await desk.check_in(child_id)
    await desk.building.visits.staff_in(SOFIA, BEES)
    waiting = (await desk.status()).waiting
    assert await refused(moves.move([ANA, INES], FOXES)) == "already_out"
    assert await refused(moves.move([ANA], id_of(0xBAD))) == "unknown_room"
    assert await refused(moves.move([ANA], BEES)) == "already_in"
    assert await refused(moves.move([], FOXES)) == "already_in"
    assert (await desk.status()).waiting == waiting
    bees = (await moves.rooms()).rooms[0]
    assert (capacity_words(bees), ratio_words(bees.state)) == ("3 of 4", "1 : 3 (max 1 : 2), 1 TOO MANY")
    recorded = await moves.move([ANA, AFONSO, AFONSO], FOXES)
    assert [one.child_name for one in recorded] == ["Ana Silva", "Afonso Almeida"]
    now = await moves.rooms()
    assert [(line.name, line.present) for line in now.rooms] == [("Bees", 1), ("Foxes", 2), ("Owls", 0)]
    assert [line.name for line in now.warnings] == ["Foxes"]
    assert ratio_words(now.rooms[1].state) == "NO STAFF with 2 children"
    assert center_words(now) == "3 children, 1 adult counted"
    assert [one.name for one in await moves.children_in(FOXES)] == ["Afonso Almeida", "Ana Silva"]
    assert {line.room_name for line in await desk.roster() if line.child_id in (ANA, AFONSO)} == {"Foxes"}


@pytest.mark.parametrize(
    ("state", "words"),
    [
        (RatioState(reason=RatioReason.NO_RULES, children=3), "no ratio rules are set"),
        (RatioState(reason=RatioReason.NO_STAFF, children=1), "NO STAFF with 1 child"),
        (
            RatioState(
                reason=RatioReason.ENOUGH,
                children=12,
                counted_percent=200,
                staff_needed=2,
                children_allowed=16,
                children_more=4,
            ),
            "1 : 6 (max 1 : 8), 4 more",
        ),
        (
            RatioState(
                reason=RatioReason.ENOUGH,
                children=5,
                counted_percent=200,
                staff_needed=1,
                children_allowed=5,
                children_more=0,
            ),
            "1 : 2.5 (max 1 : 2.5), no more",
        ),
        (
            RatioState(reason=RatioReason.TOO_FEW_STAFF, children=3, counted_percent=50, staff_needed=2),
            "1 : 6, 3 TOO MANY",
        ),
        (
            RatioState(reason=RatioReason.GROUP_TOO_LARGE, children=7, counted_percent=400, group_cap=6),
            "group of 7, at most 6",
        ),
        (RatioState(reason=RatioReason.GROUP_TOO_LARGE, children=7, counted_percent=400), "a group is TOO LARGE"),
    ],
)
def test_a_ratio_is_told_in_words(state: RatioState, words: str) -> None:
    assert ratio_words(state) == words


@pytest.mark.parametrize(
    ("present", "capacity", "words", "is_warning"),
    [(3, 0, "3 in", False), (3, 4, "3 of 4", False), (4, 4, "4 of 4, full", False), (5, 4, "5 of 4, 1 OVER", True)],
)
def test_a_capacity_is_told_and_only_more_than_that_is_a_warning(
    present: int, capacity: int, words: str, *, is_warning: bool
) -> None:
    line = RoomLine(BEES, "Bees", capacity, RatioState(reason=RatioReason.ENOUGH, children=present))
    assert (capacity_words(line), line.is_warning) == (words, is_warning)
