"""Today's children by where they stand."""

from kiosk.services.today import TodayState, counts
from sync.records import CenterRecord, ClosureRecord, Entity
from tests.support.building_desk import AFONSO, ANA, CHILDREN, MARIA, ZONE, UnlinkedDesk


async def test_a_child_is_here_gone_expected_or_on_a_closed_day_absent_with_the_reason(desk: UnlinkedDesk) -> None:
    await desk.check_in(AFONSO)
    await desk.check_in(ANA)
    await desk.check_out(ANA, adult_id=MARIA)
    found = await desk.building.today()
    assert counts(found.lines) == {
        TodayState.HERE: 1,
        TodayState.LEFT: 1,
        TodayState.EXPECTED: len(CHILDREN) - 2,
        TodayState.ABSENT: 0,
    }
    assert [one.line.display_name for one in found.of(TodayState.LEFT)] == ["Ana Silva"]
    shut = ClosureRecord(first_day="2026-09-20", last_day="2026-09-21", reason="Staff day")
    center = CenterRecord(code="OAK", name="Little Oaks Nursery", time_zone=ZONE, closures=(shut,))
    desk.center.put(Entity.CENTER, desk.center.center_id, center)
    await desk.follow()
    closed = await desk.building.today()
    assert (closed.closed, counts(closed.lines)[TodayState.EXPECTED]) == ("Staff day", 0)
    assert {one.why for one in closed.of(TodayState.ABSENT)} == {"Staff day"}
    assert len(closed.of(TodayState.HERE)) == 1
