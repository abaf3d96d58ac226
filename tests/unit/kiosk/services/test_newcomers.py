"""Children who are not on file: taken in under a name, seen wherever a child is, given up only with a second word."""

import pytest

from kiosk.messages import Mark, Presence
from kiosk.services.corrections import Change, Late
from kiosk.services.desk import RosterLine
from kiosk.services.errors import DeskError
from kiosk.services.newcomers import Newcomer
from kiosk.services.people import people_in
from kiosk.services.release import NO_LIST, Refusal, Release
from kiosk.services.rollcall_sheet import sheet
from kiosk.services.roster import search
from kiosk.services.today import TodayState
from kiosk.widgets.wording import name_cell, notes_text
from sync.attendance import EventKind, FindingKind, decode_event
from sync.attendance_events import OVERRIDE
from sync.records import ChildRecord, Entity
from sync.rollcall import RollMark
from tests.support.building_desk import (
    ANA,
    BEES,
    FOXES,
    INES,
    MINUTE_MS,
    MORNING_MS,
    OWLS,
    UnlinkedDesk,
    event_at,
    id_of,
)
from tests.support.kiosk_clock import StandingClock

MIA = Newcomer(name=" Mia  Berger ", room_id=BEES, adult_name="Paula Berger", note="0171 2233")
WHY = "her mother came, passport seen"
TODAY = "2026-09-21"
GONE = id_of(0x60E)


async def refused(work: object) -> str:
    with pytest.raises(DeskError) as refusal:
        await work  # type: ignore[misc]
    return refusal.value.code


async def line_of(desk: UnlinkedDesk, child_id: str) -> RosterLine | None:
    return next((line for line in await desk.roster() if line.child_id == child_id), None)


def names_said(desk: UnlinkedDesk) -> dict[str, set[str]]:
    """The provisional names in this desk's journal, by kind of event."""
    said: dict[str, set[str]] = {}
    for entry in desk._following.knowledge._own.values():
        said.setdefault(entry.kind, set()).add(decode_event(entry.body.encode()).provisional_name)
    return said


async def test_a_child_not_on_file_is_taken_in_and_seen_wherever_a_child_is(desk: UnlinkedDesk) -> None:
    mia = await desk.counter.take_in(MIA)
    assert (mia.child_name, mia.kind, len(mia.child_id), mia.child_id[14]) == ("Mia Berger", "check_in", 36, "7")
    line = await line_of(desk, mia.child_id)
    assert line is not None
    assert (line.status, line.mark, line.since_ms) == (Presence.IN, Mark.RECORDED, MORNING_MS)
    assert (line.room_name, line.is_on_file, line.listed_name) == ("Bees", False, "Mia Berger (not on file)")
    assert (line.given_name, line.family_name, notes_text(line)) == ("Mia", "Berger", "! not on file")
    bees = [one.display_name for one in await desk.roster() if one.room_name == "Bees"]
    assert bees == ["Afonso Almeida", "Mia Berger", "Beatriz Cardoso", "Ana Silva"], "by family name"
    assert [one.child_id for one in search(await desk.roster(), "berg mi")] == [mia.child_id]
    assert await desk.find_by_name("mia berger") == mia.child_id
    assert (desk.knows(mia.child_id), desk.knows(GONE), desk.name_of(mia.child_id)) == (True, False, "Mia Berger")
    here = (await desk.building.today()).of(TodayState.HERE)
    assert [one.line.listed_name for one in here] == ["Mia Berger (not on file)"]
    assert [one.listed_name for one in await desk.building.moves.children_in(BEES)] == ["Mia Berger (not on file)"]
    rooms = (await desk.building.moves.rooms()).rooms
    assert [(room.name, room.present) for room in rooms] == [("Bees", 1), ("Foxes", 0), ("Owls", 0)]
    assert [one.name for one in people_in(desk._following.knowledge)] == ["Mia Berger"]
    code = desk.building.labels.code_of(mia.child_id)
    assert desk.building.labels.lacking([mia.child_id], code) == ()
    assert [one.line.child_id for one in desk.counter.family(mia.child_id)] == [mia.child_id]
    assert await desk.collectors(mia.child_id) == ()
    day = await desk.building.corrections.day(mia.child_id)
    assert (day.name, day.lines[0].adult, day.lines[0].note) == ("Mia Berger", "Paula Berger", "0171 2233")


