"""A child's day set right at the desk: every change is one more entry, with a reason, and never of the future."""

import pytest

from kiosk.messages import Mark, Presence
from kiosk.services.child_day import ChildDay, DayLine, Stands
from kiosk.services.corrections import Change, Late
from kiosk.services.errors import DeskError
from sync.attendance import EventKind, FindingKind
from tests.support.building_desk import (
    ANA,
    FOXES,
    INES,
    JOAO,
    MARIA,
    MINUTE_MS,
    MORNING_MS,
    UnlinkedDesk,
    event_at,
    id_of,
)
from tests.support.kiosk_clock import StandingClock

HOUR_MS = 60 * MINUTE_MS
WHY = "the queue was long"
TODAY, YESTERDAY = "2026-09-21", "2026-09-20"


def line_of(day: ChildDay, event_id: str) -> DayLine:
    return next(line for line in day.lines if line.event_id == event_id)


async def refused(work: object) -> str:
    with pytest.raises(DeskError) as refusal:
        await work  # type: ignore[misc]
    return refusal.value.code


async def test_an_arrival_is_corrected_by_time_and_room_and_taken_out_of_the_count(
    desk: UnlinkedDesk, clock: StandingClock
) -> None:
    corrections = desk.building.corrections
    came = await desk.check_in(ANA)
    assert await refused(corrections.correct(ANA, came.event_id, Change(reason=WHY, time="08:30"))) == "bad_input"
    await corrections.correct(ANA, came.event_id, Change(reason=WHY, time="7:10"))
    line = line_of(await corrections.day(ANA), came.event_id)
    assert (line.at_ms, line.said_at_ms) == (MORNING_MS - 48 * MINUTE_MS, MORNING_MS)
    assert (line.stands, line.reason, line.device, line.mark) == (Stands.CORRECTED, WHY, "Front desk", Mark.RECORDED)
    await corrections.correct(ANA, came.event_id, Change(reason=WHY, room_id=FOXES))
    (roster_line,) = [one for one in await desk.roster() if one.child_id == ANA]
    assert (roster_line.room_name, roster_line.since_ms) == ("Foxes", MORNING_MS - 48 * MINUTE_MS)
    clock.pass_ms(MINUTE_MS)
    await corrections.void(ANA, came.event_id, "another child")
    (roster_line,) = [one for one in await desk.roster() if one.child_id == ANA]
    assert roster_line.status is Presence.NOT_ARRIVED
    day = await corrections.day(ANA)
    assert line_of(day, came.event_id).stands is Stands.VOIDED
    assert [line.kind for line in day.lines].count(EventKind.CORRECT) == 2
    assert await refused(corrections.void(ANA, came.event_id, WHY)) == "bad_input"
    assert await refused(corrections.correct(ANA, came.event_id, Change(reason=WHY, time="07:00"))) == "bad_input"


async def test_who_collected_is_corrected_to_the_truth_also_when_that_person_must_not_collect(
    desk: UnlinkedDesk,
) -> None:
    corrections = desk.building.corrections
    await desk.check_in(ANA)
    left = await desk.check_out(ANA, adult_id=MARIA)
    await corrections.correct(ANA, left.event_id, Change(reason=WHY, adult_id=JOAO))
    day = await corrections.day(ANA)
    assert line_of(day, left.event_id).adult == "João Pinto"
    (question,) = [one for one in day.questions if one.kind is FindingKind.RELEASED_ON_STALE_AUTHORISATION]
    assert (question.is_critical, question.answers) == (True, ())
    assert await refused(corrections.answer(ANA, question.key, "in_order")) == "not_at_the_desk"
    for change in (
        Change(reason=WHY),
        Change(reason=WHY, time="07:00", room_id=FOXES),
        Change(reason=WHY, room_id=FOXES),
        Change(reason="", adult_name="Maria"),
        Change(reason="x" * 161, adult_name="Maria"),
    ):
        assert await refused(corrections.correct(ANA, left.event_id, change)) == "bad_input"
    assert await refused(corrections.correct(ANA, left.event_id, Change(WHY, adult_id=ANA))) == "unknown_adult"
    assert await refused(corrections.correct(ANA, id_of(0xBAD), Change(WHY, time="07:00"))) == "unknown_event"
    assert await refused(corrections.correct(INES, left.event_id, Change(WHY, time="07:00"))) == "unknown_event"
    assert await refused(corrections.correct(id_of(0xBAD), left.event_id, Change(WHY, time="07:00"))) == "unknown_child"


