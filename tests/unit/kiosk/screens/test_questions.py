"""Every question that a desk can be asked, walked through by keys: what it is about is said, and nothing is cut off."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from kiosk.app import KioskApp
from kiosk.screens.asking import AskScreen, ChooseScreen
from kiosk.screens.child_day import ChildDayScreen
from kiosk.screens.roster import RosterScreen
from kiosk.services.child_day import find_line
from kiosk.services.corrections import Change
from kiosk.services.errors import DeskError
from kiosk.widgets.day_words import QUESTION_TITLES
from sync.answers import Need, possible_answers
from sync.attendance import CRITICAL_FINDINGS, EventKind, FindingKind
from tests.support.building_desk import AFONSO, BEATRIZ, CHILDREN, EVA, event_at
from tests.support.questions_desk import ASKED_OF, MORE_CHILDREN, NOT_ON_FILE, asking_desk
from tests.unit.kiosk.screens.test_building_screens import Seat, roster_is_shown, shown

NAMES = {child_id: f"{named[0]} {named[1]}" for child_id, named in {**CHILDREN, **MORE_CHILDREN, **NOT_ON_FILE}.items()}
MARK = "! "


@pytest.fixture
async def asked(tmp_path: Path) -> AsyncIterator[Seat]:
    async with asking_desk(tmp_path / "desk") as (desk, clock):
        app = KioskApp(desk, clock)
        async with app.run_test(size=(80, 24)) as pilot:
            seat = Seat(app, pilot, desk, clock)
            await seat.until(lambda: roster_is_shown(app), "the first roster")
            yield seat


def words(seat: Seat) -> str:
    """What can be read, with one space between words, without the frames."""
    return " ".join(shown(seat).replace("│", " ").split())


async def open_day(seat: Seat, child_id: str) -> None:
    name = NAMES[child_id]
    await seat.press("escape", *("space" if letter == " " else letter for letter in plain(name)))
    await seat.press("f5")
    await seat.until_screen(ChildDayScreen)
    await seat.until(lambda: name in seat.line("page-title"), name)
    await seat.until(lambda: bool(seat.rows), "the day")
    await seat.press("home")


def plain(name: str) -> str:
    return name.lower().translate(str.maketrans("êëçãáó", "eecaao"))


async def test_every_question_says_what_it_is_about_and_all_that_may_be_answered(asked: Seat) -> None:
    for child_id, kind in ASKED_OF.items():
        await open_day(asked, child_id)
        question = next(row for row in asked.rows if row.startswith(MARK))
        assert len(question.split("  ")) == 2, question  # its words, then the times of its entries
        assert "About " in asked.line("page-detail")
        await asked.press("enter")
        if kind in CRITICAL_FINDINGS:
            await asked.until_note("A manager answers this, in the office. Tell them now.")
        else:
            await asked.until_screen(ChooseScreen)
            seen = words(asked)
            assert asked.line("dialog-title") in QUESTION_TITLES.values()
            assert asked.line("dialog-title") in seen
            assert asked.line("about").split("\n")[0] in seen
            assert "↑ ↓ choose, ENTER takes it." in seen
            first = FindingKind.POSSIBLE_MISSED_CHECK_OUT if child_id == BEATRIZ else kind
            for answer in possible_answers(first):
                assert answer.says in seen
                assert f"→ {answer.consequence}" in seen
            await asked.press("escape")
            await asked.until_screen(ChildDayScreen)
        await asked.press("escape")
        await asked.until_screen(RosterScreen)
    assert set(QUESTION_TITLES) == set(FindingKind) - CRITICAL_FINDINGS
    assert set(ASKED_OF.values()) == set(FindingKind)


async def test_a_time_is_asked_for_with_its_day_and_must_fit_what_is_known(asked: Seat) -> None:
    await open_day(asked, AFONSO)
    for typed, refusal in (("06:59", "came at 07:00; it left after"), ("07:41", "came again at 07:40; it left before")):
        await asked.press("home", "enter")
        await asked.until_screen(ChooseScreen)
        await asked.press("down", "enter")
        await asked.until_screen(AskScreen)
        assert asked.line("dialog-title") == "When did the child leave, on Monday 21 September 2026?"
        assert "07:00 came, Bees (Back door); 07:40 came" in words(asked)
        await asked.press(*typed, "enter")
        await asked.until_note(refusal)
    await asked.press("home", "enter")
    await asked.until_screen(ChooseScreen)
    await asked.press("down", "enter")
    await asked.until_screen(AskScreen)
    await asked.press(*"07:00", "enter")  # the minute in which it came
    await asked.until_note("Answered – recorded here.")
    await asked.until_listed("07:00  left")
    await asked.until(lambda: not any(row.startswith(MARK) for row in asked.rows), "no question")
    await asked.press("home", "down")
    await asked.until(lambda: "answered: The child left in between" in asked.line("page-detail"), "the answer")
    await asked.press("t")
    await asked.until_note("This is an answer: X takes it back, and the question is asked again.")
    await asked.press("x")
    await asked.until_screen(AskScreen)
    await asked.press(*"wrong", "enter")
    await asked.until_listed("! no check-out before?")
    await asked.until_listed("07:58  taken back: 07:58 answer")
    await asked.press("home", "down", "x")
    await asked.until_screen(AskScreen)
    await asked.press(*"twice", "enter")
    await asked.until_listed("07:58  taken back: 07:00 came")


async def test_who_wants_to_take_back_an_answer_of_the_office_is_told_who_may(asked: Seat) -> None:
    (question,) = (await asked.desk.building.corrections.day(EVA)).questions
    said = {"child_id": EVA, "finding": question.key, "answer": "both_there", "author": "Ruth Appiah"}
    await asked.desk.hear_of(event_at(EventKind.REVIEW_RESOLVED, asked.clock.wall_ms(), 1, **said))
    await open_day(asked, EVA)
    await asked.press("end")
    await asked.until(lambda: "Ruth Appiah" in asked.line("page-detail"), "the answer")
    for key in "xtrc":
        await asked.press("up", "down")
        await asked.press(key)
        await asked.until_note("A manager gave this answer, in the office; only the office changes it.")
        await asked.press("i")
        await asked.until_screen(ChooseScreen)
        await asked.press("escape")
        await asked.until_note("Cancelled")


async def test_what_a_guardian_says_is_read_in_the_question_and_in_the_day(asked: Seat) -> None:
    await open_day(asked, next(child_id for child_id, kind in ASKED_OF.items() if kind == "disputed_by_guardian"))
    assert any("disputed by Lia Brandão: We came" in row for row in asked.rows)
    await asked.press("enter")
    await asked.until_screen(ChooseScreen)
    await asked.press("down")
    assert "> The record is right. → Everything stays as it is." in words(asked)  # the sign once
    assert "2. 07:55 disputed by Lia Brandão: We came at eight. (Back door)" in words(asked)


async def test_every_answer_that_is_offered_can_be_given(tmp_path: Path) -> None:
    for number in range(3):
        async with asking_desk(tmp_path / str(number)) as (desk, _):
            for child_id, kind in ASKED_OF.items():
                corrections = desk.building.corrections
                question = next(one for one in (await corrections.day(child_id)).questions if one.kind is kind)
                if len(question.answers) <= number:
                    continue
                answer = question.answers[number]
                time = "" if answer.needs is Need.NOTHING else "07:31"
                recorded = await corrections.answer(child_id, question.key, answer.code, time=time)
                day = await corrections.day(child_id)
                assert question.key not in {one.key for one in day.questions}
                (line,) = (one for one in day.lines if one.event_id == recorded.event_id)
                assert line.answered == answer.says


async def test_a_child_cannot_have_left_before_the_other_desk_saw_it_come(tmp_path: Path) -> None:
    async with asking_desk(tmp_path / "desk") as (desk, _):
        day = await desk.building.corrections.day(BEATRIZ)
        question = next(one for one in day.questions if one.kind is FindingKind.OVERLAPPING_STAYS)
        assert [one.device for one in question.about] == ["Gate", "Back door", "Gate"]
        with pytest.raises(DeskError, match="came at 07:30; it left after"):
            await desk.building.corrections.answer(BEATRIZ, question.key, "left_then", time="07:29")


async def test_a_manager_s_answer_is_not_taken_back_at_a_desk_and_no_answer_is_corrected(tmp_path: Path) -> None:
    async with asking_desk(tmp_path / "desk") as (desk, clock):
        corrections = desk.building.corrections
        (question,) = (await corrections.day(EVA)).questions
        said = {"child_id": EVA, "finding": question.key, "answer": "both_there", "author": "Ruth Appiah"}
        answer = event_at(EventKind.REVIEW_RESOLVED, clock.wall_ms(), 1, **said)
        await desk.hear_of(answer)
        assert (await corrections.day(EVA)).questions == ()
        with pytest.raises(DeskError, match="only the office changes it") as refusal:
            await corrections.void(EVA, answer.event_id, "by mistake")
        assert refusal.value.code == "not_at_the_desk"
        with pytest.raises(DeskError, match="only the office changes it"):
            await corrections.correct(EVA, answer.event_id, Change(time="07:30", reason="by mistake"))
        unheard = event_at(EventKind.REVIEW_RESOLVED, clock.wall_ms(), 2, **{**said, "answer": "of_a_later_version"})
        await desk.hear_of(unheard)
        line = find_line(await corrections.day(EVA), unheard.event_id)
        assert line is not None
        assert line.answered == "of_a_later_version"