async def test_she_is_moved_marked_corrected_given_up_and_comes_again_and_every_event_says_her_name(
    desk: UnlinkedDesk, clock: StandingClock
) -> None:
    mia = (came := await desk.counter.take_in(MIA)).child_id
    corrections, rollcalls = desk.building.corrections, desk.building.rollcalls
    await desk.building.moves.move([mia], FOXES)
    await corrections.correct(mia, came.event_id, Change(reason=WHY, time="07:30"))
    await rollcalls.mark(mia, RollMark.PRESENT)
    view = await rollcalls.view()
    assert [line.person.listed_name for line in view.lines] == ["Mia Berger (not on file)"]
    assert "[x] Mia Berger (not on file)" in sheet(view, rollcalls.place(), clock.wall_ms())
    await desk.counter.refuse([mia], Refusal(adult_name="Joe", reason_code="identity_unclear"))

    stranger = Release(adult_name="Paula Berger", identity_check="photo_id")
    assert await refused(desk.counter.release([mia], stranger)) == "needs_second_person"
    assert await refused(desk.counter.release([mia], Release(adult_id=ANA))) == "unknown_adult"
    (left,) = await desk.counter.release(
        [mia], Release(adult_name="Paula Berger", identity_check="photo_id", reason=WHY)
    )
    event = decode_event(desk._following.knowledge._own[left.event_id].body.encode())
    assert (event.reason_code, event.warnings[0], event.room_id) == (OVERRIDE, NO_LIST, FOXES)
    line = await line_of(desk, mia)
    assert line is not None
    assert (line.status, line.room_name) == (Presence.OUT, "Foxes"), "listed for the rest of the day"
    assert await refused(desk.find_by_name("Mia Berger")) == "unknown_child"
    assert await rollcalls.candidates("mia") == (), "she was in when it began"
    clock.pass_ms(MINUTE_MS)
    await desk.counter.arrive([mia])
    clock.pass_ms(MINUTE_MS)
    await desk.check_out(mia, adult_name="Paula Berger")
    await corrections.enter_late(mia, Late(EventKind.CHECK_IN, TODAY, "06:00", WHY))
    questions = (await corrections.day(mia)).questions
    asked = next(one for one in questions if one.kind is FindingKind.UNKNOWN_REFERENCE)
    await corrections.answer(mia, asked.key, "known")
    said = names_said(desk)
    assert {kind: names for kind, names in said.items() if names != {"Mia Berger"}} == {}
    assert said.keys() >= {"check_in", "check_out", "room_move", "correct", "release_refused", "review_resolved"}
    clock.pass_ms(24 * 60 * MINUTE_MS)
    assert await line_of(desk, mia) is None, "nobody waits for her tomorrow"


async def test_an_arrival_that_is_taken_back_or_voided_leaves_nobody_on_the_roster(desk: UnlinkedDesk) -> None:
    mia = await desk.counter.take_in(MIA)
    undoable = desk.counter.undoable()
    assert undoable is not None
    assert undoable.recorded == (mia,)
    (undone,) = await desk.counter.undo()
    assert (undone.child_name, await line_of(desk, mia.child_id)) == ("Mia Berger", None)
    again = await desk.counter.take_in(MIA)
    assert again.child_id != mia.child_id, "an arrival taken back is asked of nobody"
    await desk.building.corrections.void(again.child_id, again.event_id, WHY)
    assert await line_of(desk, again.child_id) is None
    assert names_said(desk) == {"check_in": {"Mia Berger"}, "void": {"Mia Berger"}}


async def test_a_child_who_is_known_under_such_a_name_is_asked_after_first(desk: UnlinkedDesk) -> None:
    resembling = desk.counter.resembling
    for typed, ids in (
        ("ana silva", [ANA]),
        ("Silva, Anna", []),
        ("Silva", [ANA]),
        ("Ines Goncalves", [INES]),
        ("Inés Gonzalves", [INES]),
        ("Mia Berger", []),
        ("", []),
    ):
        assert [line.child_id for line in resembling(typed)] == ids, typed
    assert await refused(desk.counter.take_in(Newcomer(name="Ana  SILVA"))) == "resembles_known"
    with pytest.raises(DeskError, match=r"Is it Ana Silva \(Bees\)\?"):
        await desk.counter.take_in(Newcomer(name="ana silva", none_of=frozenset({INES})))
    second = await desk.counter.take_in(Newcomer(name="Ana Silva", none_of=frozenset({ANA})))
    assert await refused(desk.find_by_name("Ana Silva")) == "ambiguous_name"
    assert [line.child_id for line in resembling("Ana Silva")] == sorted([ANA, second.child_id])
    with pytest.raises(DeskError, match=r"Ana Silva \(Bees\) or Ana Silva \(not on file\)"):
        await desk.counter.take_in(Newcomer(name="Ana Silva"))
    desk.center.put(Entity.CHILD, ANA, ChildRecord(given_name="Ana", preferred_name="Nini", family_name="Silva"))
    await desk.follow()
    assert [[line.child_id for line in resembling(name)] for name in ("Nini Silva", "Ana Silva")] == [
        [ANA], [second.child_id, ANA],
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("newcomer", "code"),
    [
        (Newcomer(name=" M "), "bad_input"),
        (Newcomer(name="M" * 81), "bad_input"),
        (Newcomer(name="Mia", adult_name="P"), "bad_input"),
        (Newcomer(name="Mia", adult_name="P" * 81), "bad_input"),
        (Newcomer(name="Mia", note="n" * 161), "bad_input"),
        (Newcomer(name="Mia", room_id=GONE), "unknown_room"),
        (Newcomer(name="Mia", staff_id="nobody"), "bad_input"),
        (Newcomer(name="Mia", occurred_at_ms=-1), "bad_input"),
    ],
)
async def test_what_is_said_of_her_has_bounds_and_nothing_is_recorded_beyond_them(
    desk: UnlinkedDesk, newcomer: Newcomer, code: str
) -> None:
    assert await refused(desk.counter.take_in(newcomer)) == code
    assert (await desk.status()).waiting == 0