async def test_what_nobody_entered_in_time_is_entered_later_for_today_and_yesterday(
    desk: UnlinkedDesk, clock: StandingClock
) -> None:
    corrections = desk.building.corrections
    came = Late(EventKind.CHECK_IN, YESTERDAY, "08:10", WHY)
    await corrections.enter_late(ANA, came)
    assert await refused(corrections.enter_late(ANA, Late(EventKind.CHECK_IN, YESTERDAY, "09:00", WHY))) == "already_in"
    left = Late(EventKind.CHECK_OUT, YESTERDAY, "16:00", WHY, adult_id=MARIA)
    for wrong, code in (
        (Late(EventKind.CHECK_OUT, YESTERDAY, "07:00", WHY, adult_id=MARIA), "already_out"),
        (Late(EventKind.CHECK_OUT, YESTERDAY, "16:00", WHY, adult_id=JOAO), "not_authorised"),
        (Late(EventKind.CHECK_OUT, YESTERDAY, "16:00", WHY, adult_id=ANA), "unknown_adult"),
        (Late(EventKind.CHECK_OUT, YESTERDAY, "16:00", "", adult_id=MARIA), "bad_input"),
        (Late(EventKind.CHECK_OUT, TODAY, "07:59", WHY, adult_id=MARIA), "bad_input"),
        (Late(EventKind.CHECK_IN, "2026-09-19", "08:00", WHY), "bad_input"),
        (Late(EventKind.ROOM_MOVE, TODAY, "07:00", WHY), "bad_input"),
    ):
        assert await refused(corrections.enter_late(ANA, wrong)) == code
    await corrections.enter_late(ANA, left)
    assert await refused(corrections.enter_late(ANA, left)) == "already_out"
    assert [line.kind for line in (await corrections.day(ANA)).lines] == [EventKind.CHECK_IN, EventKind.CHECK_OUT]
    clock.pass_ms(48 * HOUR_MS)
    assert (await corrections.day(ANA)).lines == ()


async def test_a_question_of_the_fold_is_answered_at_the_desk_and_closed_on_all(desk: UnlinkedDesk) -> None:
    corrections = desk.building.corrections
    first = event_at(EventKind.CHECK_IN, MORNING_MS - 45 * MINUTE_MS, 1, child_id=INES)
    second = event_at(EventKind.CHECK_IN, MORNING_MS - 5 * MINUTE_MS, 2, child_id=INES)
    await desk.hear_of(first, second)
    (question,) = (await corrections.day(INES)).questions
    assert question.kind is FindingKind.POSSIBLE_MISSED_CHECK_OUT
    assert [one.code for one in question.answers] == ["left_between", "never_left", "second_wrong"]
    assert await refused(corrections.answer(INES, question.key, "nonsense")) == "unknown_answer"
    assert await refused(corrections.answer(INES, "no such", "never_left")) == "unknown_question"
    assert await refused(corrections.answer(INES, question.key, "left_between", time="")) == "bad_input"
    assert await refused(corrections.answer(INES, question.key, "left_between", time="23:00")) == "bad_input"
    await corrections.answer(INES, question.key, "left_between", time="07:30")
    day = await corrections.day(INES)
    assert day.questions == ()
    (line,) = [one for one in await desk.roster() if one.child_id == INES]
    assert (line.status, line.since_ms) == (Presence.IN, second.occurred_at_ms)
    assert line_of(day, first.event_id).device == "Back door"
    assert await refused(corrections.answer(INES, question.key, "never_left")) == "unknown_question"