async def test_a_child_that_another_desk_took_in_is_here_until_it_is_on_file_under_that_id(desk: UnlinkedDesk) -> None:
    said = {"child_id": GONE, "provisional_name": "Mia Berger", "room_id": OWLS}
    await desk.hear_of(event_at(EventKind.CHECK_IN, MORNING_MS - MINUTE_MS, 1, **said))
    line = await line_of(desk, GONE)
    assert line is not None
    assert (line.display_name, line.mark, line.findings) == (
        "Mia Berger", Mark.NEEDS_REVIEW, (FindingKind.UNKNOWN_REFERENCE,),
    )  # fmt: skip
    assert (await desk.status()).needs_review == 1
    renamed = {**said, "provisional_name": "Mia Bergmann", "to_room_id": BEES}
    await desk.hear_of(event_at(EventKind.ROOM_MOVE, MORNING_MS, 2, **renamed))
    assert desk.name_of(GONE) == "Mia Bergmann", "the last name that was said"
    desk.center.put(Entity.CHILD, GONE, ChildRecord(given_name="Mia", family_name="Berger", home_room_id=OWLS))
    await desk.follow()
    line = await line_of(desk, GONE)
    assert line is not None
    assert (line.display_name, line.is_on_file, line.room_name) == ("Mia Berger", True, "Bees")
    await desk.check_out(GONE, adult_name="Paula Berger")
    assert names_said(desk) == {"check_out": {""}}


async def test_a_child_that_lost_its_file_while_it_was_here_is_still_here_and_can_leave(desk: UnlinkedDesk) -> None:
    desk.center.put(Entity.CHILD, GONE, ChildRecord(given_name="Noa", family_name="Lund", home_room_id=BEES))
    await desk.follow()
    await desk.check_in(GONE)
    desk.center.remove(Entity.CHILD, GONE)
    await desk.follow()
    line = await line_of(desk, GONE)
    assert line is not None
    assert (line.display_name, line.listed_name, line.room_name) == ("(no longer on file)",) * 2 + ("Bees",)
    assert [one.child_id for one in search(await desk.roster(), "no longer")] == [GONE]
    await desk.building.moves.move([GONE], FOXES)
    await desk.building.rollcalls.mark(GONE, RollMark.PRESENT)
    assert await refused(desk.counter.release([GONE], Release(adult_name="Max"))) == "needs_second_person"
    await desk.counter.release([GONE], Release(adult_name="Max Lund", reason=WHY))
    assert await refused(desk.counter.arrive([GONE])) == "unknown_child", "the way in is under a name"
    assert await refused(desk.check_in(GONE)) == "unknown_child"
    assert await refused(desk.building.corrections.enter_late(GONE, Late(EventKind.CHECK_IN, TODAY, "06:00", WHY))) == (
        "unknown_child"
    )
    assert names_said(desk)["check_out"] == {""}


def test_the_words_stay_whole_when_a_name_is_cut() -> None:
    line = RosterLine(GONE, "Mia", "Berger", "Mia Berger", "", "", Presence.IN, 0, Mark.NONE, "", (), is_on_file=False)
    assert name_cell(line, 22) == "Mia Berger not on file"
    assert name_cell(line, 21) == "Mia Berg… not on file"
    assert name_cell(line, 30) == "Mia Berger not on file        "
